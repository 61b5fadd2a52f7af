"""Turns of a regular polygon, with and without its mirrors: in the plane, or about an axis in space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.groups.arguments import as_integers, checked_count
from equiworld.groups.arrays import Array
from equiworld.groups.axis import Axis
from equiworld.groups.element import GroupElement
from equiworld.groups.group import Group
from equiworld.groups.labels import Labels
from equiworld.groups.matrix_group import MatrixGroup
from equiworld.groups.membership import VALIDATION_TOLERANCE
from equiworld.groups.permutation import Permutation
from equiworld.groups.rotations import fraction_matrix

__all__ = ["Cyclic", "Dihedral"]


class _Polygon(Group):
    """What the two groups of a regular polygon with n corners share.

    Args:
        n: corners.
        axis: the direction of space that it keeps, `(3,)`; None for the plane itself.
    """

    finite = True
    has_translations = False

    def __init__(self, n: int, axis: Sequence[float] | Array | None = None) -> None:
        self._n = checked_count(n)
        self.axis = None if axis is None else Axis(axis)

    @property
    def dim(self) -> int:  # type: ignore[override]
        """2; 3 about an axis."""
        return 2 if self.axis is None else 3

    @property
    def n(self) -> int:
        """How many turns it has."""
        return self._n

    @property
    def name(self) -> str:
        """Such as "Cyclic(4)", or "Cyclic(4, axis=(0.0, 0.0, 1.0))"."""
        about = "" if self.axis is None else f", axis={self.axis.direction}"
        return f"{type(self).__name__}({self.n}{about})"

    @property
    def order(self) -> int:  # type: ignore[override]
        """How many elements it has."""
        return self.n if self.proper else 2 * self.n

    def turn(self, steps: ArrayLike) -> GroupElement:
        """The rotation by steps/n of a full turn, or a batch; quarter turns are exact.

        Args:
            steps: Whole numbers, `(…)`.
        """
        return self._without_translation(fraction_matrix(as_integers("steps", steps), self.n))

    def sample_matrices(self, rng: np.random.Generator, n: int) -> Array:
        """Every element equally likely."""
        return self.elements().matrix[rng.integers(self.order, size=n)]

    def grid_matrices(self, n: int) -> Array:
        """min(n, order) elements, evenly: turns, and where there are mirrors half of them (rounded down)."""
        count = min(n, self.order)
        mirrored = 0 if self.proper else count // 2
        matrices = fraction_matrix(_spread(count - mirrored, self.n), self.n)
        if mirrored:
            matrices = np.concatenate([matrices, _mirrors(_spread(mirrored, self.n), self.n)])
        return matrices if self.axis is None else self.axis.matrices(matrices)

    def holds_matrix(self, matrix: Array, atol: float) -> bool:
        """Whether the angle is a whole number of steps: compared with the nearest element."""
        if self.axis is not None and not self.axis.kept_by(matrix, atol):
            return False
        plane, steps, mirrored = self._nearest(matrix)
        known = _mirrors(steps, self.n) if not self.proper else fraction_matrix(steps, self.n)
        nearest = np.where(mirrored[..., None, None], known, fraction_matrix(steps, self.n))
        return bool((np.abs(plane - nearest) <= atol).all())

    def _nearest(self, matrix: Array) -> tuple[Array, NDArray[np.int64], NDArray[np.bool_]]:
        """What matrices do to the plane, the nearest number of steps, and whether they reflect."""
        plane = matrix if self.axis is None else self.axis.plane(matrix)
        angle = np.arctan2(plane[..., 1, 0], plane[..., 0, 0])
        return plane, np.round(angle * self.n / (2 * np.pi)).astype(np.int64), np.linalg.det(plane) < 0

    @property
    def labels(self) -> Labels:
        """The group itself: turns, then mirrors."""
        return _polygon_labels(self)

    def label_of(self, matrix: Array) -> NDArray[np.int64]:
        """The places of matrices `(…, d, d)` among `elements`, `(…)`."""
        _, steps, mirrored = self._nearest(matrix)
        return steps % self.n + self.n * mirrored

    def section(self) -> GroupElement:
        """All elements."""
        return self.elements()

    def rotations(self) -> Group:
        """The turns."""
        return Cyclic(self.n, self._direction)

    def joined(self, other: MatrixGroup) -> Group | None:
        """The smallest Cyclic or Dihedral group that holds both, about the same axis; None where there is none."""
        turns = (
            other.n if isinstance(other, _Polygon) else 4
        )  # exchanging two axes is a mirror of Dihedral(4)
        alike = isinstance(other, _Polygon) and other._direction == self._direction
        if not alike and not (isinstance(other, Permutation) and self.dim == other.dim):
            return None
        return (Cyclic if self.proper and other.proper else Dihedral)(
            math.lcm(self.n, turns), self._direction
        )

    @property
    def _direction(self) -> tuple[float, ...] | None:
        return None if self.axis is None else self.axis.direction

    def kernel(self) -> Group:
        """The identity alone."""
        return Cyclic(1, self._direction)

    def _includes(self, other: MatrixGroup) -> bool:
        """Whether every element of another finite group is one of its own."""
        if other.dim != self.dim or not other.finite or other.stores_labels:
            return False
        return self.holds_matrix(other.all_matrices(), VALIDATION_TOLERANCE) and (
            other.proper or not self.proper
        )

    def _without_translation(self, plane: Array) -> GroupElement:
        matrix = plane if self.axis is None else self.axis.matrices(plane)
        return GroupElement(self, matrix, np.zeros(matrix.shape[:-1]))


class Cyclic(_Polygon):
    """The n turns of a regular polygon.

    >>> Cyclic(4).elements().act([1.0, 0.0])
    array([[ 1.,  0.],
           [ 0.,  1.],
           [-1.,  0.],
           [ 0., -1.]])
    """

    proper = True


class Dihedral(_Polygon):
    """The n turns and n mirrors of a regular polygon; the first axis is one of its mirrors.

    Exchanging the two axes, Permutation(2), is a mirror of Dihedral(4).

    >>> Dihedral(4).order, Dihedral(4).mirror(1).act([1.0, 0.0])  # mirrors lie half a step apart: 0°, 45°, …
    (8, array([0., 1.]))
    """

    proper = False

    def mirror(self, steps: ArrayLike) -> GroupElement:
        """The reflection that keeps the line at the angle π·steps/n, or a batch.

        Args:
            steps: Whole numbers, `(…)`.
        """
        return self._without_translation(_mirrors(as_integers("steps", steps), self.n))


@lru_cache(maxsize=64)
def _polygon_labels(group: _Polygon) -> Labels:
    generators = [("turn", 1)] if group.n > 1 else []
    if not group.proper:
        generators.append(("mirror", group.n))
    matrices = group.grid_matrices(group.order)
    return Labels.of_matrices(matrices, generators, np.linalg.det(matrices), {"body": matrices})


def _mirrors(steps: NDArray[np.int64], n: int) -> Array:
    """First mirror across the first axis, then turn: the line at half the angle stays."""
    return fraction_matrix(steps, n) * np.array([1.0, -1.0]) + 0.0  # + 0 makes −0 plain


def _spread(count: int, n: int) -> NDArray[np.int64]:
    """`count` of 0 … n−1, evenly."""
    return np.arange(count, dtype=np.int64) * n // max(count, 1)
