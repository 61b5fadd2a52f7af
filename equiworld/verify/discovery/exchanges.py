"""Bodies that may take each other's place: keys that differ in one word, and halves of the action."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from equiworld.groups.arrays import Array
from equiworld.verify.discovery.finite import FiniteGuess
from equiworld.verify.discovery.local_model import SHARE, LocalModel
from equiworld.verify.discovery.transitions import Transitions

__all__ = ["exchange_guesses"]

_ROWS = 160


def exchange_guesses(
    model: LocalModel, data: Transitions, dim: int, rng: np.random.Generator
) -> list[FiniteGuess]:
    """Exchanges of two bodies, told by the names of keys such as "left_place" and "right_place"; both as the action is
    and with its halves exchanged, whichever deviates less."""
    rows = data.at(rng.choice(len(data), min(len(data), _ROWS), replace=False))
    found = []
    for one, other in _pairs(model.names):
        order = {name: _renamed(name, one, other) for name in model.names}
        if any(len(model.scales[name]) != len(model.scales[order[name]]) for name in model.names):
            continue
        width = rows.action.shape[1]
        actions = [rows.action]
        if width % 2 == 0:
            actions.append(np.roll(rows.action, width // 2, 1))
        residual = min(_deviation(model, rows, order, action) for action in actions)
        name = f"exchange of {one!r} and {other!r}"
        found.append(FiniteGuess(name, np.eye(dim), residual, model.error, {}, 0.0, np.zeros(dim)))
    return found


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
    each = np.sqrt(np.mean(np.concatenate(off, 1) ** 2, 1))
    return float(np.quantile(each, SHARE)) / float(np.sqrt(np.mean(np.concatenate(size, 1) ** 2)) or 1.0)
