"""The continuous symmetry of data as a null space: generators A with f(x + εAx) − f(x) − εA f(x) = 0."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equiworld.groups.arrays import Array
from equiworld.verify.discovery.blocks import ACTION, Block, blocks_of, directions, generators_of
from equiworld.verify.discovery.perturbed import Perturbed
from equiworld.verify.discovery.transitions import Transitions

__all__ = ["Algebra", "algebra_of"]

_RESAMPLES = 50
_SMALL = 1e-3  # of a typical motion's residual: what is larger is no symmetry
_REACHED = 1e-4  # of the largest change that actions make: what is smaller is rounding


@dataclass(frozen=True)
class Column:
    """One unknown: how much a block turns, or shifts."""

    block: int
    what: str
    which: int


@dataclass(frozen=True)
class Algebra:
    """The generators that leave the dynamics as they are.

    Attributes:
        dim: of space.
        blocks: the items of the keys, those of the action with them.
        columns: the unknowns.
        null: `(columns, p)`, an orthonormal basis of the null space.
        values: the singular values, relative to how much a typical motion changes the dynamics; the smallest first.
        turns: `(r, d(d − 1)/2)`, a basis of the turns that all that turns shares.
        shifts: `(t, d)`, likewise of the shifts.
        confidence: share of resamples of the data that give the same dimension.
    """

    dim: int
    blocks: tuple[Block, ...]
    columns: tuple[Column, ...]
    null: Array
    values: Array
    turns: Array
    shifts: Array
    confidence: float

    @property
    def dimension(self) -> int:
        """Of the algebra of turns and shifts that everything takes part in."""
        return len(self.turns) + len(self.shifts)

    def rows(self, block: int, what: str) -> Array:
        """The null space in the coordinates of one block."""
        chosen = [row for row, each in enumerate(self.columns) if (each.block, each.what) == (block, what)]
        return self.null[chosen]

    def share(self, block: int) -> float:
        """By how much a block turns when all others turn by 1: 1, −1 the other way round, 0 not at all."""
        if not len(self.turns):
            return 0.0
        motion = self.motion(self.turns[0])
        if self.blocks[block].size == 1:
            return float(motion[block][1][0])
        return float(motion[block][0] @ self.turns[0])

    def motion(self, turn: Array) -> list[tuple[Array, Array]]:
        """What every block does under a turn: its own turn and its shift, in its units."""
        vector = self.null @ _coefficients(self, turn)
        found = []
        for number, block in enumerate(self.blocks):
            parts = []
            for what, size in (("turn", len(generators_of(self.dim))), ("shift", block.size)):
                part = np.zeros(size)
                for row, column in enumerate(self.columns):
                    if (column.block, column.what) == (number, what):
                        part[column.which] = vector[row]
                parts.append(part)
            unit = 1.0 if block.angle else block.scale
            found.append((parts[0], parts[1] * unit))
        return found


def algebra_of(points: Sequence[Perturbed], data: Transitions, dim: int, seed: int) -> Algebra:
    """The null space of all generators that turn and shift the items of every key by themselves.

    Args:
        points: of the simulator, with what differs in their neighbourhood.
        data: transitions, which tell scales, and what never changes.
        dim: of space, 2 or 3.
        seed: of the resamples.
    """
    rng = np.random.default_rng([seed, dim, 0x616C67])
    arrays = {name: array for name, array in data.before.items() if name not in data.still}
    blocks = blocks_of({**arrays, ACTION: data.action}, dim, data.angles)
    columns = [
        Column(number, what, which)
        for number, block in enumerate(blocks)
        for what, which, _ in directions(block, np.zeros((1, block.size)), dim)
        if block.key != ACTION or what == "turn"
    ]
    residuals = np.stack([_residual(point, blocks, columns, dim) for point in points])
    null, values = _null_space(residuals)
    found = _settled(dim, blocks, columns, null, values)
    dimensions = Counter[tuple[int, int]]()
    for _ in range(_RESAMPLES):
        rows = rng.integers(len(residuals), size=len(residuals))
        again = _settled(dim, blocks, columns, *_null_space(residuals[rows]))
        dimensions[len(again.turns), len(again.shifts)] += 1
    confidence = dimensions[len(found.turns), len(found.shifts)] / _RESAMPLES
    return _settled(dim, blocks, columns, null, values, confidence)


def _residual(point: Perturbed, blocks: Sequence[Block], columns: Sequence[Column], dim: int) -> Array:
    """f(x + εAx) − f(x) − εA f(x) over ε of every unknown A at one point, `(outputs, columns)`, in units of scale.

    What no action reaches is taken to stay as it is.
    """
    outputs = [block for block in blocks if block.key != ACTION]
    arrays = {name: array[None] for name, array in point.before.items()} | {ACTION: point.action[None]}
    after = {name: array[None] for name, array in point.after.items()}
    inputs = np.concatenate(
        [
            block.of(point.changes_before | {ACTION: point.changes_action}) / _unit(block) for block in blocks
        ],
        1,
    )
    changes = np.concatenate([block.of(point.changes_after) / _unit(block) for block in outputs], 1)
    width = changes.shape[1]
    _, singular, reached = np.linalg.svd(inputs, full_matrices=False)
    reached = reached[singular > _REACHED * singular[0]]
    derivative = np.linalg.lstsq(inputs @ reached.T, changes, rcond=None)[0].T @ reached
    rest = np.eye(inputs.shape[1]) - reached.T @ reached
    ends = np.cumsum([0, *(block.size for block in blocks)])
    found = np.zeros((width, len(columns)))
    for row, column in enumerate(columns):
        block, motion = blocks[column.block], np.zeros(inputs.shape[1])
        part = slice(ends[column.block], ends[column.block] + block.size)
        motion[part] = _moved(block, block.of(arrays), column, dim)
        found[:, row] = derivative @ motion + (rest @ motion)[:width]
        if block.key != ACTION:
            found[part, row] -= _moved(block, block.of(after), column, dim)
    return found


def _moved(block: Block, numbers: Array, column: Column, dim: int) -> Array:
    """By how much a block's numbers `(1, size)` are moved, in its units."""
    for what, which, motion in directions(block, numbers, dim):
        if (what, which) == (column.what, column.which):
            return motion[0] / _unit(block)
    raise AssertionError(column)


