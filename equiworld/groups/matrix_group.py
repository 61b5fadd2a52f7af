"""Groups of isometries as sets of matrices and translations, before there are elements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.groups.arrays import Array
from equiworld.groups.axis import Axis
from equiworld.groups.labels import Labels

__all__ = ["MatrixGroup", "checked_group"]

_TRIVIAL, _REFLECTION = Labels.trivial(), Labels.reflection()


class MatrixGroup(ABC):
    """A group of isometries x ↦ R x + t of R^d, told by its matrices.

    A family says how its matrices are drawn (`sample_matrices`), laid out evenly (`grid_matrices`), and,
    unless they are all of O(d) or SO(d), recognised (`holds_matrix`); `Group` makes elements of them.
    """

    dim: int
    proper: bool
    finite: bool
    order: int
    has_translations: bool
    shift_dim: int = 0
    stores_labels: bool = False
    axis: Axis | None = None

    @property
    def name(self) -> str:
        """What `group_from_name` reads: "SE2", "Cyclic(4)"."""
        return type(self).__name__

    def __repr__(self) -> str:
        return self.name if self.name.endswith(")") else f"{self.name}()"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MatrixGroup):
            return NotImplemented
        return type(self) is type(other) and self.name == other.name

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    @abstractmethod
    def sample_matrices(self, rng: np.random.Generator, n: int) -> Array:
        """n matrices drawn from the Haar measure of the rotational part, `(n, d, d)`."""

    @abstractmethod
    def grid_matrices(self, n: int) -> Array:
        """At most n matrices that cover the rotational part evenly, the identity first, `(≤n, d, d)`."""

    def near_matrices(self, rng: np.random.Generator, n: int, scale: float) -> Array:
        """n matrices within `scale` [rad] of the identity; in a discrete group that is the identity."""
        return np.tile(np.eye(self.dim), (n, 1, 1))

    def all_matrices(self) -> Array:
        """Of a finite group the matrices of all elements, the identity first, `(k, d, d)`."""
        return self.grid_matrices(self.order)

    def holds_matrix(self, matrix: Array, atol: float) -> bool:
        """Whether matrices already known to be orthogonal with an allowed determinant belong to the group."""
        return True

    def shifts(self, vectors: Array) -> Array:
        """The part of translations `(…, d)` that the group has."""
        return vectors if self.has_translations else 0.0 * vectors

    @property
    def labels(self) -> Labels:
        """The finite group that labels are moved by: whether it reflects; of a finite group the group itself."""
        return _TRIVIAL if self.proper else _REFLECTION

    def label_of(self, matrix: Array) -> NDArray[np.int64]:
        """The labels of matrices `(…, d, d)` of the group, `(…)`; where several have the same R, the first."""
        if self.proper:
            return np.zeros(matrix.shape[:-2], np.int64)
        return (np.linalg.det(matrix) < 0).astype(np.int64)

    def fits(self, label: NDArray[np.int64], matrix: Array) -> bool:
        """Whether each label goes with its matrix."""
        return True

    def embedded_labels(
        self, subgroup: MatrixGroup, matrix: Array, label: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Labels `(…)` of a subgroup, which go with matrices `(…, d, d)`, as labels of this group."""
        return self.label_of(matrix)

    def includes(self, other: MatrixGroup) -> bool:
        """Whether `other` is a subgroup of this group (as sets of isometries)."""
        return self._includes(checked_group("other", other))

    def _includes(self, other: MatrixGroup) -> bool:
        return self == other

    def joined(self, other: MatrixGroup) -> MatrixGroup | None:
        """The smallest group of its own family that holds both; None where it knows of none."""
        return None


def checked_group(argument: str, value: Any) -> MatrixGroup:
    """What has to be a group."""
    if not isinstance(value, MatrixGroup):
        raise ArgumentError(argument, value, "a group, such as SE2()")
    return value
