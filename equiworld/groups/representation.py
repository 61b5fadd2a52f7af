"""Linear actions of a finite group: sums and products, what commutes with them, what they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from equiworld.arguments import integer, reals
from equiworld.errors import ArgumentError
from equiworld.groups.arrays import Array
from equiworld.groups.isotypic import IsotypicBlock, averaged, isotypic_blocks, random_numbers
from equiworld.groups.labels import Labels

__all__ = ["MOST_REGULAR", "Representation"]

MOST_REGULAR = 256
"""Elements of a group whose regular representation is written out: k matrices of k×k numbers, 134 MB."""

_TOLERANCE = 1e-12
"""Layers are exact to what the matrices are."""


@dataclass(frozen=True, eq=False, repr=False)
class Representation:
    """An orthogonal matrix ρ(h) for each element of a finite group, ρ(a b) = ρ(a) ρ(b).

    Args:
        labels: the group.
        matrices: `(k, m, m)` float64, in the order of the elements; kept read-only, and whole numbers kept exactly.

    Raises:
        ArgumentError: the shape is another, a matrix is not orthogonal, or ρ(a b) ≠ ρ(a) ρ(b).

    >>> from equiworld.groups import Dihedral
    >>> square = Dihedral(4).labels
    >>> plane = Representation(square, square.natural["body"])
    >>> [(block.dimension, block.multiplicity, block.kind) for block in (plane + plane).isotypic()]
    [(2, 2, 'real')]
    """

    labels: Labels
    matrices: Array

    def __post_init__(self) -> None:
        given, order = reals("matrices", self.matrices), _labels(self.labels).order
        if given.ndim != 3 or len(given) != order or given.shape[1] != given.shape[2]:
            raise ArgumentError("matrices", f"shape {given.shape}", f"({order}, m, m), one for each element")
        _check_orthogonal("matrices", given)
        whole = np.round(given)
        given = whole + 0.0 if (np.abs(given - whole) <= _TOLERANCE).all() else given  # + 0 makes −0 plain
        given.setflags(write=False)
        object.__setattr__(self, "matrices", given)
        _check_generators(self.labels)
        _check_products(self)

    def __repr__(self) -> str:
        return f"Representation(order={self.labels.order}, dim={self.dim})"

    def __deepcopy__(self, memo: dict[int, object]) -> Representation:
        return self  # nothing of it changes: the layers of a copied network share it as those of the first do

    @staticmethod
    def of(labels: Labels, images: Sequence[Array]) -> Representation:
        """That in which the generators of the group act by these matrices, `(m, m)` each, in their order.

        Raises:
            ArgumentError: another number or shape of images, one that is not orthogonal, or no representation.
        """
        _labels(labels)
        if not (isinstance(images, Sequence) or (isinstance(images, np.ndarray) and images.ndim)):
            raise ArgumentError("images", images, "square matrices, one for each generator")
        given = [reals("images", image) for image in images]
        shapes = sorted({image.shape for image in given})
        if any(len(shape) != 2 or shape[0] != shape[1] for shape in shapes) or len(shapes) > 1:
            raise ArgumentError("images", f"shapes {shapes}", "square matrices of one size")
        for image in given:
            _check_orthogonal("images", image)
        _check_generators(labels)
        return Representation(labels, labels.extend("images", given))

    @staticmethod
    def trivial(labels: Labels, n: int = 1) -> Representation:
        """n numbers that every element keeps."""
        size = integer("n", n, least=0, most=2**15)
        return Representation(labels, np.tile(np.eye(size), (_labels(labels).order, 1, 1)))

    @staticmethod
    def regular(labels: Labels) -> Representation:
        """A number for each element, moved with it: (ρ(h) x)[h g] = x[g].

        Raises:
            ArgumentError: the group has more than `MOST_REGULAR` elements.
        """
        if _labels(labels).order > MOST_REGULAR:
            raise ArgumentError("labels", f"{labels.order} elements", f"at most {MOST_REGULAR}")
        return Representation(labels, np.swapaxes(np.eye(labels.order)[labels.table], 1, 2))

    @staticmethod
    def sign(labels: Labels) -> Representation:
        """One number, multiplied by the determinant that goes with the element."""
        return Representation(labels, _labels(labels).determinants[:, None, None].astype(np.float64))

    def __add__(self, other: Representation) -> Representation:
        """The direct sum: the numbers of both, one after the other."""
        _check_group("other", self, other)
        size = self.dim + other.dim
        matrices = np.zeros((self.labels.order, size, size))
        matrices[:, : self.dim, : self.dim] = self.matrices
        matrices[:, self.dim :, self.dim :] = other.matrices
        return Representation(self.labels, matrices)

    def tensor(self, other: Representation) -> Representation:
        """The tensor product, by `np.kron`: the index of `other` runs fast."""
        _check_group("other", self, other)
        size = self.dim * other.dim
        products = np.einsum("hij,hkl->hikjl", self.matrices, other.matrices)
        return Representation(self.labels, products.reshape(-1, size, size))

    def shares_group(self, other: Representation) -> bool:
        """Whether the other is a representation of the same group, its elements in the same order."""
        return isinstance(other, Representation) and np.array_equal(self.labels.table, other.labels.table)

    @property
    def dim(self) -> int:
        """How many numbers it moves, m."""
        return self.matrices.shape[-1]

    @cached_property
    def characters(self) -> Array:
        """The traces, `(k,)`."""
        return np.trace(self.matrices, axis1=1, axis2=2)

    @cached_property
    def is_monomial(self) -> bool:
        """Whether every element permutes the numbers and changes some of their signs: a signed permutation."""
        return bool(np.isin(self.matrices, (-1.0, 0.0, 1.0)).all())

    @cached_property
    def is_regular(self) -> bool:
        """Whether it is `regular(labels)` itself, in that order of numbers."""
        if self.dim != self.labels.order or not self.is_monomial or (self.signs < 0).any():
            return False
        return bool((self.sources == self.labels.table[self.labels.inverses]).all())

    @cached_property
    def sources(self) -> NDArray[np.int64]:
        """Of signed permutations `(k, m)`: (ρ(h) x)[i] = signs[h, i] · x[sources[h, i]].

        Raises:
            ArgumentError: it has others.
        """
        if not self.is_monomial:
            raise ArgumentError("representation", self, "one by signed permutations")
        if not self.dim:  # of nothing there is no largest
            return np.zeros((self.labels.order, 0), np.int64)
        return np.argmax(np.abs(self.matrices), axis=2)

    @cached_property
    def signs(self) -> NDArray[np.int64]:
        """Of signed permutations `(k, m)`, ±1; see `sources`."""
        return np.take_along_axis(self.matrices, self.sources[..., None], axis=2)[..., 0].astype(np.int64)

    def commutant(self) -> Array:
        """A basis `(c, m, m)` of the real matrices that commute with it, orthonormal in the Frobenius norm."""
        return self.intertwiners(self)

    def intertwiners(self, other: Representation) -> Array:
        """A basis `(c, n, m)` of the W with ρ'(h) W = W ρ(h), ρ' the other, orthonormal in the Frobenius norm.

        Between signed permutations each W of the basis has the same number, up to signs, on one orbit of entries
        and zeros elsewhere. The basis is the same, up to rounding, on every machine: weights are stored in it.
        """
        _check_group("other", self, other)
        count = _overlap(self, other)
        if self.is_monomial and other.is_monomial:
            index, signs = self.ties(other)
            basis = (np.arange(index.max(initial=-1) + 1)[:, None, None] == index) * signs.astype(np.float64)
            basis /= np.sqrt(np.square(basis).sum(axis=(1, 2), keepdims=True))
        else:
            basis = _averaged_basis(self, other, count)
        assert len(basis) == count, "as many as the characters say"
        for _, place in self.labels.generators:
            error = np.abs(other.matrices[place] @ basis - basis @ self.matrices[place]).max(initial=0.0)
            assert error <= 10 * _TOLERANCE, f"a basis of what commutes, up to {error:.3g}"
        return basis

    def ties(self, other: Representation) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which entries of a W with ρ'(h) W = W ρ(h) are equal up to sign; both by signed permutations.

        Returns:
            For each entry, `(n, m)`, the number 0 … c−1 of its orbit, −1 where W is zero; and its sign, 0 there.

        Raises:
            ArgumentError: one of the two has other matrices than signed permutations.
        """
        _check_group("other", self, other)
        shape = (other.dim, self.dim)
        here = np.arange(other.dim * self.dim).reshape(shape)
        first, signs, free = here.copy(), np.ones(shape, np.int64), np.ones(shape, bool)
        for rows, row_signs, columns, column_signs in zip(
            other.sources, other.signs, self.sources, self.signs, strict=True
        ):  # W[i, j] = sign · W[rows[i], columns[j]]
            there, sign = rows[:, None] * self.dim + columns, row_signs[:, None] * column_signs
            free &= (there != here) | (sign > 0)  # an entry that is its own negative is zero
            signs = np.where(there < first, sign, signs)
            first = np.minimum(there, first)
        index = np.full(shape, -1)
        index[free] = np.unique(first[free], return_inverse=True)[1]
        return index, signs * free

    def isotypic(self) -> list[IsotypicBlock]:
        """Its blocks: for each irreducible real representation that it holds, all copies of that one.

        By dimension, then by character: the trivial one is the first.
        """
        return isotypic_blocks(self.labels, self.matrices)


