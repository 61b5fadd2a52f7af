"""Finite groups as tables: what moves joints, bodies and other labelled things while space is moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.groups.arrays import Array

__all__ = ["MOST_LABELS", "Labels"]

MOST_LABELS = 1000
"""Elements that a table may have."""

_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Labels:
    """The finite quotient H of a group of isometries, by which labels are moved: joints, marks, whole bodies.

    Every group maps onto one, g ↦ label(g), with label(g h) = label(g) label(h). Of a group without reflections and
    of infinitely many elements it is trivial; with reflections it says whether g reflects; of a finite group it is the
    group itself.

    Attributes:
        table: `(k, k)`, the index of a·b; element 0 is the identity.
        generators: name and index of the elements that give all others, in the order in which representations list
            their matrices.
        determinants: `(k,)`, ±1, of the isometry of space that goes with each.
        natural: `(k, m, m)` matrices that come with the group, by name: "body", what it does to a body's own axes, and
            "Permutation(n)".

    >>> from equiworld.groups import Dihedral
    >>> labels = Dihedral(4).labels
    >>> labels.order, dict(labels.generators)
    (8, {'turn': 1, 'mirror': 4})
    """

    table: NDArray[np.int64]
    generators: tuple[tuple[str, int], ...]
    determinants: NDArray[np.int64]
    natural: Mapping[str, Array] = field(default_factory=dict)

    @property
    def order(self) -> int:
        """How many elements it has."""
        return len(self.table)

    @property
    def inverses(self) -> NDArray[np.int64]:
        """`(k,)`, the index of each element's inverse."""
        return np.argmin(self.table, axis=1)  # the identity, 0, stands once in every row

    def extend(self, argument: str, images: Sequence[Array]) -> Array:
        """The matrices `(k, m, m)` of all elements, from those of the generators.

        Args:
            argument: what to call the images in an error.
            images: `(m, m)` for each generator, in their order.

        Raises:
            ArgumentError: another number of images, or they are no representation: ρ(a b) ≠ ρ(a) ρ(b).
        """
        names = [name for name, _ in self.generators]
        if len(images) != len(names):
            raise ArgumentError(
                argument, f"{len(images)} of them", f"one for each generator of the group: {names}"
            )
        given = [np.asarray(image, np.float64) for image in images]
        size = len(given[0]) if given else 1
        found: dict[int, Array] = {0: np.eye(size)}
        queue = [0]
        while queue:
            element = queue.pop(0)
            for (_, generator), image in zip(self.generators, given, strict=True):
                product = int(self.table[generator, element])
                if product not in found:
                    found[product] = image @ found[element]
                    queue.append(product)
        matrices = np.stack([found[index] for index in range(self.order)])
        for (name, generator), image in zip(self.generators, given, strict=True):
            error = np.abs(image @ matrices - matrices[self.table[generator]]).max(initial=0.0)
            if not error <= _TOLERANCE:
                raise ArgumentError(
                    argument,
                    f"images under which ρ({name}·h) and ρ({name})·ρ(h) differ by {error:.3g}",
                    "a representation: the relations of the group hold for the images of its generators",
                )
        return np.round(matrices) if (np.abs(matrices - np.round(matrices)) < _TOLERANCE).all() else matrices

    @staticmethod
    def trivial() -> Labels:
        """The group of one element."""
        return Labels(np.zeros((1, 1), np.int64), (), np.ones(1, np.int64))

    @staticmethod
    def reflection() -> Labels:
        """The group of two elements: kept, reflected."""
        return Labels(np.array([[0, 1], [1, 0]]), (("reflection", 1),), np.array([1, -1]))

    @staticmethod
    def of_matrices(
        matrices: Array,
        generators: Sequence[tuple[str, int]],
        determinants: Array,
        natural: Mapping[str, Array],
    ) -> Labels:
        """The table of distinct matrices `(k, m, m)` that are closed under multiplication, the identity first."""
        count = len(matrices)
        if count > MOST_LABELS:
            raise ArgumentError("group", f"{count} elements", f"at most {MOST_LABELS} to be listed")
        index = {key: place for place, key in enumerate(matrix_keys(matrices))}
        table = [[index[key] for key in matrix_keys(matrix @ matrices)] for matrix in matrices]
        signs = np.sign(np.asarray(determinants)).astype(np.int64)
        return Labels(np.array(table), tuple(generators), signs, dict(natural))

    @staticmethod
    def joined(first: Labels, second: Labels, paired: bool) -> tuple[Labels, NDArray[np.int64]]:
        """Both side by side, and the pairs `(k, 2)` of their indices; with `paired` those of equal determinant only."""
        pairs = np.stack(np.meshgrid(np.arange(first.order), np.arange(second.order), indexing="ij"), -1)
        pairs = pairs.reshape(-1, 2)
        if paired:
            pairs = pairs[first.determinants[pairs[:, 0]] == second.determinants[pairs[:, 1]]]
        if len(pairs) > MOST_LABELS:
            raise ArgumentError("group", f"{len(pairs)} elements", f"at most {MOST_LABELS} to be listed")
        place = np.full((first.order, second.order), -1)
        place[pairs[:, 0], pairs[:, 1]] = np.arange(len(pairs))
        left, right = pairs[:, None], pairs[None]
        table = place[first.table[left[..., 0], right[..., 0]], second.table[left[..., 1], right[..., 1]]]
        if paired:  # each generator of the second with an element of the first that reflects as it does
            partner = {int(sign): int(np.argmax(first.determinants == sign)) for sign in first.determinants}
            generators = [
                (name, int(place[partner[int(second.determinants[i])], i])) for name, i in second.generators
            ]
        else:
            generators = [(name, int(place[i, 0])) for name, i in first.generators]
            generators += [(name, int(place[0, i])) for name, i in second.generators]
        natural = {name: each[pairs[:, 0]] for name, each in first.natural.items()}
        natural |= {name: each[pairs[:, 1]] for name, each in second.natural.items()}
        return Labels(table, tuple(generators), first.determinants[pairs[:, 0]], natural), pairs


def matrix_keys(matrices: Array) -> list[bytes]:
    """What tells matrices `(k, m, m)` of a finite group apart, whatever their rounding."""
    return [np.round(matrix * 1e6).astype(np.int64).tobytes() for matrix in matrices]
