"""The continuous symmetry of a simulator as a null space: generators A with f(x + εAx) − f(x) − εA f(x) = 0."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from equiworld.groups.arrays import Array
from equiworld.verify.discovery.movers import (
    ACTION,
    Mover,
    Unknown,
    basis_of_turns,
    movers_of,
    unknowns_of,
)
from equiworld.verify.discovery.perturbed import Perturbed, trusted
from equiworld.verify.discovery.transitions import Transitions

__all__ = ["Algebra", "algebra_of", "linearised", "null_space"]

_RESAMPLES = 50
_SMALL = 1e-3  # of a typical motion's residual: what is larger is no symmetry
_NOISES = {"coarse": _SMALL, "fine": 1e-8}
"""Likewise, by how finely the simulator answers: what is smaller may be rounding, and tells no gap."""
_REACHED = {"coarse": 1e-3, "fine": 1e-5}
"""Of the largest change that actions make, likewise: what is smaller is rounding."""
_UNEXPLAINED = {"coarse": 0.05, "fine": 1e-5}
"""Of differences after a step: what is more is neither rounding nor curvature."""

_TAKES_PART = 1e-3  # of the null space's own size, in a mover's coordinates
_SHARED = 1e-2  # how far a motion that all share may lie from the null space


@dataclass(frozen=True)
class Algebra:
    """The generators that leave the dynamics as they are.

    Attributes:
        dim: of space.
        movers: the items of the keys, those of the action with them.
        unknowns: the coordinates of a generator.
        null: `(unknowns, p)`, an orthonormal basis of the null space.
        values: all singular values in units of their root mean square, the smallest first.
        turns: `(r, d(d − 1)/2)`, a basis of the turns in which all that turns takes part alike.
        shifts: `(t, d)`, likewise of the shifts.
        confidence: share of resamples of the points that give the same dimensions.
        hidden: share of the points at which what is observed does not tell how neighbours differ after the step:
            something that is not observed takes part, which generators cannot move.
        unreached: keys that change, and that no action moves at any of the points.
        kinked: share of the points that have no derivative, as where contact begins; they are used where there are too
            few others.
        coarse: whether rounding is not far below what actions change, as in float32.
    """

    dim: int
    movers: tuple[Mover, ...]
    unknowns: tuple[Unknown, ...]
    null: Array
    values: Array
    turns: Array
    shifts: Array
    confidence: float
    hidden: float = 0.0
    unreached: tuple[str, ...] = ()
    kinked: float = 0.0
    coarse: bool = False

    @property
    def dimension(self) -> int:
        """Of the algebra of turns and shifts that everything takes part in."""
        return len(self.turns) + len(self.shifts)

    @property
    def gap(self) -> tuple[float, float]:
        """The largest singular value inside the null space and the smallest outside."""
        inside = self.null.shape[1]
        below = float(self.values[inside - 1]) if inside else 0.0
        return below, float(self.values[inside]) if inside < len(self.values) else float("inf")

    def coordinates(self, mover: int, what: str) -> list[int]:
        """The rows of `null` that are those of one mover."""
        return [row for row, each in enumerate(self.unknowns) if (each.mover, each.what) == (mover, what)]

    def takes_part(self, mover: int, what: str) -> bool:
        """Whether the null space moves it at all."""
        rows = self.null[self.coordinates(mover, what)]
        return bool(rows.size and np.linalg.norm(rows) > _TAKES_PART)

    def motion(self, turn: Array) -> Array:
        """The generator `(unknowns,)` whose arrows all turn so, as far as they turn at all; headings likewise."""
        rows, wanted = list[int](), list[float]()
        for number, mover in enumerate(self.movers):
            if mover.turns and self.takes_part(number, "turn"):
                rows += self.coordinates(number, "turn")
                wanted += turn.tolist()
        if not rows:
            return np.zeros(len(self.unknowns))
        first = np.linalg.lstsq(self.null[rows], np.array(wanted), rcond=1e-3)[0]
        # What is left free: single numbers that turn along, where they may.
        free = _kernel(self.null[rows])
        numbers = [
            row
            for number, mover in enumerate(self.movers)
            if mover.form == "number" and self.dim == 2
            for row in self.coordinates(number, "shift")
        ]
        if free.shape[1] and numbers:
            left = np.full(len(numbers), turn[0]) - self.null[numbers] @ first
            follow = self.null[numbers] @ free
            chosen = np.linalg.lstsq(follow, left * (np.linalg.norm(follow, axis=1) > 0.1), rcond=1e-3)[0]
            first = first + free @ chosen
        return self.null @ first


def algebra_of(
    points: Sequence[Perturbed],
    data: Transitions,
    dim: int,
    seed: int,
    euler: Mapping[str, str] | None = None,
) -> Algebra:
    """The null space of all generators that turn and shift the items of every key by themselves.

    Args:
        points: of the simulator, with what differs in their neighbourhood.
        data: transitions, which tell scales, and what never changes.
        dim: of space, 2 or 3.
        seed: of the resamples.
        euler: keys that are Euler's angles, and their form.
    """
    rng = np.random.default_rng([seed, dim, 0x616C67])
    arrays = {name: array for name, array in data.before.items() if name not in data.still}
    arrays[ACTION] = data.action
    movers = movers_of(arrays, dim, data.angles, euler or {})
    unknowns = unknowns_of(movers, dim)
    scales = {name: np.where(array.std(0) > 0, array.std(0), 1.0) for name, array in arrays.items()}
    scales |= {name: np.ones(1) for name in data.angles if name in scales}
    points = trusted(points)
    residuals = np.stack([_residual(point, scales, movers, unknowns, dim) for point in points])
    empty = Algebra(
        dim,
        tuple(movers),
        tuple(unknowns),
        np.zeros((len(unknowns), 0)),
        np.zeros(0),
        np.zeros((0, len(basis_of_turns(dim)))),
        np.zeros((0, dim)),
        0.0,
    )
    # Central differences err by the square of their step, which is shorter where numbers hold more.
    noise = max(_NOISES[point.precision] for point in points)
    found = _settled(empty, residuals, noise)
    same = Counter[bool]()
    for _ in range(_RESAMPLES):
        again = _settled(empty, residuals[rng.integers(len(residuals), size=len(residuals))], noise)
        same[(len(again.turns), len(again.shifts)) == (len(found.turns), len(found.shifts))] += 1
    moved = frozenset[str]().union(*(point.moved for point in points))
    smooth = [point for point in points if point.smooth]
    return replace(
        found,
        confidence=same[True] / _RESAMPLES,
        hidden=float(np.mean([_hides(point, scales) for point in smooth])) if smooth else 0.0,
        unreached=tuple(name for name in scales if name != ACTION and name not in moved),
        kinked=1 - len(smooth) / len(points),
        coarse=any(point.precision == "coarse" for point in points),
    )


def linearised(point: Perturbed, scales: dict[str, Array]) -> tuple[Array, Array]:
    """∂f/∂(s, a) at one point in units of scale, `(outputs, inputs)`, the action last; and the projection `(inputs,
    inputs)` on what no action reaches."""
    inputs, changes = _differences(point, scales)
    _, singular, reached = np.linalg.svd(inputs, full_matrices=False)
    reached = reached[singular > _REACHED[point.precision] * singular[0]]
    derivative = np.linalg.lstsq(inputs @ reached.T, changes, rcond=None)[0].T @ reached
    return derivative, np.eye(inputs.shape[1]) - reached.T @ reached


def _differences(point: Perturbed, scales: Mapping[str, Array]) -> tuple[Array, Array]:
    """How neighbours differ before a step, actions last, and after it, in units of scale."""
    apart = {**point.changes_before, ACTION: point.changes_action}
    names = [*(name for name in scales if name != ACTION), ACTION]
    before = np.concatenate([apart[name] / scales[name] for name in names], 1)
    return before, np.concatenate([point.changes_after[name] / scales[name] for name in names[:-1]], 1)


def _hides(point: Perturbed, scales: Mapping[str, Array]) -> bool:
    """Whether differences after the step are no linear function of those before it."""
    before, after = _differences(point, scales)
    left = after - before @ np.linalg.lstsq(before, after, rcond=_REACHED[point.precision])[0]
    return bool(np.linalg.norm(left) > _UNEXPLAINED[point.precision] * np.linalg.norm(after))


def _residual(
    point: Perturbed,
    scales: dict[str, Array],
    movers: Sequence[Mover],
    unknowns: Sequence[Unknown],
    dim: int,
) -> Array:
    """f(x + εAx) − f(x) − εA f(x) over ε of every unknown A at one point, `(outputs, unknowns)`, in units of scale.

    What no action reaches is taken to stay as it is.
    """
    here = {**point.before, ACTION: point.action}
    names = [*(name for name in scales if name != ACTION), ACTION]
    starts = dict(zip(names, np.cumsum([0, *(len(here[name]) for name in names)]).tolist(), strict=False))
    derivative, rest = linearised(point, scales)
    width = len(derivative)
    found = np.zeros((width, len(unknowns)))
    basis = basis_of_turns(dim)
    for row, unknown in enumerate(unknowns):
        mover, motion = movers[unknown.mover], np.zeros(len(rest))
        part = slice(starts[mover.key] + mover.start, starts[mover.key] + mover.start + mover.size)
        scale = np.broadcast_to(scales[mover.key], len(here[mover.key]))[
            mover.start : mover.start + mover.size
        ]
        motion[part] = _moved(mover, mover.of(here), unknown, basis) / scale
        found[:, row] = derivative @ motion + (rest @ motion)[:width]
        if mover.key != ACTION:
            found[part, row] -= _moved(mover, mover.of(point.after), unknown, basis) / scale
    return found


def _moved(mover: Mover, numbers: Array, unknown: Unknown, basis: Array) -> Array:
    """The rate of a mover's numbers under one unknown."""
    if unknown.what == "turn":
        return mover.turned(numbers, basis[unknown.which])
    shift = np.zeros(mover.size)
    shift[unknown.which] = mover.scale
    return shift


