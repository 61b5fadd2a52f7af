"""Two arms on the same tasks: how many more one solves, and whether that is more than chance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.benchmarks.suite.rows import Row
from equiworld.benchmarks.suite.summary import is_share
from equiworld.verify.evaluation.intervals import wilson_interval

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
    seeds, and of the episodes of each. Both take few seeds for more than they are, so of several seeds Student's test
    of their differences is asked as well: the wider end of each interval and the larger p count.

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
        by_seed = (one.astype(float) - other).mean(1)
    else:
        (solved, of), (solved_there, of_there) = (count.sum(0) for count in counts)
        test, value = "Fisher", float(solved / of - solved_there / of_there)
        p = float(fisher_exact([[solved, of - solved], [solved_there, of_there - solved_there]]).pvalue)
        rng = np.random.default_rng(0)
        one, other = (_redrawn(count, rng) for count in counts)
        low, high = (float(end) for end in np.quantile(one - other, _ENDS))
        if low == high:  # each arm solves all or nothing
            low, high = _apart_by_wilson((solved, of), (solved_there, of_there))
        by_seed = np.subtract(*(count[:, 0] / count[:, 1] for count in counts))
    return _verdict(value, low, high, p, test, by_seed)


def _apart_by_wilson(ours: Sequence[int], theirs: Sequence[int]) -> tuple[float, float]:
    """Newcombe's interval of a difference of shares, each given as solved and of how many.

    Reference: R. G. Newcombe, Stat. Med. 17 (1998) 873–890, method 10.
    """
    (one, low, high), (other, low_there, high_there) = (
        (solved / of, *wilson_interval(int(solved), int(of))) for solved, of in (ours, theirs)
    )
    below, above = np.hypot(one - low, high_there - other), np.hypot(high - one, other - low_there)
    return float(one - other - below), float(one - other + above)


def compared_tasks(ours: Array, theirs: Array) -> Row:
    """Two arms on the same tasks, each tried at several elements: the difference, its interval, p and verdict.

    A task is one task however often it is turned: an exactly equivariant arm solves it everywhere or nowhere. So the
    unit is a task's mean over elements; p is of signs that are exchanged task by task, which of one element is
    McNemar's test. Of several seeds Student's test of their differences counts as well, as in `compared`.

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
    return _verdict(value, low, high, p, test, (one - other).mean(1))


def _mean_difference(one: Array, other: Array, axis: int) -> Array:
    found: Array = np.mean(one - other, axis=axis)
    return found


def _verdict(value: float, low: float, high: float, p: float, test: str, by_seed: Array) -> Row:
    """What a test of tasks, and an interval over seeds and tasks, say together with Student's test of the seeds."""
    from scipy.stats import ttest_1samp

    if len(by_seed) > 1 and np.ptp(by_seed) > 1e-9:  # seeds that agree to the last task have no spread
        seeds = ttest_1samp(by_seed, 0.0)
        ends = seeds.confidence_interval(0.95)
        low, high = min(low, float(ends.low)), max(high, float(ends.high))
        if seeds.pvalue > p:
            test, p = "t over seeds", float(seeds.pvalue)
    tie = p >= SIGNIFICANT or low <= 0 <= high
    interval = {"difference": value, "difference_low": max(low, -1.0), "difference_high": min(high, 1.0)}
    return {**interval, "p": p, "verdict": "tie" if tie else "more" if value > 0 else "fewer", "test": test}


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

    Each is drawn anew on its own, whether all seeds play the same tasks or each its own. Of few seeds it is too short,
    for they are drawn as if they were all there are. Where no difference differs, drawing anew says nothing: there it
    is the interval of Bonett and Price, of as many pairs as tasks.

    Args:
        ours: outcomes `(seeds, tasks)`.
        theirs: of the same seeds and tasks.

    References: A. B. Owen, The pigeonhole bootstrap, Ann. Appl. Stat. 1 (2007) 386–411; D. G. Bonett and R. M. Price,
    J. Educ. Behav. Stat. 37 (2012) 479–488.

    >>> [round(end, 3) for end in paired_interval(np.ones((3, 50), bool), np.zeros((3, 50), bool))]
    [1.0, 0.887, 1.0]
    """
    apart, rng = ours.astype(float) - theirs, np.random.default_rng(0)
    if np.ptp(apart) == 0:
        return float(apart.mean()), *_of_equal_pairs(float(apart.mean()), apart.shape[1])
    seeds, tasks = (rng.multinomial(n, np.full(n, 1 / n), RESAMPLES) for n in apart.shape)
    low, high = np.quantile(((seeds @ apart) * tasks).sum(1) / apart.size, _ENDS)
    return float(apart.mean()), float(low), float(high)


def _of_equal_pairs(difference: float, pairs: int) -> tuple[float, float]:
    """Bonett and Price's 95 % interval where all pairs differ alike."""
    from scipy.stats import norm

    more, less = ((pairs * max(sign * difference, 0.0) + 1) / (pairs + 2) for sign in (1.0, -1.0))
    reach = float(norm.ppf(_ENDS[1])) * math.sqrt((more + less - (more - less) ** 2) / (pairs + 2))
    return max(-1.0, more - less - reach), min(1.0, more - less + reach)


def _redrawn(counts: Array, rng: np.random.Generator) -> Array:
    """Shares of seeds drawn anew, and of the episodes of each; `counts` `(seeds, 2)` are solved and all."""
    solved, of = np.moveaxis(counts[rng.integers(len(counts), size=(RESAMPLES, len(counts)))], -1, 0)
    return rng.binomial(of, solved / of).sum(1) / of.sum(1)
