"""The finite groups of the plane: turns of a regular polygon, with and without its mirrors."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.groups.arguments import as_integers, checked_count
from equiworld.groups.element import Array, GroupElement
from equiworld.groups.group import Group
from equiworld.groups.permutation import Permutation
from equiworld.groups.rotations import fraction_matrix

__all__ = ["Cyclic", "Dihedral"]


class _Polygon(Group):
    """What the two groups of a regular polygon with n corners share."""

    dim = 2
    finite = True
    has_translations = False

    def __init__(self, n: int) -> None:
        self._n = checked_count(n)

    @property
    def n(self) -> int:
        """How many turns it has."""
        return self._n

    @property
    def name(self) -> str:
        """Such as "Cyclic(4)"."""
        return f"{type(self).__name__}({self.n})"

    @property
    def order(self) -> int:
        """How many elements it has."""
        return self.n if self.proper else 2 * self.n

    def turn(self, steps: ArrayLike) -> GroupElement:
        """The rotation by steps/n of a full turn, or a batch; quarter turns are exact.

        Args:
            steps: Whole numbers, `(…)`.
        """
        return GroupElement(self, *_still(fraction_matrix(as_integers("steps", steps), self.n)))

    def elements(self) -> GroupElement:
        """All elements, as one batch: the turns, then the mirrors."""
        return self.grid(self.order)

    def sample_matrices(self, rng: np.random.Generator, n: int) -> Array:
        """Every element equally likely."""
        return self.elements().matrix[rng.integers(self.order, size=n)]

    def grid_matrices(self, n: int) -> Array:
        """min(n, order) elements, evenly: turns, and where there are mirrors half of them (rounded down)."""
        count = min(n, self.order)
        if self.proper:
            return fraction_matrix(_spread(count, self.n), self.n)
        turns = fraction_matrix(_spread(count - count // 2, self.n), self.n)
        return np.concatenate([turns, _mirrors(_spread(count // 2, self.n), self.n)])

    def holds_matrix(self, matrix: Array, atol: float) -> bool:
        """Whether the angle is a whole number of steps: compared with the nearest element."""
        angle = np.arctan2(matrix[..., 1, 0], matrix[..., 0, 0])
        steps = np.round(angle * self.n / (2 * np.pi)).astype(np.int64)
        mirrored = np.linalg.det(matrix)[..., None, None] < 0
        nearest = np.where(mirrored, _mirrors(steps, self.n), fraction_matrix(steps, self.n))
        return bool((np.abs(matrix - nearest) <= atol).all())


class Cyclic(_Polygon):
    """The n turns of a regular polygon.

    >>> Cyclic(4).elements().act([1.0, 0.0])
    array([[ 1.,  0.],
           [ 0.,  1.],
           [-1.,  0.],
           [ 0., -1.]])
    """

    proper = True

    def includes(self, other: Group) -> bool:
        """Whether `other` is Cyclic(m) and m divides n."""
        return isinstance(other, Cyclic) and self.n % other.n == 0


class Dihedral(_Polygon):
    """The n turns and n mirrors of a regular polygon; the first axis is one of its mirrors.

    >>> Dihedral(4).order, Dihedral(4).mirror(1).act([1.0, 0.0])  # mirrors lie half a step apart: 0°, 45°, …
    (8, array([0., 1.]))
    """

    proper = False

    def mirror(self, steps: ArrayLike) -> GroupElement:
        """The reflection that keeps the line at the angle π·steps/n, or a batch.

        Args:
            steps: Whole numbers, `(…)`.
        """
        return GroupElement(self, *_still(_mirrors(as_integers("steps", steps), self.n)))

    def includes(self, other: Group) -> bool:
        """Whether `other` is Cyclic(m) or Dihedral(m) with m dividing n.

        Exchanging the two axes, Permutation(2), is a mirror of Dihedral(4)."""
        if isinstance(other, Permutation):
            return other.dim == 2 and self.n % 4 == 0
        return isinstance(other, _Polygon) and self.n % other.n == 0


def smallest_polygon(first: Group, second: Group) -> Group | None:
    """The smallest Cyclic or Dihedral group that includes both; None where there is none."""
    turns = []
    for group in (first, second):
        if isinstance(group, _Polygon):
            turns.append(group.n)
        elif isinstance(group, Permutation) and group.dim == 2:
            turns.append(4)
        else:
            return None
    return (Cyclic if first.proper and second.proper else Dihedral)(math.lcm(*turns))


def _mirrors(steps: NDArray[np.int64], n: int) -> Array:
    """First mirror across the first axis, then turn: the line at half the angle stays."""
    return fraction_matrix(steps, n) * np.array([1.0, -1.0]) + 0.0  # + 0 makes −0 plain


def _spread(count: int, n: int) -> NDArray[np.int64]:
    """`count` of 0 … n−1, evenly."""
    return np.arange(count, dtype=np.int64) * n // max(count, 1)


def _still(matrix: Array) -> tuple[Array, Array]:
    return matrix, np.zeros(matrix.shape[:-1])