def _settled(found: Algebra, residuals: Array, noise: float) -> Algebra:
    """With the null space of residuals `(points, outputs, unknowns)`, and the turns and shifts that all share."""
    null, values = null_space(residuals, noise)
    found = replace(found, null=null, values=values)
    turning = [row for row, each in enumerate(found.unknowns) if each.what == "turn"]
    single = [
        row
        for row, each in enumerate(found.unknowns)
        if each.what == "shift" and found.movers[each.mover].form == "number"
    ]
    turns = _shared(found, "turn", null)
    shifts = _shared(found, "shift", null @ _kernel(null[turning + single]))
    return replace(found, turns=turns, shifts=shifts)


def null_space(residuals: Array, noise: float = _NOISES["coarse"]) -> tuple[Array, Array]:
    """An orthonormal basis `(unknowns, p)` of what residuals `(points, outputs, unknowns)` nearly annihilate, and all
    singular values in units of their root mean square, the smallest first.

    It ends at the widest gap of the values: the largest ratio of one to the one before it that is no more than 1e-3,
    where all up to `noise` count as equal.
    """
    flat = residuals.reshape(-1, residuals.shape[2])
    upper = np.linalg.qr(flat / np.sqrt(len(residuals)), mode="r")
    _, singular, vectors = np.linalg.svd(upper, full_matrices=True)
    singular = np.concatenate([singular, np.zeros(len(vectors) - len(singular))])
    order = np.argsort(singular)
    values = singular[order] / (np.sqrt(np.mean(singular**2)) or 1.0)
    small = int((values <= _SMALL).sum())
    if 0 < small < len(values):
        told = np.maximum(values[: small + 1], noise)
        small = 1 + int(np.argmax(told[1:] / told[:-1]))
    return vectors[order][:small].T, values