def _labels(labels: Labels) -> Labels:
    if not isinstance(labels, Labels):
        raise ArgumentError("labels", labels, "a finite group's labels, such as Dihedral(4).labels")
    return labels


def _check_orthogonal(argument: str, matrices: Array) -> None:
    with np.errstate(all="ignore"):
        products = np.swapaxes(matrices, -1, -2) @ matrices
        error = np.abs(products - np.eye(matrices.shape[-1])).max(initial=0.0)
    if not error <= _TOLERANCE:
        raise ArgumentError(argument, f"|ρᵀρ − 1| up to {error:.3g}", "orthogonal matrices, up to rounding")


def _check_generators(labels: Labels) -> None:
    rows = labels.table[np.array([place for _, place in labels.generators], np.int64)]
    reached, count = np.arange(labels.order) == 0, 0
    while reached.sum() > count:
        count = int(reached.sum())
        reached[rows[:, reached]] = True
    if count < labels.order:
        got = f"generators that give {count} of {labels.order} elements"
        raise ArgumentError("labels", got, "generators that give all")


def _check_products(representation: Representation) -> None:
    """ρ(g h) = ρ(g) ρ(h) for every generator g and every element h."""
    matrices, labels = representation.matrices, representation.labels
    error = np.abs(matrices[0] - np.eye(representation.dim)).max(initial=0.0)
    for _, place in labels.generators:
        if representation.is_monomial:  # a row of ρ(g) takes one row: no product of large matrices
            products = representation.signs[place][:, None] * matrices[:, representation.sources[place]]
        else:
            products = matrices[place] @ matrices
        error = max(error, np.abs(products - matrices[labels.table[place]]).max(initial=0.0))
    if not error <= _TOLERANCE:
        expected = "a representation, up to rounding: ρ(a b) = ρ(a) ρ(b)"
        raise ArgumentError("matrices", f"products that differ by up to {error:.3g}", expected)


def _check_group(argument: str, one: Representation, other: Representation) -> None:
    if not one.shares_group(other):
        raise ArgumentError(argument, other, f"a representation of the same group as {one!r}")


def _overlap(source: Representation, target: Representation) -> int:
    """The dimension of what intertwines the two, ⟨χ, χ'⟩."""
    return round(float(np.mean(source.characters * target.characters)))


def _averaged_basis(source: Representation, target: Representation, count: int) -> Array:
    """`count` random matrices averaged over the group, `(count, n, m)`, and made orthonormal."""
    shape = (count, target.dim, source.dim)
    basis = random_numbers(shape)
    for _ in range(3):  # what rounding left over is averaged away
        basis = averaged(target.matrices, source.matrices, basis)
        flat = basis.reshape(count, target.dim * source.dim)
        # Unlike a QR, whose signs may hang on rounding, this is a continuous function of what goes in.
        basis = np.linalg.solve(np.linalg.cholesky(flat @ flat.T), flat).reshape(shape)
    return basis
