"""Isometries of space beside what moves labels: bodies exchanged, a body turned against its own axes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.arguments import flag
from equiworld.errors import ArgumentError
from equiworld.groups.arrays import Array
from equiworld.groups.continuous import ContinuousGroup
from equiworld.groups.element import GroupElement
from equiworld.groups.group import Group
from equiworld.groups.labels import Labels
from equiworld.groups.matrix_group import MatrixGroup

__all__ = ["Product"]


class Product(Group):
    """Pairs of an element that moves space and one of a finite group that moves labels only.

    Args:
        space: that moves points and vectors.
        moving: the finite group that moves labels: `Permutation(n)` for n interchangeable bodies; `Dihedral(4,
            axis=…)` or other isometries of a body, for joints that take each other's place.
        paired: whether a pair reflects space where it reflects the body, and only there; else all pairs are in it.

    >>> from equiworld.groups import SE2, Permutation
    >>> group = Product(SE2(), Permutation(2))
    >>> group.labels.order, dict(group.labels.generators)
    (2, {'exchange': 1})
    """

    def __init__(self, space: Group, moving: Group, paired: bool = False) -> None:
        for name, group in (("space", space), ("moving", moving)):
            if not isinstance(group, Group) or group.stores_labels:
                raise ArgumentError(name, group, "a group, such as SE2(), that is no product itself")
        if not moving.finite or moving.has_translations:
            raise ArgumentError("moving", moving, "a finite group, such as Permutation(2) or Dihedral(4)")
        paired = flag("paired", paired)
        if paired and space.proper != moving.proper:
            raise ArgumentError(
                "paired", f"{space!r} with {moving!r}", "both with reflections, or both without"
            )
        self.space, self.moving, self.paired = space, moving, paired
        self.finite, self.has_translations = space.finite, space.has_translations
        self.shift_dim, self.axis, self.stores_labels = space.shift_dim, space.axis, True
        self._labels, self._pairs = Labels.joined(space.labels, moving.labels, self.paired)
        if self.finite:
            self.order = self._labels.order

    @property
    def dim(self) -> int:  # type: ignore[override]
        """That of the space."""
        return self.space.dim

    @property
    def proper(self) -> bool:  # type: ignore[override]
        """Whether space is never reflected."""
        return self.space.proper

    @property
    def name(self) -> str:
        """Such as "Product(SE2(), Permutation(2))"."""
        return f"Product({self.space!r}, {self.moving!r}{', paired=True' if self.paired else ''})"

    @property
    def labels(self) -> Labels:
        """Pairs of labels."""
        return self._labels

    def label_of(self, matrix: Array) -> NDArray[np.int64]:
        """Of matrices `(…, d, d)` the first label that goes with each."""
        first = np.array(
            [int(np.argmax(self._pairs[:, 0] == index)) for index in range(self.space.labels.order)]
        )
        return first[self.space.label_of(matrix)]

    def fits(self, label: NDArray[np.int64], matrix: Array) -> bool:
        """Whether each label goes with its matrix."""
        return bool((self._pairs[label, 0] == self.space.label_of(matrix)).all())

    def section(self) -> GroupElement:
        """One element for each of `labels`."""
        found = self.space.section()[self._pairs[:, 0]]
        return GroupElement(self, found.matrix, found.translation, np.arange(self._labels.order))

    def kernel(self) -> Group:
        """That of the space."""
        return self.space.kernel()

    def exp(self, algebra: ArrayLike) -> GroupElement:
        """That of the space, which has to be continuous; labels stay."""
        return self._continuous.exp(algebra).within(self)

    def log(self, element: GroupElement) -> Array:
        """That of the space, of an element that moves no labels.

        Raises:
            ArgumentError: Not in the group, or no path joins it to the identity.
        """
        space = self._continuous
        if not self.contains(element):
            raise ArgumentError("element", element, f"an element of {self!r}")
        if element.label.any():
            raise ArgumentError(
                "element", "moved labels", "an element that moves none: no path joins others to it"
            )
        return space.log(GroupElement(space, element.matrix, element.translation))

    @property
    def _continuous(self) -> ContinuousGroup:
        if not isinstance(self.space, ContinuousGroup):
            raise ArgumentError(
                "group", self, "a continuous group of space, such as SO2(), for it has an exponential"
            )
        return self.space

    def shifts(self, vectors: Array) -> Array:
        """As the space's."""
        return self.space.shifts(vectors)

    def sample_matrices(self, rng: np.random.Generator, n: int) -> Array:
        """As the space's."""
        return self.space.sample_matrices(rng, n)

    def near_matrices(self, rng: np.random.Generator, n: int, scale: float) -> Array:
        """As the space's."""
        return self.space.near_matrices(rng, n, scale)

    def _grid(self, n: int) -> GroupElement:
        """Elements that cover space evenly, with labels in turn, the identity first."""
        if self.finite:
            count = min(n, self._labels.order)
            return self.section()[np.arange(count) * self._labels.order // count]
        found = self.space.grid(n)
        return GroupElement(
            self, found.matrix, found.translation, self._cycled_labels(self.space.label_of(found.matrix))
        )

    def grid_matrices(self, n: int) -> Array:
        """The matrices of `grid(n)`."""
        return self.grid(n).matrix

    def holds_matrix(self, matrix: Array, atol: float) -> bool:
        """As the space's."""
        return self.space.holds_matrix(matrix, atol)

    def _includes(self, other: MatrixGroup) -> bool:
        """Whether `other` is this group, or a subgroup of what moves the space."""
        if self == other:
            return True
        if other.stores_labels or not self.space.includes(other):
            return False
        mirror = int(self.label_of(self.space.section().matrix)[-1])
        return not self.paired or other.proper or int(self._labels.table[mirror, mirror]) == 0

    def _sample(self, rng: np.random.Generator, n: int) -> tuple[Array, NDArray[np.int64] | None]:
        matrix = self.sample_matrices(rng, n)
        choices = self._fitting(self.space.label_of(matrix))
        return matrix, choices[np.arange(n), rng.integers(choices.shape[1], size=n)]

    def _fitting(self, first: NDArray[np.int64]) -> NDArray[np.int64]:
        """For labels `(n,)` of the space those of the pairs that hold them, `(n, m)`."""
        every = [np.flatnonzero(self._pairs[:, 0] == index) for index in range(self.space.labels.order)]
        return np.stack(every)[first]

    def _cycled_labels(self, first: NDArray[np.int64]) -> NDArray[np.int64]:
        choices = self._fitting(first)
        return choices[np.arange(len(first)), np.arange(len(first)) % choices.shape[1]]
