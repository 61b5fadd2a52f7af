"""Bodies that may take each other's place: keys that differ in one word, and halves of the action."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from equiworld.groups.arrays import Array
from equiworld.verify.discovery.finite import FiniteGuess
from equiworld.verify.discovery.local_model import LocalModel, deviation_share
from equiworld.verify.discovery.transitions import Transitions

__all__ = ["exchange_guesses"]

_ROWS, _FEW = 160, 24
_ALIKE = 1.5  # how much farther one number may be spread than another that takes its place
_MOST, _BEST = 2000, 6  # exchanges of single numbers that are tried on few rows, and on all


def exchange_guesses(
    model: LocalModel, data: Transitions, dim: int, rng: np.random.Generator, alone: bool = False
) -> list[FiniteGuess]:
    """Exchanges of two bodies, told by the names of keys such as "left_place" and "right_place"; both as the action is
    and with its halves exchanged, whichever deviates less. Of single numbers, `alone`, those that are alike."""
    rows = data.at(rng.choice(len(data), min(len(data), _ROWS), replace=False))
    if alone:
        return _of_numbers(model, data, rows, dim)
    found = []
    for one, other in _pairs(model.names):
        order = {name: _renamed(name, one, other) for name in model.names}
        if any(len(model.scales[name]) != len(model.scales[order[name]]) for name in model.names):
            continue
        residual = _least(model, rows, order)
        found.append(_guess(f"exchange of {one!r} and {other!r}", model, residual, dim))
    return found


def _guess(words: str, model: LocalModel, residual: float, dim: int) -> FiniteGuess:
    return FiniteGuess(words, np.eye(dim), residual, model.error, {}, 0.0, np.zeros(dim))


def _least(model: LocalModel, rows: Transitions, order: Mapping[str, str]) -> float:
    """The deviation with the action as it is, or with its halves exchanged, whichever is less."""
    width = rows.action.shape[1]
    shifts = (0, width // 2) if width % 2 == 0 else (0,)
    return min(_deviation(model, rows, order, np.roll(rows.action, shift, 1)) for shift in shifts)


def _of_numbers(model: LocalModel, data: Transitions, rows: Transitions, dim: int) -> list[FiniteGuess]:
    """The best exchange of single numbers, of those that pair numbers which are spread alike; none if it does not hold.

    Tried are exchanges of runs of numbers that stand equally far apart, one run or two.
    """
    names = [name for name in model.names if len(model.scales[name]) == 1]
    few = rows.at(np.arange(min(len(rows), _FEW)))
    spread = {name: (data.before[name].mean(), data.before[name].std()) for name in names}

    def alike(one: str, other: str) -> bool:
        (mean, std), (beside, width) = spread[one], spread[other]
        return max(std, width) < _ALIKE * min(std, width) and abs(mean - beside) < 0.5 * (std + width)

    runs = [
        run
        for far in range(1, len(names))
        for start in range(len(names) - far)
        for length in range(1, min(far, len(names) - far - start) + 1)
        if (run := [(names[i], names[i + far]) for i in range(start, start + length)])
        and all(alike(*pair) for pair in run)
    ]
    pairs = [[*one, *other] for one, other in itertools.combinations(runs, 2)]
    tried = []
    for swaps in [*runs, *pairs][:_MOST]:
        if len({name for pair in swaps for name in pair}) == 2 * len(swaps):
            order = {name: name for name in model.names}
            order |= dict(swaps) | {other: one for one, other in swaps}
            tried.append((_least(model, few, order), swaps, order))
    best = sorted(tried, key=lambda each: each[0])[:_BEST]
    found = []
    for _, swaps, order in best:
        words = "exchange of " + ", ".join(f"{one!r} and {other!r}" for one, other in swaps)
        found.append(_guess(words, model, _least(model, rows, order), dim))
    found.sort(key=lambda each: each.residual)
    return [each for each in found if each.holds][:1]


def _pairs(names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Words whose exchange takes the keys to keys, and some to another."""
    words = sorted({word for name in names for word in name.split("_")})
    for one, other in itertools.combinations(words, 2):
        moved = [_renamed(name, one, other) for name in names]
        if set(moved) == set(names) and moved != list(names):
            yield one, other


def _renamed(name: str, one: str, other: str) -> str:
    swap = {one: other, other: one}
    return "_".join(swap.get(word, word) for word in name.split("_"))


def _deviation(model: LocalModel, rows: Transitions, order: Mapping[str, str], action: Array) -> float:
    """What f(P x) − P f(x) is less than in three of four rows, in shares of the changes' root mean square."""
    state = {name: rows.before[name] for name in model.names}
    here = model.change(state, rows.action)
    there = model.change({name: state[order[name]] for name in model.names}, action)
    off = [(there[name] - here[order[name]]) / model.scales[name] for name in model.names]
    size = [here[name] / model.scales[name] for name in model.names]
    return deviation_share(off, size)
