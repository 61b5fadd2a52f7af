"""Orthogonal representations of any compact group, split into isotypic blocks, from matrices that generate it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equiworld.arguments import reals
from equiworld.errors import ArgumentError
from equiworld.groups.arrays import Array
from equiworld.groups.representation import Representation

__all__ = ["Block", "Decomposition", "commuting"]

_KINDS = {1: "real", 2: "complex", 4: "quaternionic"}
_ZERO = 1e-9
"""Eigenvalues below are 0: those of sums of squares of orthogonal matrices, of order 1 otherwise."""
_LARGEST = 64
"""Numbers that generators may move: the equations of what commutes are n² in n² unknowns."""


@dataclass(frozen=True, eq=False)
class Block:
    """All copies of one irreducible real representation ρ_i, with what commutes with it.

    Attributes:
        basis: `(n, m·d)`, orthonormal columns, copy after copy: Bᵀ ρ(g) B = 1_m ⊗ ρ_i(g).
        dimension: d, of ρ_i.
        algebra: `(c, d, d)`, the identity and c − 1 antisymmetric orthogonal units, c of 1, 2 or 4: a basis of what
            commutes with ρ_i.
        trivial: whether ρ_i is the trivial representation, whose mean need not be 0.
        name: for tables.

    >>> block = Block(np.eye(6), 3, np.eye(3)[None], name="vectors")
    >>> block.multiplicity, block.kind, block.whole_dimension, block.gauge_dimension
    (2, 'real', 15, 1)
    """

    basis: Array
    dimension: int
    algebra: Array
    trivial: bool = False
    name: str = ""

    @property
    def multiplicity(self) -> int:
        """m, how many copies there are."""
        return self.basis.shape[1] // self.dimension

    @property
    def kind(self) -> str:
        """Real, complex or quaternionic: the division algebra that commutes with ρ_i."""
        return _KINDS[len(self.algebra)]

    @property
    def whole_dimension(self) -> int:
        """That of O(d·m): all isometries of the block."""
        size = self.basis.shape[1]
        return size * (size - 1) // 2

    @property
    def gauge_dimension(self) -> int:
        """That of the isometries that commute: O(m), U(m) or Sp(m) by kind."""
        m = self.multiplicity
        return {1: m * (m - 1) // 2, 2: m * m, 4: m * (2 * m + 1)}[len(self.algebra)]


@dataclass(frozen=True, eq=False)
class Decomposition:
    """R^n as a direct sum of isotypic blocks: ρ ≅ ⊕ 1_{m_i} ⊗ ρ_i.

    By Schur's lemma W commutes with ρ where it is ⊕ Σ_c B_ic ⊗ D_ic, D_i the algebra of block i; so does the covariance
    of every law that the group leaves as it is.

    Args:
        blocks: with orthonormal columns all together. Directions of R^n that are in none are left out of everything.
        means: such directions in which points lie all together, which translations move: for each irreducible part its
            place in `blocks` and a basis `(n, d)` in which the group moves it as it moves one copy of that block.

    >>> from equiworld.groups import Dihedral, Representation
    >>> found = Decomposition.of(Representation.regular(Dihedral(4).labels))
    >>> [(block.dimension, block.multiplicity, block.kind) for block in found.blocks][-1]
    (2, 2, 'real')
    >>> found.whole_dimension, found.block_dimension, found.gauge_dimension
    (28, 6, 1)
    """

    blocks: tuple[Block, ...]
    means: tuple[tuple[int, Array], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(self.blocks))
        if not self.blocks or not all(isinstance(block, Block) for block in self.blocks):
            raise ArgumentError("blocks", self.blocks, "blocks, one or more")
        columns = np.concatenate([block.basis for block in self.blocks], axis=1)
        error = np.abs(columns.T @ columns - np.eye(columns.shape[1])).max()
        if error > 1e-8:
            raise ArgumentError(
                "blocks", f"columns that are orthonormal up to {error:.3g}", "orthonormal ones"
            )

    @staticmethod
    def of(representation: Representation) -> Decomposition:
        """That of a representation of a finite group."""
        if not isinstance(representation, Representation):
            raise ArgumentError("representation", representation, "a Representation")
        matrices = representation.matrices
        blocks = []
        for found in representation.isotypic():
            first = found.basis[:, : found.dimension]
            blocks.append(_block(found.basis, found.dimension, first.T @ matrices @ first))
        return Decomposition(tuple(blocks))

    @staticmethod
    def of_matrices(matrices: Array) -> Decomposition:
        """That of the smallest closed group that holds some orthogonal matrices, by linear algebra alone.

        A random symmetric matrix that commutes with all has one eigenspace for each irreducible part.

        Args:
            matrices: `(k, n, n)`, of generators; of a connected group two random elements generate all.

        Raises:
            ArgumentError: another shape, no orthogonal matrices, or n above 64.

        >>> turn = np.array([[[0.0, -1.0], [1.0, 0.0]]])  # a quarter turn alone
        >>> [(block.dimension, block.kind) for block in Decomposition.of_matrices(turn).blocks]
        [(2, 'complex')]
        """
        matrices = _generators(matrices)
        pieces = _pieces(matrices)
        groups: list[list[Array]] = []
        for piece in pieces:
            inner = piece.T @ matrices @ piece
            for group in groups:
                if group[0].shape != piece.shape:
                    continue
                maps = commuting(inner, group[0].T @ matrices @ group[0])
                if len(maps):
                    group.append(piece @ maps[0] * np.sqrt(piece.shape[1]) / np.linalg.norm(maps[0]))
                    break
            else:
                groups.append([piece])
        blocks = [
            _block(np.concatenate(group, 1), group[0].shape[1], group[0].T @ matrices @ group[0])
            for group in groups
        ]
        return Decomposition(tuple(sorted(blocks, key=lambda block: (block.dimension, not block.trivial))))

    @property
    def size(self) -> int:
        """n, of R^n."""
        return self.blocks[0].basis.shape[0]

    @property
    def whole_dimension(self) -> int:
        """Of O(n) on what the blocks span: what a rotation-invariant objective cannot see."""
        size = sum(block.basis.shape[1] for block in self.blocks)
        return size * (size - 1) // 2

    @property
    def block_dimension(self) -> int:
        """Of ∏ O(d_i m_i): what an objective that is isotropic inside each block cannot see."""
        return sum(block.whole_dimension for block in self.blocks)

    @property
    def gauge_dimension(self) -> int:
        """Of the isometries that commute with the group: what an objective that knows the group cannot see."""
        return sum(block.gauge_dimension for block in self.blocks)

    def projected(self, matrix: Array) -> Array:
        """The nearest matrix `(n, n)` that commutes with the group, in the Frobenius norm.

        >>> plane = Decomposition((Block(np.eye(2), 2, np.eye(2)[None]),))
        >>> plane.projected(np.array([[1.0, 5.0], [2.0, 3.0]]))
        array([[2., 0.],
               [0., 2.]])
        """
        found = np.zeros((self.size, self.size))
        for block in self.blocks:
            inner = block.basis.T @ matrix @ block.basis
            found += block.basis @ projected(inner, block) @ block.basis.T
        return found


def projected(inner: Array, block: Block) -> Array:
    """The nearest Σ_c B_c ⊗ D_c of a matrix `(md, md)` in a block's coordinates."""
    m, d = block.multiplicity, block.dimension
    split = inner.reshape(m, d, m, d)
    parts = np.einsum("aibj,cij->cab", split, block.algebra) / d
    return np.einsum("cab,cij->aibj", parts, block.algebra).reshape(m * d, m * d)


