"""The parts of an observation that is one array: which of its numbers turn together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from equiworld.groups.arrays import Array
from equiworld.verify.discovery.algebra import linearised, null_space
from equiworld.verify.discovery.movers import ACTION
from equiworld.verify.discovery.perturbed import Perturbed
from equiworld.verify.discovery.transitions import Places, Transitions

__all__ = ["joined", "segments", "singles"]

_TAKES_PART = 0.02  # of the null space's largest share in a pair
_MOST = 3  # numbers that turn together
_ALIKE = 2.0  # of few episodes


def singles(width: int) -> Places:
    """Each number by itself."""
    return {f"number_{place}": (place,) for place in range(width)}


def segments(points: Sequence[Perturbed], data: Transitions) -> Places:
    """Numbers of one array, those that turn together as one part, by the null space of turns of any two numbers.

    Unknown is how much each two numbers turn into each other, wherever they stand, and how much each shifts: generators
    A with f(x + εAx) − f(x) − εA f(x) = 0. Numbers that never change are one part where as many as turn together
    elsewhere stand side by side and are spread alike.

    Args:
        points: of the simulator, each number as a key of its own.
        data: transitions, likewise.
    """
    names = [name for name in data.before if name not in data.still]
    scales = {name: data.before[name].std(0) for name in names} | {ACTION: data.action.std(0)}
    pairs = _pairs(names, data.action.shape[1])
    made, sizes = zip(*(_residual(each, scales, names, pairs) for each in points), strict=True)
    typical = np.sqrt(np.mean(np.square(sizes), 0))
    null, _ = null_space(np.stack(made) / np.where(typical > 0, typical, 1.0))
    whole = null[: len(pairs)]
    strength = np.linalg.norm(whole, axis=1)
    taking = strength > _TAKES_PART * strength.max(initial=0.0)
    together: list[set[int]] = []
    for (one, other), takes in zip(pairs, taking, strict=True):
        if takes and other < len(names):
            met = [each for each in together if {one, other} & each]
            together = [each for each in together if each not in met] + [{one, other}.union(*met)]
    ways = np.linalg.svd(whole)[0][:, 0] if null.shape[1] else np.zeros(len(pairs))
    sign = dict(zip(pairs, ways, strict=True))
    most = np.sign(sum(sign.values())) or 1.0
    arrows = []
    for each in together:
        order = sorted(each)
        if len(order) == 2 and sign[order[0], order[1]] * most < 0:  # (y, x)
            order.reverse()
        if len(order) <= _MOST:
            arrows.append([_place(names[number]) for number in order])
    still = {_place(name): float(data.before[name].std()) for name in data.still}
    size = len(arrows[0]) if arrows else 1
    return _named([*arrows, *_resting(still, size)], len(data.before))


def joined(data: Transitions, parts: Places) -> Transitions:
    """Transitions of single numbers with parts of several as one key each."""

    def arrays(single: dict[str, Array]) -> dict[str, Array]:
        return {
            name: np.concatenate([single[f"number_{place}"] for place in places], 1)
            for name, places in parts.items()
        }

    return replace(data, before=arrays(dict(data.before)), after=arrays(dict(data.after)))


def _place(name: str) -> int:
    return int(name.removeprefix("number_"))


def _pairs(names: Sequence[str], actions: int) -> list[tuple[int, int]]:
    """Two numbers of the state, or two of the action, by their places in (state, action)."""
    count = len(names)
    own = list(itertools.combinations(range(count), 2))
    return own + list(itertools.combinations(range(count, count + actions), 2))


def _residual(
    point: Perturbed, scales: dict[str, Array], names: Sequence[str], pairs: Sequence[tuple[int, int]]
) -> tuple[Array, Array]:
    """f(x + εAx) − f(x) − εA f(x) over ε of every unknown A at one point, `(outputs, pairs and shifts)`, in units of
    scale; and the size of Ax, `(pairs and shifts,)`."""
    derivative, rest = linearised(point, scales)
    count, scale = len(names), np.concatenate([scales[name] for name in (*names, ACTION)])
    here = np.concatenate([*(point.before[name] for name in names), point.action])
    after = np.concatenate([*(point.after[name] for name in names), np.zeros(len(point.action))])
    whole = derivative + rest[:count]
    found, sizes = np.zeros((count, len(pairs) + count)), np.ones(len(pairs) + count)
    for column, (one, other) in enumerate(pairs):
        first, second = -here[other] / scale[one], here[one] / scale[other]
        found[:, column], sizes[column] = (
            whole[:, one] * first + whole[:, other] * second,
            np.hypot(first, second),
        )
        if other < count:
            found[one, column] += after[other] / scale[one]
            found[other, column] -= after[one] / scale[other]
    found[:, len(pairs) :] = whole[:, :count] - np.eye(count)
    return found, sizes


def _resting(spread: dict[int, float], size: int) -> list[list[int]]:
    """Numbers side by side that never change and are spread alike over episodes, as many as turn together elsewhere."""
    found, place = list[list[int]](), 0
    while size > 1 and place <= max(spread, default=-1):
        run = [place + i for i in range(size)]
        own = [spread.get(each, 0.0) for each in run]
        alike = min(own) > 0 and max(own) < _ALIKE * min(own)
        found += [run] if alike else []
        place += size if alike else 1
    return found


def _named(parts: Sequence[Sequence[int]], width: int) -> Places:
    """All numbers in parts, what is left one by one; the first place first."""
    taken = {place for part in parts for place in part}
    whole = [*parts, *([place] for place in range(width) if place not in taken)]
    return {
        f"number{'s' if len(part) > 1 else ''}_{'_'.join(map(str, part))}": tuple(part)
        for part in sorted(whole, key=min)
    }
