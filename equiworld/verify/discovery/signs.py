"""Mirrors of single numbers: which of them change sign together, tried in a model of the data."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from equiworld.groups.arrays import Array
from equiworld.verify.discovery.finite import FiniteGuess
from equiworld.verify.discovery.local_model import LocalModel, deviation_share
from equiworld.verify.discovery.transitions import Transitions

__all__ = ["sign_guesses"]

_MOST = 12  # numbers, actions among them: all their signs are tried
_FEW, _ROWS = 24, 160
_BEST = 12  # of those few rows are kind to
_AWAY = 0.5  # standard deviations: a number whose mean is farther from 0 is mirrored about another place


def sign_guesses(
    model: LocalModel, data: Transitions, dim: int, rng: np.random.Generator
) -> list[FiniteGuess]:
    """The mirrors under which single numbers change sign, the best first; none where there are too many numbers.

    A number that lies far from 0 is mirrored about a place c that is looked for: x ↦ 2c − x.
    """
    widths = {name: len(model.scales[name]) for name in (*model.names, "")}
    if sum(widths.values()) > _MOST:
        return []
    rows = data.at(rng.choice(len(data), min(len(data), _ROWS), replace=False))
    few = rows.at(np.arange(min(len(rows), _FEW)))
    middles = np.concatenate([_middle(data.before[name]) for name in model.names])
    tried = []
    for told in itertools.product((1, -1), repeat=sum(widths.values())):
        if -1 in told[: len(middles)]:
            tried.append((_deviation(model, few, np.array(told), middles), told))
    found = []
    for _, told in sorted(tried)[:_BEST]:
        signs = np.array(told)
        places, off = _placed(model, rows, signs, middles)
        found.append(_guess(model, widths, signs, places, off, dim))
    return sorted(found, key=lambda each: each.residual)


def _middle(values: Array) -> Array:
    """Where a mirror is looked for: 0, or the mean of what is far from it."""
    mean = values.mean(0)
    return np.where(np.abs(mean) > _AWAY * values.std(0), mean, 0.0)


def _placed(model: LocalModel, rows: Transitions, signs: Array, middles: Array) -> tuple[Array, float]:
    """The places about which numbers are mirrored with the least deviation, and that."""
    from scipy.optimize import minimize

    free = (signs[: len(middles)] < 0) & (middles != 0)
    first = _deviation(model, rows, signs, middles)
    if not free.any():
        return middles, first

    def at(chosen: Array) -> Array:
        whole = middles.copy()
        whole[free] = chosen
        return whole

    found = minimize(
        lambda chosen: _deviation(model, rows, signs, at(chosen)),
        middles[free],
        method="Nelder-Mead",
        options={"maxiter": 60 * int(free.sum()), "xatol": 1e-6},
    )
    return (at(found.x), float(found.fun)) if found.fun < first else (middles, first)


def _deviation(model: LocalModel, rows: Transitions, signs: Array, places: Array) -> float:
    """What f(g x) − g f(x) is less than in three of four rows, in shares of the changes' root mean square."""
    ends = np.cumsum([0, *(len(model.scales[name]) for name in model.names)])
    state, moved, linear = {}, {}, {}
    for i, name in enumerate(model.names):
        part = slice(ends[i], ends[i + 1])
        state[name], linear[name] = rows.before[name], signs[part]
        moved[name] = np.where(signs[part] < 0, 2 * places[part] - state[name], state[name])
    here, there = model.change(state, rows.action), model.change(moved, signs[ends[-1] :] * rows.action)
    off = [(there[name] - linear[name] * here[name]) / model.scales[name] for name in model.names]
    return deviation_share(off, [here[name] / model.scales[name] for name in model.names])


def _guess(
    model: LocalModel, widths: Mapping[str, int], signs: Array, places: Array, off: float, dim: int
) -> FiniteGuess:
    told, about, at = dict[str, tuple[int, ...]](), dict[str, tuple[float, ...]](), 0
    for name, width in widths.items():
        own = slice(at, at + width)
        told[name] = tuple(signs[own].tolist())
        if name and (signs[own] < 0).any():
            about[name] = tuple(np.where(signs[own] < 0, places[own], 0.0).tolist())
        at += width
    matrix = np.diag([1.0, -1.0, *[1.0] * (dim - 2)])
    moved = [name for name, each in told.items() if -1 in each]
    words = [
        f"{name} (about {about[name][0]:.4g})" if any(about.get(name, ())) else name or "action"
        for name in moved
    ]
    title = f"mirror, {', '.join(words)} change sign"
    return FiniteGuess(title, matrix, off, model.error, told, 0.0, np.zeros(dim), about)