def commuting(left: Array, right: Array) -> Array:
    """An orthonormal basis `(c, n, m)` of the W with left_k W = W right_k for all k; matrices are orthogonal.

    >>> len(commuting(np.eye(2)[None], np.eye(2)[None]))
    4
    """
    n, m = left.shape[1], right.shape[1]
    total = np.zeros((n * m, n * m))
    for one, other in zip(left, right, strict=True):
        equation = np.kron(one, np.eye(m)) - np.kron(np.eye(n), other.T)
        total += equation.T @ equation / len(left)
    values, vectors = np.linalg.eigh(total)
    return vectors[:, values < _ZERO].T.reshape(-1, n, m)


def _generators(matrices: Array) -> Array:
    given = reals("matrices", matrices)
    if given.ndim != 3 or given.shape[1] != given.shape[2] or not 0 < given.shape[1] <= _LARGEST:
        raise ArgumentError("matrices", f"shape {given.shape}", f"(k, n, n) with n from 1 to {_LARGEST}")
    if np.abs(np.swapaxes(given, 1, 2) @ given - np.eye(given.shape[1])).max() > 1e-9:
        raise ArgumentError("matrices", "others", "orthogonal matrices, up to rounding")
    return given


def _pieces(matrices: Array) -> list[Array]:
    """Bases `(n, d)` of irreducible subspaces that add up to the whole."""
    basis = commuting(matrices, matrices)
    symmetric = basis + np.swapaxes(basis, 1, 2)
    for seed in range(16):
        drawn = np.random.default_rng(seed).normal(size=len(basis))
        values, vectors = np.linalg.eigh(np.einsum("c,cij->ij", drawn, symmetric))
        cuts = np.flatnonzero(np.diff(values) > 1e-6 * np.abs(values).max()) + 1
        pieces: list[Array] = np.split(vectors, cuts, axis=1)
        if all(_irreducible(piece.T @ matrices @ piece) for piece in pieces):
            return pieces
    raise AssertionError("a random symmetric matrix that commutes separates the irreducible parts")


def _irreducible(matrices: Array) -> bool:
    """Only multiples of the identity are symmetric and commute."""
    found = commuting(matrices, matrices)
    return bool(np.linalg.matrix_rank((found + np.swapaxes(found, 1, 2)).reshape(len(found), -1), 1e-6) == 1)


def _block(basis: Array, dimension: int, inner: Array) -> Block:
    """With the algebra of what commutes with one copy, moved by `inner` `(k, d, d)`."""
    found = commuting(inner, inner)
    units = [np.eye(dimension)]
    odd = (found - np.swapaxes(found, 1, 2)).reshape(len(found), -1)
    _, sizes, rows = np.linalg.svd(odd, full_matrices=False)
    units += [row.reshape(dimension, dimension) * np.sqrt(dimension) for row in rows[sizes > 1e-6]]
    assert len(units) in _KINDS, "a division algebra"
    trivial = dimension == 1 and bool(np.abs(inner - 1.0).max() < 1e-9)
    return Block(basis, dimension, np.stack(units), trivial, f"{dimension}-dimensional")