def _shared(found: Algebra, what: str, null: Array) -> Array:
    """The motions, the same for all movers that take part at all, that lie in a null space; orthonormal rows."""
    size = len(basis_of_turns(found.dim)) if what == "turn" else found.dim
    typical = float(np.sqrt(np.mean([each.scale**2 for each in found.movers])))
    parts = []
    for number, mover in enumerate(found.movers):
        rows = found.coordinates(number, what)
        if len(rows) != size or (what == "shift" and mover.form != "arrow"):
            continue
        if np.linalg.norm(null[rows]) > _TAKES_PART:
            parts.append(null[rows] * (mover.scale / typical if what == "shift" else 1.0))
    if not parts or not null.shape[1]:
        return np.zeros((0, size))
    # (a, ω) with null·a = ω for every mover: the null space again.
    whole = np.concatenate([np.concatenate(parts), -np.tile(np.eye(size), (len(parts), 1))], 1)
    kernel = _kernel(whole)
    moved = kernel[-size:].T
    _, strength, basis = np.linalg.svd(moved, full_matrices=False)
    return basis[strength > _SHARED]


def _kernel(rows: Array) -> Array:
    """An orthonormal basis `(p, q)` of what rows `(m, p)` annihilate, nearly."""
    if not rows.size:
        return np.eye(rows.shape[1])
    _, singular, vectors = np.linalg.svd(rows, full_matrices=True)
    singular = np.concatenate([singular, np.zeros(len(vectors) - len(singular))])
    return vectors[singular <= _SHARED * max(singular.max(initial=0.0), 0.1)].T
