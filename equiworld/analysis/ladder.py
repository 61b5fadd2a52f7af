"""How much of a latent an objective cannot see: the dimensions of its gauge groups, counted and measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equiworld.arguments import reals
from equiworld.errors import ArgumentError
from equiworld.groups import Decomposition
from equiworld.groups.arrays import Array

__all__ = ["LadderStep", "gauge_ladder", "measured_gauge_dimension"]


@dataclass(frozen=True)
class LadderStep:
    """A group of isometries of the latent space that an objective cannot see.

    Attributes:
        name: of the group.
        dimension: of it.
        keeps: what an objective has to keep to leave that group.
    """

    name: str
    dimension: int
    keeps: str


def gauge_ladder(*decompositions: Decomposition) -> tuple[LadderStep, ...]:
    """O(n) ⊃ ∏ O(d_i m_i) ⊃ … ⊃ the isometries that commute: ∏ O(m_i), U(m_i) or Sp(m_i) by kind.

    Args:
        decompositions: of one space under larger and larger groups, such as SO(3) and then S_O × SO(3).

    >>> from equiworld.groups import SO3
    >>> from equiworld.symmetry import FeatureType
    >>> from equiworld.symmetry.latent_blocks import latent_blocks
    >>> kind = FeatureType(3, scalars=8, vectors=8)
    >>> steps = gauge_ladder(latent_blocks(kind, SO3()), latent_blocks(kind, SO3(), objects=4))
    >>> [step.dimension for step in steps]
    [496, 304, 184, 4]
    """
    if not decompositions or not all(isinstance(each, Decomposition) for each in decompositions):
        raise ArgumentError("decompositions", decompositions, "Decompositions, one or more")
    if len({each.size for each in decompositions}) > 1:
        raise ArgumentError("decompositions", [each.size for each in decompositions], "of one space")
    first, last = decompositions[0], decompositions[-1]
    steps = [LadderStep(f"O({sum(_sizes(first))})", first.whole_dimension, "lengths of whole latents")]
    for each in decompositions:
        name = " × ".join(f"O({size})" for size in _sizes(each))
        steps.append(LadderStep(name, each.block_dimension, "lengths in each isotypic block"))
    names = {"real": "O", "complex": "U", "quaternionic": "Sp"}
    name = " × ".join(f"{names[block.kind]}({block.multiplicity})" for block in last.blocks)
    steps.append(LadderStep(name, last.gauge_dimension, "the group's action itself"))
    return tuple(steps)


def measured_gauge_dimension(kept: ArrayLike, tolerance: float = 1e-6) -> int:
    """The dimension of the isometries that commute with some matrices, by linear algebra alone.

    It is that of their Lie algebra, the antisymmetric X with X K = K X for each K: the nullity of a linear map.

    Args:
        kept: `(k, n, n)`: generators of a group; projections on blocks; the matrix and the noise covariance of a
            linear latent dynamics.
        tolerance: singular values below, relative to the largest matrix's norm, are 0; above rounding, and where
            matrices were estimated above their error.

    >>> measured_gauge_dimension(np.diag([0.2] * 4 + [0.9] * 18)[None])  # O(4) × O(18)
    159
    """
    kept = reals("kept", kept)
    if kept.ndim != 3 or kept.shape[1] != kept.shape[2]:
        raise ArgumentError("kept", f"shape {kept.shape}", "(k, n, n)")
    rows, columns = np.triu_indices(kept.shape[1], 1)
    if not len(rows):
        return 0
    units = np.zeros((len(rows), *kept.shape[1:]))
    units[np.arange(len(rows)), rows, columns], units[np.arange(len(rows)), columns, rows] = 1.0, -1.0
    total = np.zeros((len(rows), len(rows)))
    for matrix in kept:
        apart = (units @ matrix - matrix @ units).reshape(len(rows), -1)
        total += apart @ apart.T
    squares = np.linalg.eigvalsh(total)  # of singular values, to the rounding of the largest of them
    rounding = len(squares) * np.finfo(np.float64).eps * squares[-1]
    norm = np.linalg.norm(kept, 2, axis=(1, 2)).max()
    return int((squares <= max((tolerance * norm) ** 2, rounding)).sum())


def _sizes(decomposition: Decomposition) -> Array:
    return np.array([block.basis.shape[1] for block in decomposition.blocks])