def _unit(block: Block) -> float:
    return 1.0 if block.angle else block.scale


def _null_space(residuals: Array) -> tuple[Array, Array]:
    """The generators without a residual `(points, outputs, columns)`, and all singular values, the smallest first."""
    flat = residuals.reshape(-1, residuals.shape[2])
    _, singular, vectors = np.linalg.svd(flat / np.sqrt(len(residuals)), full_matrices=False)
    order = np.argsort(singular)
    singular, vectors = singular[order], vectors[order]
    values = singular / (np.sqrt(np.mean(singular**2)) or 1.0)
    return vectors[values <= _SMALL].T, values


def _settled(
    dim: int,
    blocks: Sequence[Block],
    columns: Sequence[Column],
    null: Array,
    values: Array,
    confidence: float = 0.0,
) -> Algebra:
    """With the turns and shifts that all blocks share."""
    turns = np.zeros((0, len(generators_of(dim))))
    shifts = np.zeros((0, dim))
    raw = Algebra(dim, tuple(blocks), tuple(columns), null, values, turns, shifts, confidence)
    turns = _shared(raw, "turn", null)
    rows = [row for row, column in enumerate(columns) if column.what == "turn" or blocks[column.block].angle]
    left = null @ _kernel_of(null[rows]) if len(rows) else null
    shifts = _shared(raw, "shift", left)
    return Algebra(dim, tuple(blocks), tuple(columns), null, values, turns, shifts, confidence)


def _shared(found: Algebra, what: str, null: Array) -> Array:
    """The patterns, the same for all blocks that take part at all, that lie in a null space; orthonormal rows."""
    sizes = {"turn": len(generators_of(found.dim)), "shift": found.dim}
    size, parts, patterns = sizes[what], list[Array](), list[Array]()
    if not null.shape[1]:
        return np.zeros((0, size))
    for number, block in enumerate(found.blocks):
        rows = [row for row, each in enumerate(found.columns) if (each.block, each.what) == (number, what)]
        if len(rows) != size or (what == "shift" and block.size != found.dim):
            continue
        unit = block.scale if what == "shift" else 1.0
        part = null[rows] * unit
        if np.linalg.norm(null[rows]) > 0.1 * np.sqrt(null.shape[1] / len(found.columns)):
            parts.append(part)
            patterns.append(np.eye(size) )
    if not parts:
        return np.zeros((0, size))
    whole = np.concatenate([np.concatenate(parts), -np.concatenate(patterns) * _strength(parts)], 1)
    _, singular, vectors = np.linalg.svd(whole, full_matrices=True)
    singular = np.concatenate([singular, np.zeros(len(vectors) - len(singular))])
    inside = vectors[singular <= 0.15 * singular[0]][:, -size:]
    if not len(inside):
        return np.zeros((0, size))
    _, strength, basis = np.linalg.svd(inside, full_matrices=False)
    return basis[strength > 0.3]


def _strength(parts: Sequence[Array]) -> float:
    """So that patterns weigh as much as the null space does."""
    return float(np.sqrt(np.mean([np.mean(part**2) * part.shape[1] for part in parts]))) or 1.0


def _kernel_of(rows: Array) -> Array:
    """An orthonormal basis of what rows `(m, p)` annihilate, nearly; `(p, q)`."""
    _, singular, vectors = np.linalg.svd(rows, full_matrices=True)
    singular = np.concatenate([singular, np.zeros(len(vectors) - len(singular))])
    return vectors[singular <= 0.15 * max(singular.max(initial=0.0), 0.1)].T


def _coefficients(found: Algebra, turn: Array) -> Array:
    """Of the null space's basis, for the motion whose blocks turn so."""
    rows, wanted = list[int](), list[float]()
    for row, column in enumerate(found.columns):
        if column.what == "turn" and np.linalg.norm(found.rows(column.block, "turn")) > 0.05:
            rows.append(row)
            wanted.append(float(turn[column.which]))
    if not rows:
        return np.zeros(found.null.shape[1])
    return np.linalg.lstsq(found.null[rows], np.array(wanted), rcond=1e-3)[0]
