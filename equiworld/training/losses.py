"""Losses: functions of lengths, inner products and invariants, which prefer no direction.

One frozen settings dataclass a loss of encoders, and one line in `ENCODER_LOSSES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from equiworld.arguments import number
from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.models.dynamics import Dynamics
from equiworld.models.surface_dynamics import SurfaceDynamics
from equiworld.settings import settle_numbers
from equiworld.symmetry import Features
from equiworld.symmetry.latent_blocks import helmert
from equiworld.training.encoder_loss import EncoderLoss
from equiworld.training.sigreg import BlockSIGReg, SIGReg

__all__ = ["ENCODER_LOSSES", "Agreement", "BlockSIGReg", "EncoderLoss", "SIGReg", "VICReg", "prediction_loss"]

# Added to squared noise in units of the length scale: quieter than 0.03 % is quiet enough.
_NOISE_FLOOR = 1e-7
_TINY = 1e-8  # below which a root has no slope


def prediction_loss(
    dynamics: Dynamics | SurfaceDynamics,
    z: Features,
    action: Features,
    target: Features,
    *,
    huber: float = 0.1,
) -> Tensor:
    """Pseudo-Huber loss of each displacement's error length, in units of that channel's spread.

    √(|e|²/β² + 1) − 1 depends on |e| alone, so no direction is preferred; large errors, where a corner catches or
    slips, count linearly. A network that asks for a penalty, such as `Soft`, has it added.

    Args:
        dynamics: that predict.
        z, action, target: latent states, actions and the latent states that followed.
        huber: β.
    """
    squared = dynamics.errors(z, action, target)
    loss, penalty = (
        huber * (torch.sqrt(squared / huber**2 + 1) - 1).sum(-1).mean(),
        dynamics.penalty(z, action),
    )
    return loss if penalty is None else loss + penalty


@dataclass(frozen=True)
class Agreement(EncoderLoss):
    """Finding the same in all views, by the logarithm of the noise, with a hinge against collapse.

    Halving small noise counts as much as halving large noise. The hinge is 0 where latents spread far enough over the
    batch and all that the group makes of it, which for an equivariant encoder is how far the keypoints of one cloud
    are spread along their principal axes. Keypoints of the baselines are to move far over the batch instead.

    Reference: Bardes et al., VICReg, ICLR 2022, for the hinge.

    Attributes:
        spreads: of the keypoints, wanted along their principal axes, in units of the length scale.
        spread_weights: of the hinge. The first axis against collapse; the others less: of a body of revolution they
            can be had at the price of noise only, and keypoints shall rather stay on its axis.
        early_weight: of the agreement of earlier guesses.
    """

    spreads: tuple[float, float, float] = (0.4, 0.28, 0.2)
    spread_weights: tuple[float, float, float] = (100.0, 40.0, 40.0)
    early_weight: float = 0.3

    def __post_init__(self) -> None:
        for name in ("spreads", "spread_weights"):
            value = getattr(self, name)
            if np.shape(value) != (3,):
                raise ArgumentError(name, value, "three numbers of at least 0")
            object.__setattr__(self, name, tuple(number(name, each, least=0.0) for each in value))
        settle_numbers(self, "early_weight", least=0.0)

    def __call__(
        self,
        found: Features,
        guesses: Sequence[Tensor],
        length: float,
        equivariant: bool,
        rng: np.random.Generator | None = None,
        group: Group | None = None,
    ) -> Tensor:
        goal = found.points.mean(0)
        loss = _log_noise(found.points, goal, length)
        for guess in guesses:
            loss = loss + self.early_weight * _log_noise(guess, goal.detach(), length)
        if found.vectors.shape[-1]:
            loss = loss + _log_noise(found.vectors, found.vectors.mean(0), length)
        if found.scalars.shape[-1]:
            loss = loss + (found.scalars - found.scalars.mean(0)).square().mean()
        return loss + self._spread_hinge(found[0], len(guesses), length, equivariant)

    def _spread_hinge(self, found: Features, guesses: int, length: float, equivariant: bool) -> Tensor:
        dim = found.points.shape[-2]
        own = (found.points - found.points.mean(-1, keepdim=True)) / length
        wanted, weights = (own.new_tensor(each[:dim][::-1]) for each in (self.spreads, self.spread_weights))
        if equivariant:
            variances = torch.linalg.eigvalsh(own @ own.transpose(-1, -2) / own.shape[-1])
            short = (wanted - variances.clamp(min=_TINY).sqrt()).clamp(min=0).square().mean(0)
            loss = (weights * short).sum()
        else:
            # No length to ask for, which keypoints that turn with a body could not reach within a slice of
            # orientations: how far they move over the data, against how noisy they are.
            moved = own.var(0).sum(0).mean() + _NOISE_FLOOR
            loss = -(1 + self.early_weight * guesses) * torch.log(moved)
        if found.vectors.shape[-1]:
            arrows = found.vectors / length
            squared = arrows.square().mean(0) if equivariant else arrows.var(0)
            lengths = squared.sum(0).clamp(min=_TINY).sqrt()
            loss = loss + weights.max() * (self.spreads[0] - lengths).clamp(min=0).square().sum()
        if found.scalars.shape[-1]:
            spread = found.scalars.var(0).clamp(min=_TINY).sqrt()
            loss = loss + weights.max() * (1.0 - spread).clamp(min=0).square().mean()
        return loss


@dataclass(frozen=True)
class VICReg(EncoderLoss):
    """Variance, invariance and covariance, in the form that no element of the group changes.

    A hinge on the variance of each coordinate, as for plain networks, prefers the world's axes: it changes as the data
    turns. Over the data and all that the group makes of it vectors have mean zero and Σ_ij = E⟨v_i, v_j⟩/d · I, so the
    hinge is on √Σ_cc of each channel and the penalty on Σ_ij of two. Keypoints enter as their contrasts (Helmert's),
    which are vectors; scalars as they are. The baselines' latents are regularised coordinate by coordinate.

    Reference: Bardes et al., VICReg: Variance-Invariance-Covariance Regularization for self-supervised learning, ICLR
    2022, eq. 1–6.

    Attributes:
        invariance: weight λ of the distance between views.
        variance: weight μ of the hinge.
        covariance: weight ν of what channels have in common.
        spread: the standard deviation that the hinge asks of vectors, in units of the length scale; of scalars it asks
            1.
    """

    invariance: float = 25.0
    variance: float = 25.0
    covariance: float = 1.0
    spread: float = 0.2

    def __post_init__(self) -> None:
        settle_numbers(self, "invariance", "variance", "covariance", least=0.0)
        settle_numbers(self, "spread", above=0.0)

    def __call__(
        self,
        found: Features,
        guesses: Sequence[Tensor],
        length: float,
        equivariant: bool,
        rng: np.random.Generator | None = None,
        group: Group | None = None,
    ) -> Tensor:
        unit = length * self.spread
        own = found.points @ torch.as_tensor(helmert(found.points.shape[-1])[:, 1:]).to(found.points)
        arrows = torch.cat([own, found.vectors], -1) / unit
        places = torch.cat([found.points, found.vectors], -1) / unit
        apart = [part - part.mean(0) for part in (found.scalars, places)]
        distance = apart[0].square().sum(-1).mean() + apart[1].square().sum((-2, -1)).mean()
        channels = max(found.scalars.shape[-1] + arrows.shape[-1], 1)
        loss = self.invariance * distance / channels
        for scalars, vectors in zip(found.scalars, arrows, strict=True):
            parts = [_covariance(scalars)]
            if equivariant:
                turned = vectors.flatten(0, -3)
                parts.append(torch.einsum("ndi,ndj->ij", turned, turned) / (len(turned) * turned.shape[1]))
            else:
                parts.append(_covariance(vectors.flatten(-2)))
            for each in parts:
                size = max(len(each), 1)
                deviation = (each.diagonal().clamp(min=0) + 1e-4).sqrt()
                loss = loss + self.variance * (1.0 - deviation).clamp(min=0).sum() / size / len(found.scalars)
                shared = (each - torch.diag(each.diagonal())).square().sum()
                loss = loss + self.covariance * shared / size / len(found.scalars)
        return loss


ENCODER_LOSSES: dict[str, type[EncoderLoss]] = {
    "agreement": Agreement,
    "vicreg": VICReg,
    "sigreg": SIGReg,
    "block-sigreg": BlockSIGReg,
}


def _log_noise(found: Tensor, goal: Tensor, length: float) -> Tensor:
    """log of the mean square distance from a common goal: halving small noise counts as much as halving large."""
    return torch.log(((found - goal) / length).square().sum(-2).mean() + _NOISE_FLOOR)


def _covariance(numbers: Tensor) -> Tensor:
    """Of numbers `(N, m)` over N, `(m, m)`."""
    away = numbers - numbers.mean(0)
    return away.mT @ away / max(len(away) - 1, 1)
