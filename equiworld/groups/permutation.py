"""The orders of n things, as permutation matrices."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.errors import ArgumentError
from equiworld.groups.arguments import as_integers, checked_count
from equiworld.groups.arrays import Array
from equiworld.groups.element import GroupElement
from equiworld.groups.group import Group
from equiworld.groups.labels import MOST_LABELS, Labels

__all__ = ["Permutation"]

_MOST_LISTED = 8
"""8! = 40,320 matrices are still a list; 9! are not."""


class Permutation(Group):
    """The n! orders of n slots, as n×n matrices that permute the axes of R^n.

    >>> shift = Permutation(3).permutation([1, 2, 0])  # slot 0 goes to 1, 1 to 2, 2 to 0
    >>> shift.act([10.0, 20.0, 30.0])
    array([30., 10., 20.])
    """

    finite = True
    has_translations = False

    def __init__(self, n: int) -> None:
        self._n = checked_count(n)

    @property
    def n(self) -> int:
        """How many slots it permutes."""
        return self._n

    @property
    def dim(self) -> int:  # type: ignore[override]
        """One axis a slot."""
        return self._n

    @property
    def proper(self) -> bool:  # type: ignore[override]
        """Two slots can be exchanged, which is a reflection."""
        return self._n == 1

    @property
    def name(self) -> str:
        """Such as "Permutation(3)"."""
        return f"Permutation({self.n})"

    @property
    def order(self) -> int:  # type: ignore[override]
        """How many elements it has: n!."""
        return math.factorial(self.n)

    def permutation(self, images: ArrayLike) -> GroupElement:
        """The permutation that sends slot j to slot images[j], or a batch.

        Args:
            images: Each of 0 … n−1 once, `(…, n)`.
        """
        array = as_integers("images", images)
        slots = np.arange(self.n)
        if array.shape[-1:] != (self.n,) or (np.sort(array, axis=-1) != slots).any():
            raise ArgumentError("images", images, f"each of 0 … {self.n - 1} once, shape (…, {self.n})")
        return self._from_images(array)

    def elements(self) -> GroupElement:
        """All n! elements, in lexicographic order of the images.

        Raises:
            ArgumentError: There are too many to list (n > 8).
        """
        if self.n > _MOST_LISTED:
            raise ArgumentError("n", self.n, f"at most {_MOST_LISTED} to list all; use sample or grid")
        return self.grid(self.order)

    def sample_matrices(self, rng: np.random.Generator, n: int) -> Array:
        """Every order equally likely."""
        return self._from_images(rng.permuted(np.tile(np.arange(self.n), (n, 1)), axis=1)).matrix

    def grid_matrices(self, n: int) -> Array:
        """min(n, n!) orders, evenly spaced in lexicographic order."""
        count = min(n, self.order)
        ranks = [index * self.order // count for index in range(count)]
        return self._from_images(np.array([self._unrank(rank) for rank in ranks])).matrix

    def holds_matrix(self, matrix: Array, atol: float) -> bool:
        """Whether every entry is 0 or 1; orthogonality does the rest."""
        return bool((np.minimum(np.abs(matrix), np.abs(matrix - 1)) <= atol).all())

    @property
    def labels(self) -> Labels:
        """The group itself, in lexicographic order; of at most 6 slots."""
        return _permutation_labels(self)

    def label_of(self, matrix: Array) -> NDArray[np.int64]:
        """The ranks of matrices `(…, n, n)`, `(…)`."""
        images = matrix.argmax(axis=-2)
        rank = np.zeros(images.shape[:-1], np.int64)
        for slot in range(self.n):
            smaller = (images[..., slot + 1 :] < images[..., slot, None]).sum(axis=-1)
            rank += smaller * math.factorial(self.n - 1 - slot)
        return rank

    def section(self) -> GroupElement:
        """All elements."""
        return self.elements()

    def kernel(self) -> Group:
        """The identity alone."""
        raise ArgumentError("group", self, "a group of the plane or of space: it moves no space, only slots")

    def _from_images(self, images: NDArray[np.int64]) -> GroupElement:
        # Column j has its 1 in row images[j].
        matrix = (images[..., None, :] == np.arange(self.n)[:, None]).astype(np.float64)
        return GroupElement(self, matrix, np.zeros(images.shape))

    def _unrank(self, rank: int) -> list[int]:
        """The images of the permutation at this place of the lexicographic order."""
        left, images = list(range(self.n)), []
        for size in range(self.n, 0, -1):
            place, rank = divmod(rank, math.factorial(size - 1))
            images.append(left.pop(place))
        return images


@lru_cache(maxsize=8)
def _permutation_labels(group: Permutation) -> Labels:
    matrices = (
        group.grid_matrices(group.order) if group.order <= MOST_LABELS else np.zeros((group.order, 0, 0))
    )
    generators = []
    if group.n > 1:
        exchange = group.permutation([1, 0, *range(2, group.n)])
        generators.append(("exchange", int(group.label_of(exchange.matrix))))
    if group.n > 2:
        cycle = group.permutation([*range(1, group.n), 0])
        generators.append(("cycle", int(group.label_of(cycle.matrix))))
    return Labels.of_matrices(matrices, generators, np.linalg.det(matrices), {group.name: matrices})
