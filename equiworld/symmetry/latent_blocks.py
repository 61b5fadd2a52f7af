"""Features as isotypic blocks: scalars, vectors and contrasts of points under a group of space, and of objects."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from equiworld.arguments import instance, integer
from equiworld.errors import ArgumentError
from equiworld.groups import Block, Decomposition, Group
from equiworld.groups.arrays import Array
from equiworld.symmetry.features import FeatureType

__all__ = ["helmert", "latent_blocks", "turns_of"]

_DRAWN = 6  # random elements; two generate a connected group, almost surely


def helmert(count: int) -> Array:
    """Helmert's orthonormal basis of R^count, in columns: the mean first, then the contrasts `(count, count)`.

    Permutations keep the first and move the others by the standard representation.

    >>> helmert(2).round(3)
    array([[ 0.707,  0.707],
           [ 0.707, -0.707]])
    """
    if not count:
        return np.zeros((0, 0))
    rows = np.tril(np.ones((count, count)))
    rows = np.roll(rows, 1, axis=0)
    for row in range(1, count):
        rows[row, row] = -float(row)
    rows[0] = 1.0
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).T


def turns_of(group: Group, count: int = _DRAWN) -> Array:
    """Matrices `(k, d, d)` that generate what a group does to vectors: all of a finite one, else random elements."""
    if group.finite:
        return np.asarray(group.section().matrix)
    drawn = group.sample_matrices(np.random.default_rng(0), count)
    return np.concatenate([group.section().matrix, drawn])


def latent_blocks(kind: FeatureType, group: Group, objects: int = 1) -> Decomposition:
    """The isotypic blocks of `Features.flatten()` under a group of isometries, of interchangeable objects as well.

    Scalars are trivial; vectors are what the group makes of R^d; of points the contrasts are vectors, and their mean,
    which translations move, is in no block. With O objects each kind's channels are those of the first object, then
    those of the second, and so on; R^O = trivial ⊕ standard by Helmert's basis, so that the blocks are those of
    S_O × G.

    Args:
        kind: of the features.
        group: of space; its translations do nothing to blocks.
        objects: O, how many interchangeable objects share the channels.

    Raises:
        ArgumentError: a kind of another dimension, or channels that O objects cannot share.

    >>> from equiworld.groups import SO3
    >>> one = latent_blocks(FeatureType(3, scalars=4, vectors=6), SO3())
    >>> one.whole_dimension, one.block_dimension, one.gauge_dimension
    (231, 159, 21)
    >>> four = latent_blocks(FeatureType(3, scalars=8, vectors=8), SO3(), objects=4)
    >>> four.whole_dimension, four.block_dimension, four.gauge_dimension
    (496, 184, 4)
    """
    instance("kind", kind, FeatureType)
    instance("group", group, Group)
    if group.dim != kind.dim:
        raise ArgumentError("group", group, f"a group of dimension {kind.dim}")
    objects = integer("objects", objects, least=1)
    for name in ("scalars", "vectors", "points"):
        if getattr(kind, name) % objects:
            raise ArgumentError("objects", objects, f"a divisor of {getattr(kind, name)} channels of {name}")
    return _latent_blocks(kind, group, objects)


@lru_cache(maxsize=64)
def _latent_blocks(kind: FeatureType, group: Group, objects: int) -> Decomposition:
    space, vector = _spatial(group)
    found: dict[tuple[str, str], list[Array]] = {}
    shapes: dict[tuple[str, str], tuple[int, Array, bool]] = {}
    for label, mixing in _mixings(kind, objects).items():
        for name, (dimension, algebra, trivial) in space.items():
            columns = _columns(kind, mixing, vector.get(name), name == "scalars")
            if not columns:
                continue
            rank = 1 if label == "trivial" else objects - 1
            shapes[label, name] = (
                rank * dimension,
                np.stack([np.kron(np.eye(rank), unit) for unit in algebra]),
                trivial and label == "trivial",
            )
            found[label, name] = columns
    blocks = []
    for key, columns in found.items():
        dimension, algebra, trivial = shapes[key]
        title = key[1] if objects == 1 else f"{key[0]} {key[1]}"
        blocks.append(Block(np.concatenate(columns, axis=1), dimension, algebra, trivial, title))
    places, means = [key[1] for key in found if key[0] == "trivial"], []
    for name, copies in vector.items() if kind.points else ():
        for copy in copies:
            basis = np.zeros((kind.size, copy.shape[1]))
            basis[kind.size - kind.dim * kind.points :] = np.tile(copy, (kind.points, 1)) / kind.points**0.5
            if name in places:
                means.append((places.index(name), basis))
    return Decomposition(tuple(blocks), tuple(means))


def _spatial(group: Group) -> tuple[dict[str, tuple[int, Array, bool]], dict[str, list[Array]]]:
    """The irreducible parts of scalars and vectors by name, and the copies `(d, k)` of each in one vector."""
    parts = Decomposition.of_matrices(turns_of(group)).blocks
    space: dict[str, tuple[int, Array, bool]] = {"scalars": (1, np.ones((1, 1, 1)), True)}
    vector: dict[str, list[Array]] = {}
    for index, block in enumerate(parts):
        whole = len(parts) == 1 and block.multiplicity == 1
        name = "scalars" if block.trivial else "vectors" if whole else f"vectors, part {index}"
        space.setdefault(name, (block.dimension, block.algebra, block.trivial))
        vector[name] = np.split(block.basis, block.multiplicity, axis=1)
    return space, vector


def _mixings(kind: FeatureType, objects: int) -> dict[str, dict[str, Array]]:
    """By irreducible part of R^O, for each kind of channels, the copies `(copies, rank, channels)`."""
    basis = helmert(objects)
    found: dict[str, dict[str, Array]] = {}
    for label, rows in (("trivial", basis[:, :1]), ("standard", basis[:, 1:])):
        if not rows.shape[1]:
            continue
        kinds = {}
        for name in ("scalars", "vectors", "points"):
            own = np.eye(getattr(kind, name) // objects)
            if name == "points" and label == "trivial" and len(own):
                own = helmert(len(own))[:, 1:]
            kinds[name] = np.einsum("or,ka->arok", rows, own).reshape(
                own.shape[1], rows.shape[1], objects * len(own)
            )
        found[label] = kinds
    return found


def _columns(
    kind: FeatureType, mixing: dict[str, Array], copies: list[Array] | None, scalars: bool
) -> list[Array]:
    """Of one block, columns `(n, rank·k)` copy after copy, in the order of `Features.flatten()`."""
    found = []
    starts = {"vectors": kind.scalars, "points": kind.scalars + kind.dim * kind.vectors}
    for mixed in mixing["scalars"] if scalars else ():
        column = np.zeros((kind.size, len(mixed)))
        column[: kind.scalars] = mixed.T
        found.append(column)
    for name, start in starts.items():
        for mixed in mixing[name] if copies else ():
            for copy in copies or ():
                column = np.zeros((kind.size, len(mixed) * copy.shape[1]))
                stop = start + kind.dim * mixed.shape[1]
                column[start:stop] = np.einsum("rc,ik->cirk", mixed, copy).reshape(stop - start, -1)
                found.append(column)
    return found
