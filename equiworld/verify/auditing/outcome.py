"""How far each run from g·s is from that from s."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equiworld.verify.auditing.runs import Runs
from equiworld.verify.check.judge import Judge
from equiworld.verify.check.pairs import EXACT

__all__ = ["Outcome", "outcomes"]


@dataclass(frozen=True)
class Outcome:
    """One run from g·s beside that from s.

    Attributes:
        state: which s.
        element: which g.
        region: where the two went.
        one_step: the largest relative deviation after at most one action, of what is observed and of the state.
        horizon: the same over all steps that mean anything.
        dynamics: whether that is within the tolerance.
        exact: whether it is rounding, of the dtype in which it is observed.
        reward: the largest relative deviation of the reward.
        rewarded: whether that is within the tolerance.
        ended: whether the episode ended alike.
    """

    state: int
    element: int
    region: str
    one_step: float
    horizon: float
    dynamics: bool
    exact: bool
    reward: float
    rewarded: bool
    ended: bool


def outcomes(judge: Judge, runs: Runs) -> list[Outcome]:
    """Those of all runs."""
    keys = {key: row for row, key in enumerate(runs.turned)}
    size = len(keys)
    worst = {name: np.zeros(size) for name in ("one_step", "horizon", "reward")}
    fine = {name: np.ones(size, bool) for name in ("dynamics", "exact", "rewarded", "ended")}
    for (role, name), blocks in judge.blocks.items():
        pairs = judge.seen[role][name]
        rows = np.array([keys[key] for key in zip(pairs.state.tolist(), pairs.element.tolist(), strict=True)])
        if not len(rows):
            continue
        relative = np.max([block.relative for block in blocks], 0)
        within = np.all([block.within(judge.tolerance) for block in blocks], 0)
        if role in ("observation", "info"):
            np.maximum.at(worst["horizon"], rows, relative)
            early = pairs.step <= 1
            np.maximum.at(worst["one_step"], rows[early], relative[early])
        if role == "reward":
            np.maximum.at(worst["reward"], rows, relative)
        part = {"reward": "rewarded", "end": "ended"}.get(role, "dynamics")
        np.logical_and.at(fine[part], rows, within)
        if part == "dynamics":
            np.logical_and.at(fine["exact"], rows, np.all([block.within() for block in blocks], 0))
    _with_numbers(runs, keys, worst, fine, judge.tolerance)
    for key, run in runs.turned.items():
        refused = run[-1].refused is not None
        fine["dynamics"][keys[key]] &= not refused
    return [
        Outcome(
            state,
            element,
            runs.regions[state, element],
            float(worst["one_step"][row]),
            float(worst["horizon"][row]),
            bool(fine["dynamics"][row]),
            bool(fine["exact"][row]),
            float(worst["reward"][row]),
            bool(fine["rewarded"][row]),
            bool(fine["ended"][row]),
        )
        for (state, element), row in keys.items()
    ]


def _with_numbers(
    runs: Runs,
    keys: Mapping[tuple[int, int], int],
    worst: Mapping[str, NDArray[np.float64]],
    fine: Mapping[str, NDArray[np.bool_]],
    tolerance: float,
) -> None:
    """The simulator's own numbers, relative to how much they differ among all states."""
    names = {name for pair in runs.numbers.values() for name in pair}
    for name in names:
        own = {key: pair[name] for key, pair in runs.numbers.items() if name in pair}
        expected = np.stack([each[0] for each in own.values()])
        unit = max(float(np.ptp(expected, axis=0).max(initial=0.0)), 1e-9)
        for key, (one, other) in own.items():
            apart = float(np.abs(one - other).max(initial=0.0)) / unit
            for each in ("one_step", "horizon"):
                worst[each][keys[key]] = max(worst[each][keys[key]], apart)
            fine["dynamics"][keys[key]] &= apart <= max(tolerance, EXACT)
            fine["exact"][keys[key]] &= apart <= EXACT
