"""Regularisers that ask a latent's law to be normal: standard normal, or any normal law that the group leaves alone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from equiworld.groups import SO2, SO3, Block, Decomposition, Group
from equiworld.nn.normality import EppsPulley, block_projections, directions, over_ranks
from equiworld.settings import settle_integers, settle_numbers
from equiworld.symmetry import Features
from equiworld.symmetry.latent_blocks import latent_blocks
from equiworld.training.encoder_loss import EncoderLoss

__all__ = ["BlockSIGReg", "SIGReg"]

_JITTER = 1e-5  # of the mean variance of a block, in whose place a channel without any would make no Cholesky factor


@dataclass(frozen=True)
class _Normal(EncoderLoss):
    """Settings and steps that the two share.

    Attributes:
        weight: λ of the regulariser; the distance between views has 1 − λ.
        directions: random ones, drawn anew at each step; of each block and across blocks for `BlockSIGReg`.
        knots: of the statistic's quadrature.
        upto: the largest frequency of the quadrature.
        spread: the standard deviation of vectors that counts as 1, in units of the length scale; of scalars it is 1.
        objects: how many interchangeable objects share the latent's channels, those of one after those of another.
    """

    weight: float = 0.05
    directions: int = 256
    knots: int = 17
    upto: float = 3.0
    spread: float = 0.2
    objects: int = 1

    def __post_init__(self) -> None:
        settle_numbers(self, "weight", least=0.0, most=1.0)
        settle_integers(self, "directions", "objects", least=1)
        settle_numbers(self, "spread", above=0.0)
        EppsPulley(self.knots, self.upto)

    @abstractmethod
    def statistic(self, values: Tensor, decomposition: Decomposition, rng: np.random.Generator) -> Tensor:
        """The regulariser of a sample `(N, n)`.

        Args:
            values: flattened latents, lengths in units of `spread`.
            decomposition: of R^n under the group.
            rng: that draws the directions; on all ranks the same.
        """

    @property
    def test(self) -> EppsPulley:
        """Of one direction."""
        return EppsPulley(self.knots, self.upto)

    def __call__(
        self,
        found: Features,
        guesses: Sequence[Tensor],
        length: float,
        equivariant: bool,
        rng: np.random.Generator | None = None,
        group: Group | None = None,
    ) -> Tensor:
        rng = np.random.default_rng(0) if rng is None else rng
        group = (SO2() if found.type.dim == 2 else SO3()) if group is None else group
        unit = length * self.spread
        seen = Features(found.scalars, found.vectors / unit, found.points / unit)
        decomposition = latent_blocks(seen.type, _of_space(group), self.objects)
        apart = (seen.flatten() - seen.flatten().mean(0)).square().sum(-1).mean() / max(seen.type.size, 1)
        loss = (1 - self.weight) * apart
        for index in range(len(found.scalars)):
            view = seen[index]
            if equivariant:  # the law over the data and all that the group makes of it
                turns = group.sample_matrices(rng, len(view.scalars))
                view = view.moved(torch.as_tensor(turns, dtype=view.dtype, device=view.device))
            value = self.statistic(view.flatten(), decomposition, rng)
            loss = loss + self.weight * value / len(found.scalars)
        return loss


@dataclass(frozen=True)
class SIGReg(_Normal):
    """Sketched isotropic Gaussian regularisation: the latent's law is to be standard normal, along random directions.

    It prefers one law out of all that a group leaves alone: the same variance for every channel, scalars and vectors
    alike, and no correlation between channels. `BlockSIGReg` leaves these free.

    Reference: Balestriero and LeCun, LeJEPA: Provable and Scalable Self-Supervised Learning Without the Heuristics,
    arXiv 2511.08544.

    >>> from equiworld.groups import SO3
    >>> from equiworld.symmetry import FeatureType
    >>> blocks, rng = latent_blocks(FeatureType(3, 4, 6), SO3()), np.random.default_rng(0)
    >>> x = torch.as_tensor(rng.normal(size=(500, 22)))
    >>> bool(SIGReg().statistic(x, blocks, rng) < 1.5 * SIGReg().test.floor)
    True
    """

    def statistic(self, values: Tensor, decomposition: Decomposition, rng: np.random.Generator) -> Tensor:
        columns = np.concatenate([block.basis for block in decomposition.blocks], axis=1)
        along = columns @ directions(columns.shape[1], self.directions, rng)
        return self.test(values @ torch.as_tensor(along, dtype=values.dtype, device=values.device)).mean()


@dataclass(frozen=True)
class BlockSIGReg(_Normal):
    """The latent's law is to be any normal law that the group leaves alone: Σ = ⊕ B_i ⊗ 1, B_i whatever it is.

    Each block's sample is whitened by its own B_i, which the statistic so does not see, and compared with the standard
    normal law along directions of the block, along directions of the space in which the group acts, and along
    directions across blocks (see `block_directions`, `whitened`). What it does not see it cannot keep from collapsing:
    a hinge on the eigenvalues of each B_i does. With `objects`, blocks are those of S_O × G.

    A law that is kept by the group and not normal, such as vectors of one length, is pushed towards normality too:
    `equiworld.analysis.invariance_test` asks for the symmetry alone.

    Attributes:
        hinge: weight of Σ max(0, 1 − σ)², σ² the eigenvalues of each B_i in units of `spread`.

    >>> from equiworld.groups import SO3
    >>> from equiworld.symmetry import FeatureType
    >>> blocks, rng = latent_blocks(FeatureType(3, 4, 6), SO3()), np.random.default_rng(0)
    >>> x = torch.as_tensor(rng.normal(size=(500, 22)) * np.repeat([1.0, 2.0, 3.0, 9.0], [4, 6, 6, 6]))
    >>> loss = BlockSIGReg()
    >>> bool(loss.statistic(x, blocks, rng) < 1.5 * loss.test.floor < SIGReg().statistic(x, blocks, rng))
    True
    """

    hinge: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        settle_numbers(self, "hinge", least=0.0)

    def statistic(self, values: Tensor, decomposition: Decomposition, rng: np.random.Generator) -> Tensor:
        parts = block_projections(values, decomposition, self.directions, rng, _JITTER)
        found = torch.stack([self.test(part).mean() for part in parts.values()]).mean()
        if not self.hinge:
            return found
        short = [(1 - spreads(values, block)).clamp(min=0).square().sum() for block in decomposition.blocks]
        return found + self.hinge * torch.stack(short).sum()


def spreads(values: Tensor, block: Block) -> Tensor:
    """Roots `(m,)` of the eigenvalues of B: standard deviations of a block's independent copies, over space."""
    basis = torch.as_tensor(block.basis, dtype=values.dtype, device=values.device)
    count = over_ranks(values.new_tensor(float(len(values))))
    inner = values @ basis
    if block.trivial:
        inner = inner - over_ranks(inner.sum(0)) / count
    rows = inner.unflatten(-1, (block.multiplicity, block.dimension)).transpose(1, 2)
    rows = rows.reshape(-1, block.multiplicity)
    moments = over_ranks(rows.mT @ rows) / (count * block.dimension)
    return torch.linalg.eigvalsh(moments).clamp(min=1e-12).sqrt()


def _of_space(group: Group) -> Group:
    """What moves space, of a group that moves labels too."""
    return getattr(group, "space", group)
