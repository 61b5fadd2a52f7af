"""How isotropic a latent is inside its blocks, and which of its channels are alive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equiworld.arguments import instance, reals
from equiworld.errors import ArgumentError
from equiworld.groups import Decomposition
from equiworld.groups.arrays import Array

__all__ = ["BlockIsotropy", "Isotropy", "isotropy"]

_ALIVE = 1e-3  # of the largest standard deviation of a block


@dataclass(frozen=True)
class BlockIsotropy:
    """One block.

    Attributes:
        name: of the block.
        deviations: `(m,)`, standard deviations of its independent copies over space, largest first: √ of the
            eigenvalues of B, which no change of channel labels alters.
        ratio: largest over smallest variance of the whitened copies along directions of the space in which the group
            acts; 1 is isotropic. None of a block in which there is one direction.
        rank: how many copies are alive.
    """

    name: str
    deviations: tuple[float, ...]
    ratio: float | None
    rank: int


@dataclass(frozen=True)
class Isotropy:
    """Of a sample.

    Attributes:
        defect: ‖Σ − P Σ‖ / ‖Σ‖ in the Frobenius norm, P the projection on what commutes with the group: 0 for a law
            that the group leaves alone. A sample of N has about √(n²/N) times that share by chance.
        blocks: one by one.
    """

    defect: float
    blocks: tuple[BlockIsotropy, ...]

    @property
    def rank(self) -> int:
        """Copies that are alive, of all blocks."""
        return sum(block.rank for block in self.blocks)


def isotropy(values: ArrayLike, decomposition: Decomposition) -> Isotropy:
    """How far second moments are from those of a law that the group leaves alone.

    Args:
        values: `(N, n)`.
        decomposition: of R^n.

    >>> from equiworld.groups import Block
    >>> plane = Decomposition((Block(np.eye(2), 2, np.eye(2)[None], name="vectors"),))
    >>> corners = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    >>> isotropy(corners, plane).defect, isotropy(corners * [2, 1], plane).blocks[0].ratio
    (0.0, 4.0)
    """
    instance("decomposition", decomposition, Decomposition)
    given = reals("values", values)
    if given.ndim != 2 or given.shape[1] != decomposition.size or len(given) < 2:
        raise ArgumentError("values", f"shape {given.shape}", f"(N, {decomposition.size}), N of 2 or more")
    inside = np.concatenate([block.basis for block in decomposition.blocks], axis=1)
    given = given @ inside @ inside.T
    for block in decomposition.blocks:
        if block.trivial:
            given = given - given.mean(0) @ block.basis @ block.basis.T
    moments = given.T @ given / len(given)
    apart = moments - decomposition.projected(moments)
    blocks = []
    for block in decomposition.blocks:
        m, d = block.multiplicity, block.dimension
        inner = (block.basis.T @ moments @ block.basis).reshape(m, d, m, d)
        values_of, vectors = np.linalg.eigh(np.einsum("aibi->ab", inner) / d)
        deviations = np.sqrt(np.clip(values_of, 0.0, None))[::-1]
        rank = int((deviations > _ALIVE * max(deviations[0], 1e-300)).sum())
        blocks.append(
            BlockIsotropy(
                block.name, tuple(deviations.tolist()), _ratio(inner, values_of, vectors, rank), rank
            )
        )
    scale = max(float(np.linalg.norm(moments)), 1e-300)
    return Isotropy(float(np.linalg.norm(apart)) / scale, tuple(blocks))


def _ratio(inner: Array, values: Array, vectors: Array, rank: int) -> float | None:
    if inner.shape[1] == 1 or not rank:
        return None
    root = vectors[:, -rank:] / np.sqrt(values[-rank:])
    spatial = np.einsum("aibj,ak,bk->ij", inner, root, root) / rank
    found = np.linalg.eigvalsh(spatial)
    return float(found[-1] / max(found[0], 1e-300))
