"""What an orthogonal representation of a finite group is made of: irreducible ones, and how often each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equiworld.groups.arrays import Array
from equiworld.groups.labels import Labels

__all__ = ["IsotypicBlock", "averaged", "isotypic_blocks", "random_numbers"]

_SAME = 1e-7
"""Eigenvalues of a random commuting matrix that are no further apart are taken as one."""

_KINDS = {(1, 1): "real", (2, 0): "complex", (4, -2): "quaternionic"}
"""Of an irreducible real representation: its kind by ⟨χ, χ⟩ and the mean of χ(h²). No reducible one has such a pair."""


@dataclass(frozen=True, eq=False)
class IsotypicBlock:
    """All copies of one irreducible real representation ρ_i within a representation ρ.

    Attributes:
        basis: B `(m, multiplicity · dimension)`, orthonormal columns, copy after copy, Bᵀ ρ(h) B = 1 ⊗ ρ_i(h): each
            copy is moved by the same matrices.
        dimension: that of ρ_i.
        multiplicity: how many copies there are.
        kind: "real", "complex" or "quaternionic": what commutes with ρ_i has dimension 1, 2 or 4.

    >>> from equiworld.groups import Cyclic, Representation
    >>> block = Representation(Cyclic(3).labels, Cyclic(3).labels.natural["body"]).isotypic()[0]
    >>> block.dimension, block.multiplicity, block.kind
    (2, 1, 'complex')
    """

    basis: Array
    dimension: int
    multiplicity: int
    kind: str


def isotypic_blocks(labels: Labels, matrices: Array) -> list[IsotypicBlock]:
    """The blocks of a representation, by dimension, then by character: the trivial one is the first.

    The eigenspaces of a random symmetric matrix that commutes are its irreducible parts; that they are is checked by
    their characters. Reference: Serre, Linear Representations of Finite Groups, sections 2.6 and 13.2.

    Args:
        labels: the group.
        matrices: ρ, `(k, m, m)`, orthogonal.
    """
    groups: dict[tuple[float, ...], list[Array]] = {}
    for piece in _irreducible_pieces(labels, matrices):
        character = np.round(_character(matrices, piece), 6)
        groups.setdefault((piece.shape[1], *(0.0 - character)), []).append(piece)
    return [_aligned(labels, matrices, groups[key]) for key in sorted(groups)]


def averaged(left: Array, right: Array, maps: Array) -> Array:
    """The mean of ρ'(h) X ρ(h)ᵀ over the group, of each X: it intertwines ρ and ρ'.

    Args:
        left: ρ', `(k, n, n)`.
        right: ρ, `(k, m, m)`.
        maps: X, `(c, n, m)`.

    Returns:
        `(c, n, m)`.
    """
    total = np.zeros_like(maps)
    for one, other in zip(left, right, strict=True):
        total += one @ maps @ other.T
    return total / len(left)


def random_numbers(shape: tuple[int, ...], seed: int = 0) -> Array:
    """Numbers between −1 and 1, from bits that NumPy promises not to change."""
    bits = np.random.PCG64(seed).random_raw(int(np.prod(shape)))
    return (bits >> np.uint64(11)).astype(np.float64).reshape(shape) / 2.0**52 - 1.0


def _character(matrices: Array, piece: Array) -> Array:
    """The traces `(k,)` on a subspace that is kept, of orthonormal basis `(m, d)`."""
    return np.einsum("mi,hmi->h", piece, matrices @ piece)


def _kind(labels: Labels, character: Array) -> str | None:
    """That of an irreducible real representation; None if it is reducible."""
    squares = character[np.diagonal(labels.table)]
    return _KINDS.get((round(float(np.mean(character**2))), round(float(np.mean(squares)))))


def _irreducible_pieces(labels: Labels, matrices: Array) -> list[Array]:
    """Bases `(m, d)` of irreducible subspaces, orthogonal to each other, that add up to the whole."""
    size = matrices.shape[-1]
    best: list[Array] = []
    widest = 0.0
    for seed in range(16 if size else 0):
        drawn = random_numbers((1, size, size), seed)
        values, vectors = np.linalg.eigh(averaged(matrices, matrices, drawn + np.swapaxes(drawn, 1, 2))[0])
        gaps = np.diff(values) / np.abs(values).max()
        pieces = np.split(vectors, np.flatnonzero(gaps > _SAME) + 1, axis=1)
        if any(_kind(labels, _character(matrices, piece)) is None for piece in pieces):
            continue  # two eigenvalues came too close
        narrowest = gaps[gaps > _SAME].min(initial=1.0)
        if narrowest > widest:  # rounding mixes eigenvectors by 1e-16 / gap
            best, widest = pieces, narrowest
        if widest > 1e-3:
            break
    assert best or not size, "some random matrix has a separate eigenvalue for each copy"
    return best


def _aligned(labels: Labels, matrices: Array, pieces: list[Array]) -> IsotypicBlock:
    """Copies `(m, d)` of one irreducible representation, each in the basis in which it moves as the first does."""
    first, size = pieces[0], pieces[0].shape[1]
    kind = _kind(labels, _character(matrices, first))
    assert kind is not None, "pieces are irreducible"
    copies = [first]
    for piece in pieces[1:]:
        drawn = piece @ random_numbers((8, size, size)) @ first.T
        maps = piece.T @ averaged(matrices, matrices, drawn) @ first
        # What intertwines two copies is orthogonal up to a factor: no division algebra has other elements.
        chosen = maps[np.argmax(np.square(maps).sum(axis=(1, 2)))]
        copies.append(piece @ chosen * np.sqrt(size) / np.linalg.norm(chosen))
    basis = np.concatenate(copies, axis=1)
    moved = np.kron(np.eye(len(pieces)), first.T @ matrices @ first)
    error = np.abs(matrices @ basis - basis @ moved).max()
    assert error <= 1e-8, f"copies that move alike, up to {error:.3g}"
    return IsotypicBlock(basis, size, len(pieces), kind)
