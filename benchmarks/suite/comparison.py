"""Two arms on the same tasks: how many more one solves, and whether that is more than chance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.benchmarks.suite.rows import Row
from equiworld.benchmarks.suite.summary import is_share

__all__ = ["SIGNIFICANT", "compared", "compared_tasks", "mcnemar", "paired_interval"]

SIGNIFICANT = 0.05
"""A p of at least this is a tie, and so is an interval with 0 in it."""

RESAMPLES = 4_000
FLIPS = 9_999  # of signs; p is at least one in so many and one
_ENDS = (0.025, 0.975)

Array = NDArray[Any]


def compared(rows: Iterable[Row], measures: Iterable[str]) -> list[Row]:
    """Each arm against each before it wherever both have a `success` in rows that differ in seed and measures only.

    Seeds that both have count. With outcomes task by task (`tasks_solved`) they are paired: McNemar's exact test, and a
    bootstrap over seeds and tasks together. With counts alone it is Fisher's exact test, and a bootstrap of each arm's
    seeds, and of the episodes of each.

    Args:
        rows: of one question.
        measures: their columns that say what; all others but arm and seed say where.

    Returns:
        Rows with `arm`, `against`, `seeds`, `difference` of shares with its 95 % interval, `p`, `test` and `verdict`.
    """
    said = {name + end for name in measures for end in ("", "_low", "_high")} | {"seed", "arm"}
    places: dict[str, tuple[Row, dict[str, dict[Any, Row]]]] = {}
    for row in rows:
        if is_share(row, "success"):
            where = {key: value for key, value in row.items() if key not in said and value is not None}
            _, arms = places.setdefault(repr(sorted(where.items())), (where, {}))
            arms.setdefault(row["arm"], {})[row["seed"]] = row
    found = []
    for where, arms in places.values():
        for first, other in combinations(arms, 2):
            seeds = [seed for seed in arms[first] if seed in arms[other]]
            if seeds:
                pair = [[arms[arm][seed] for seed in seeds] for arm in (other, first)]
                found.append(
                    {**where, "arm": other, "against": first, "seeds": len(seeds), **_compared(*pair)}
                )
    return found


def _compared(ours: Sequence[Row], theirs: Sequence[Row]) -> Row:
    """Rows of the same seeds in the same order."""
    from scipy.stats import fisher_exact

    texts = [[row.get("tasks_solved") for row in rows] for rows in (ours, theirs)]
    counts = [
        np.array([[round(row["success"] * row["episodes"]), row["episodes"]] for row in rows])
        for rows in (ours, theirs)
    ]
    if all(text is not None and len(text) == len(texts[0][0] or "") for side in texts for text in side):
        one, other = (np.array([[mark == "+" for mark in str(text)] for text in side]) for side in texts)
        test, p = "McNemar", mcnemar(one, other)
        value, low, high = paired_interval(one, other)
    else:
        (solved, of), (solved_there, of_there) = (count.sum(0) for count in counts)
        test, value = "Fisher", float(solved / of - solved_there / of_there)
        p = float(fisher_exact([[solved, of - solved], [solved_there, of_there - solved_there]]).pvalue)
        rng = np.random.default_rng(0)
        one, other = (_redrawn(count, rng) for count in counts)
        low, high = (float(end) for end in np.quantile(one - other, _ENDS))
    return {**_verdict(value, low, high, p), "test": test}


def compared_tasks(ours: Array, theirs: Array) -> Row:
    """Two arms on the same tasks, each tried at several elements: the difference, its interval, p and verdict.

    A task is one task however often it is turned: an exactly equivariant arm solves it everywhere or nowhere. So the
    unit is a task's mean over elements; p is of signs that are exchanged task by task, which of one element is
    McNemar's test.

    Args:
        ours: outcomes `(seeds, tasks, elements)`.
        theirs: of the same.
    """
    from scipy.stats import permutation_test

    one, other = ours.mean(-1), theirs.mean(-1)
    value, low, high = paired_interval(one, other)
    if ours.shape[-1] == 1:
        test, p = "McNemar", mcnemar(ours.astype(bool), theirs.astype(bool))
    else:
        apart = (one - other).ravel()
        drawn = {"n_resamples": FLIPS, "rng": np.random.default_rng(0), "permutation_type": "samples"}
        zeros = np.zeros_like(apart)
        test = "sign flips"
        p = float(permutation_test((apart, zeros), _mean_difference, vectorized=True, **drawn).pvalue)
    return {**_verdict(value, low, high, p), "test": test}


def _mean_difference(one: Array, other: Array, axis: int) -> Array:
    found: Array = np.mean(one - other, axis=axis)
    return found


def _verdict(value: float, low: float, high: float, p: float) -> Row:
    # The test takes seeds for independent tasks, which the interval does not: both have to say so.
    tie = p >= SIGNIFICANT or low <= 0 <= high
    ends = {"difference": value, "difference_low": low, "difference_high": high, "p": p}
    return {**ends, "verdict": "tie" if tie else "more" if value > 0 else "fewer"}


def mcnemar(ours: Array, theirs: Array) -> float:
    """The exact p of as many tasks that only one of two arms solves, if it were as likely to be either's.

    Args:
        ours: outcomes, of any shape.
        theirs: of the same tasks.

    Reference: Q. McNemar, Psychometrika 12 (1947) 153–157.

    >>> mcnemar(np.ones(6, bool), np.zeros(6, bool))
    0.03125
    """
    from scipy.stats import binomtest

    alone, alone_there = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    return float(binomtest(alone, alone + alone_there).pvalue) if alone + alone_there else 1.0


def paired_interval(ours: Array, theirs: Array) -> tuple[float, float, float]:
    """The difference of two arms' shares and its 95 % interval, by a bootstrap over seeds and tasks together.

    Each is drawn anew on its own: right, or a little wide, whether all seeds play the same tasks or each its own.

    Args:
        ours: outcomes `(seeds, tasks)`.
        theirs: of the same seeds and tasks.

    Reference: A. B. Owen, The pigeonhole bootstrap, Ann. Appl. Stat. 1 (2007) 386–411.

    >>> paired_interval(np.ones((3, 50), bool), np.zeros((3, 50), bool))
    (1.0, 1.0, 1.0)
    """
    apart, rng = ours.astype(float) - theirs, np.random.default_rng(0)
    seeds, tasks = (rng.multinomial(n, np.full(n, 1 / n), RESAMPLES) for n in apart.shape)
    low, high = np.quantile(((seeds @ apart) * tasks).sum(1) / apart.size, _ENDS)
    return float(apart.mean()), float(low), float(high)


def _redrawn(counts: Array, rng: np.random.Generator) -> Array:
    """Shares of seeds drawn anew, and of the episodes of each; `counts` `(seeds, 2)` are solved and all."""
    solved, of = np.moveaxis(counts[rng.integers(len(counts), size=(RESAMPLES, len(counts)))], -1, 0)
    return rng.binomial(of, solved / of).sum(1) / of.sum(1)
