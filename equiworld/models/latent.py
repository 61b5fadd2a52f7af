"""The latent family: a world model of what an encoder finds in an unordered cloud of points."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.models.canonical import CanonicalStateModel
from equiworld.models.cloud_layout import CloudLayout
from equiworld.models.registry import register_family
from equiworld.models.stage import Batch, Settings, Stage, Transitions, joined
from equiworld.models.state import StateModel
from equiworld.models.steerable import SteerableStateModel
from equiworld.models.world_model import WorldModel
from equiworld.nn import CloudEncoder
from equiworld.symmetry import Features, FeatureType, Symmetry

__all__ = ["LatentModel"]

_ENCODED_AT_ONCE = 128  # clouds: what the caches hold
_TARGET_MOMENTUM = 0.99
# Added to squared noise in units of the length scale: quieter than 0.03 % is quiet enough.
_NOISE_FLOOR = 1e-7
# Of the keypoints, wanted along their principal axes, in units of the length scale.
_SPREADS = (0.4, 0.28, 0.2)
# The first axis against collapse; the others less: of a body of revolution they can be had at the price of noise only,
# and keypoints shall rather stay on its axis.
_SPREAD_WEIGHTS = (100.0, 40.0, 40.0)
_EARLY_WEIGHT, _AGREEMENT_WEIGHT = 0.3, 0.01
_PASSES = 3  # random elements for each transition, where training is augmented


@register_family
class LatentModel(WorldModel):
    """Keypoints, vectors and scalars of a cloud, beside what else is observed, and how an action moves them.

    A `CloudEncoder` finds the latent; a state model predicts it, in a frame that the keypoints make. Trained in three
    stages: the encoder to find the same in different clouds of one instant, kept from collapsing by a hinge on how
    far the keypoints spread; the dynamics on encoded transitions; and both together, with the next latent from an
    average of past encoders as the target, as in joint-embedding prediction.

    What latents hold under which names, `latent` says: `keypoints` and `goal_keypoints` above all.

    Reference: Assran et al., Self-supervised learning from images with a joint-embedding predictive architecture,
    CVPR 2023, for the averaged target; Bardes et al., VICReg, ICLR 2022, for the hinge.

    Args:
        symmetry: of the environment; a state with one Cloud, a goal with one or none.
        env_id: the environment's id.
        seed: of the initial weights.
        keypoints: K, at least d + 1.
        vectors: further vectors that the encoder finds.
        scalars: likewise; only data of several bodies has some to find.
        width: of the encoder.
        refinements: of the encoder.
        cloud_points: points of the clouds trained on: two disjoint parts of a larger observed one.
        hidden: sizes of the dynamics' hidden layers. Under reflections, which frames do not know, the dynamics are
            those of `state-steerable` with its own sizes instead.
        periodic: sine features of the dynamics, likewise.
    """

    family = "latent"
    equivariant = True
    of_clouds = True
    centred: ClassVar[bool] = True

    def __init__(
        self,
        symmetry: Symmetry,
        env_id: str = "unregistered",
        seed: int = 0,
        keypoints: int = 4,
        vectors: int = 0,
        scalars: int = 0,
        width: int = 64,
        refinements: int = 2,
        cloud_points: int = 128,
        hidden: Sequence[int] = (128, 128, 128),
        periodic: int = 64,
    ) -> None:
        settings = {
            "seed": seed,
            "keypoints": keypoints,
            "vectors": vectors,
            "scalars": scalars,
            "width": width,
            "refinements": refinements,
            "cloud_points": cloud_points,
            "hidden": list(hidden),
            "periodic": periodic,
        }
        if cloud_points < 1:
            raise ArgumentError("cloud_points", cloud_points, "a positive integer")
        super().__init__(symmetry, env_id, settings)
        self.cloud_points = cloud_points
        self.kind = FeatureType(symmetry.dim, scalars, vectors, keypoints)
        self.layout = CloudLayout(symmetry, self.kind)
        generator = torch.Generator().manual_seed(seed)
        self.encoder = CloudEncoder(
            self.kind,
            self._group(),
            length=symmetry.length_scale,
            width=width,
            refinements=refinements,
            centred=self.centred,
            generator=generator,
        )
        self.target = copy.deepcopy(self.encoder).requires_grad_(False)
        self.dynamics = self._dynamics(env_id, seed, tuple(hidden), periodic)

    def _group(self) -> Group | None:
        """That the encoder commutes with."""
        return self.symmetry.group

    def _dynamics(self, env_id: str, seed: int, hidden: Sequence[int], periodic: int) -> StateModel:
        if not self.symmetry.group.proper:
            return SteerableStateModel(self.latent, env_id, seed)
        return CanonicalStateModel(self.latent, env_id, seed, hidden, periodic)

    @property
    def latent(self) -> Symmetry:
        return self.layout.latent

    def fits(self, symmetry: Symmetry) -> bool:
        return self.layout.fits(symmetry)

    def encode(self, obs: Any) -> Features:
        return self.encode_features(self.layout.features(obs, torch.float64))

    def encode_goal(self, obs: Any) -> Features:
        if not self.layout.has_goal:
            return super().encode_goal(obs)
        return self._encoded(self.layout.features(obs, torch.float64, goal=True), self.encoder, goal=True)

    def encode_features(self, observed: Features) -> Features:
        return self._encoded(observed, self.encoder)

    def predict(self, z: Features, action: Features | Tensor) -> Features:
        return self.dynamics.predict(z, action)

    def stepper(self) -> Callable[[Features, Features | Tensor], Features]:
        return self.dynamics.stepper()

    def loss(self, z: Features, action: Features, target: Features) -> Tensor:
        return self.dynamics.loss(z, action, target)

    def check_old_format(self) -> None:
        self.dynamics.check_old_format()

    # --- training ------------------------------------------------------------------------------------

    def stages(self, data: Transitions, settings: Settings) -> list[Stage]:
        both = [*self.encoder.parameters(), *self.dynamics.parameters()]

        def encoded(rng: np.random.Generator) -> Batch:
            latents = self._encoded_transitions(data.features(self.dtype), rng)
            self.dynamics.fit_scales(*(part.to(torch.float64) for part in latents))
            return latents

        clouds, rate = max(settings.batch_size // 16, 8), settings.learning_rate
        return [
            Stage(
                f"{self.family} encoder",
                settings.encoder_steps,
                clouds,
                0.2 * rate,
                list(self.encoder.parameters()),
                lambda rng: data.features(self.dtype)[:1],
                lambda batch, rng: self._agreement(batch[0], rng)[0],
                after_step=lambda: self._follow(0.0),
            ),
            Stage(
                f"{self.family} dynamics",
                settings.steps,
                settings.batch_size,
                rate,
                list(self.dynamics.parameters()),
                encoded,
                lambda batch, rng: self.loss(*batch),
                augmented=False,  # the observations were, before they were encoded
                held_out=lambda held_out, rng: self._encoded_transitions(held_out.features(self.dtype), rng),
            ),
            Stage(
                f"{self.family} encoder and dynamics",
                settings.joint_steps,
                clouds,
                0.02 * rate,
                both,
                lambda rng: data.features(self.dtype),
                self._joint_loss,
                after_step=lambda: self._follow(_TARGET_MOMENTUM),
            ),
        ]

    def _agreement(self, observed: Features, rng: np.random.Generator) -> tuple[Tensor, Features]:
        """How far the latents of two clouds of one instant are apart, and the first one's."""
        cloud = self.layout.split(observed)[0]
        pair = torch.stack(self._parts(cloud, rng, 2))
        found, guesses = self.encoder.rounds(pair)
        scale, goal = self.symmetry.length_scale, found.points.mean(0)
        loss = _log_noise(found.points, goal, scale)
        for guess in guesses:
            loss = loss + _EARLY_WEIGHT * _log_noise(guess, goal.detach(), scale)
        if self.kind.vectors:
            loss = loss + _log_noise(found.vectors, found.vectors.mean(0), scale)
        if self.kind.scalars:
            loss = loss + (found.scalars - found.scalars.mean(0)).square().mean()
        return loss + self._collapse(found[0]), found[0]

    def _collapse(self, found: Features) -> Tensor:
        """What keeps latents from collapsing to one: a hinge, 0 where they spread far enough.

        Over the batch and all that the group makes of it, which for an equivariant encoder is how far the keypoints
        of one cloud are spread. Keypoints of the baselines, which have no orbit, are to move far over the batch.
        """
        scale = self.symmetry.length_scale
        own = (found.points - found.points.mean(-1, keepdim=True)) / scale
        wanted, weights = (
            own.new_tensor(each[: self.symmetry.dim][::-1]) for each in (_SPREADS, _SPREAD_WEIGHTS)
        )
        if self.equivariant:
            variances = torch.linalg.eigvalsh(own @ own.transpose(-1, -2) / own.shape[-1])
            short = (wanted - variances.clamp(min=1e-8).sqrt()).clamp(min=0).square().mean(0)
            loss = (weights * short).sum()
        else:
            # No length to ask for, which keypoints that turn with a body could not reach within a slice of
            # orientations: how far they move over the data, against how noisy they are.
            moved = own.var(0).sum(0).mean() + _NOISE_FLOOR
            loss = -(1 + _EARLY_WEIGHT * (1 + len(self.encoder.corrections))) * torch.log(moved)
        if self.kind.vectors:
            arrows = found.vectors / scale
            squared = arrows.square().mean(0) if self.equivariant else arrows.var(0)
            lengths = squared.sum(0).clamp(min=1e-8).sqrt()
            loss = loss + weights.max() * (_SPREADS[0] - lengths).clamp(min=0).square().sum()
        if self.kind.scalars:
            spread = found.scalars.var(0).clamp(min=1e-8).sqrt()
            loss = loss + weights.max() * (1.0 - spread).clamp(min=0).square().mean()
        return loss

    def _joint_loss(self, batch: Batch, rng: np.random.Generator) -> Tensor:
        observed, action, following = batch
        agreement, found = self._agreement(observed, rng)
        z = self.layout.join(found, observed)
        with torch.no_grad():
            target = self._encoded(self._thinned(following, rng), self.target)
        return self.loss(z, action, target) + _AGREEMENT_WEIGHT * agreement

    @torch.no_grad()
    def _follow(self, momentum: float) -> None:
        """Move the target encoder towards the present one."""
        for slow, fast in zip(self.target.parameters(), self.encoder.parameters(), strict=True):
            slow.lerp_(fast, 1.0 - momentum)

    @torch.no_grad()
    def _encoded_transitions(self, parts: Batch, rng: np.random.Generator) -> Batch:
        """Latent transitions, from parts of the clouds; each under several random elements if augmented."""
        group, found = self.augmentation, list[Batch]()
        for _ in range(1 if group is None else _PASSES):
            for start in range(0, len(parts[0].scalars), _ENCODED_AT_ONCE):
                z, action, following = (part[start : start + _ENCODED_AT_ONCE] for part in parts)
                z, following = self._thinned(z, rng), self._thinned(following, rng)
                if group is not None:
                    g = group.sample(rng, len(z.scalars))
                    z, action, following = (part.transform(g) for part in (z, action, following))
                found.append((self.encode_features(z), action, self.encode_features(following)))
        return tuple(joined(column) for column in zip(*found, strict=True))

    def _encoded(self, observed: Features, encoder: CloudEncoder, goal: bool = False) -> Features:
        """The latent in the model's dtype; the encoder sees the cloud in that of what is observed.

        Best in float64: a cloud far from the scene's centre would else have lost its digits on the way to its own.
        """
        observed = observed.to(device=encoder.axes.device)
        found = encoder(self.layout.split(observed, goal)[0])
        return self.layout.join(found, observed, goal).to(self.dtype)

    def _thinned(self, observed: Features, rng: np.random.Generator) -> Features:
        """The observation with some points of its cloud."""
        return self.layout.with_cloud(observed, self._parts(self.layout.split(observed)[0], rng, 1)[0])

    def _parts(self, cloud: Tensor, rng: np.random.Generator, count: int) -> list[Tensor]:
        """Disjoint parts of a cloud `(…, d, N)`, of points drawn at random; a cloud of one point is all of them."""
        size = min(self.cloud_points, max(cloud.shape[-1] // 2, 1))
        drawn = rng.permutation(cloud.shape[-1])
        order = torch.from_numpy(np.resize(drawn, max(count * size, len(drawn))))
        return [cloud[..., order[index * size : (index + 1) * size]] for index in range(count)]


def _log_noise(found: Tensor, goal: Tensor, scale: float) -> Tensor:
    """log of the mean square distance from a common goal: halving small noise counts as much as halving large."""
    return torch.log(((found - goal) / scale).square().sum(-2).mean() + _NOISE_FLOOR)
