"""Rows of several seeds as one row, with intervals that know that episodes of one seed are alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from equiworld.benchmarks.suite.rows import Row
from equiworld.verify.evaluation.intervals import clustered_interval, wilson_interval

__all__ = ["is_share", "summarised"]

_COUNTS = ("successes", "episodes")
_PROBABILITIES = ("p_all",)  # of independent tests, whose mean would be no probability of anything


def is_share(row: Row, name: str) -> bool:
    """Whether a column is a share of the row's episodes, as `share` writes it: with Wilson's interval of its count."""
    numbers = [row.get(key) for key in (name, f"{name}_low", f"{name}_high", "episodes")]
    if any(not isinstance(number, int | float) for number in numbers) or not 0 <= numbers[0] <= 1:  # type: ignore[operator]
        return False
    value, low, high, episodes = numbers
    count = round(value * episodes)  # type: ignore[operator]
    return np.allclose((value, low, high), (count / episodes, *wilson_interval(count, int(episodes))))  # type: ignore[operator, arg-type]


def summarised(rows: Iterable[Row], measures: Iterable[str]) -> list[Row]:
    """One row for all rows that differ in seed and measures only, in the order of the first of each.

    Its column `seeds` says how many seeds it is of. Shares are pooled, with `clustered_interval`; `successes` and
    `episodes` are sums; probabilities are joined by Fisher's method; other numbers are means, with the least and the
    greatest seed as `_low` and `_high`, or, of one row alone, as they are. A number that some seed does not have, such
    as the median of steps where most episodes failed, is left out: the mean of the others would flatter. Different
    words stand one after another.

    Args:
        rows: of one question.
        measures: their columns that say what; all others but the seed say where.

    >>> summarised([{"arm": "a", "seed": 0, "error": 1.0}, {"arm": "a", "seed": 1, "error": 2.0}], ["error"])
    [{'arm': 'a', 'seeds': 2, 'error': 1.5, 'error_low': 1.0, 'error_high': 2.0}]
    """
    names = list(measures)
    said = {name + end for name in names for end in ("", "_low", "_high")} | {"seed"}
    groups: dict[str, list[Row]] = {}
    for row in rows:
        where = {key: value for key, value in row.items() if key not in said and value is not None}
        groups.setdefault(repr(sorted(where.items())), []).append(row)
    return [_one(group, names, said) for group in groups.values()]


def _one(rows: Sequence[Row], names: Sequence[str], said: set[str]) -> Row:
    from scipy.stats import combine_pvalues

    found = {key: value for key, value in rows[0].items() if key not in said}
    found["seeds"] = len({row.get("seed") for row in rows})
    if len(rows) == 1:
        return found | {key: value for key, value in rows[0].items() if key in said and key != "seed"}
    for name in names:
        there = [row for row in rows if row.get(name) is not None]
        values = [row[name] for row in there]
        words = any(isinstance(value, str) for value in values)
        if not values or (not words and len({row.get("seed") for row in there}) < found["seeds"]):
            continue
        if name in _COUNTS:
            found[name] = sum(values)
        elif name in _PROBABILITIES:
            found[name] = float(combine_pvalues(values, method="fisher").pvalue)
        elif all(is_share(row, name) for row in there):
            sizes, counts = Counter[Any](), Counter[Any]()
            for row in there:  # a cluster is a seed, which may have several rows
                sizes[row.get("seed")] += row["episodes"]
                counts[row.get("seed")] += round(row[name] * row["episodes"])
            low, high, _ = clustered_interval([counts[seed] for seed in sizes], [*sizes.values()])
            found |= {name: counts.total() / sizes.total(), f"{name}_low": low, f"{name}_high": high}
        else:
            found |= _mean(name, values)
    return found


def _mean(name: str, values: Sequence[Any]) -> Row:
    different = list(dict.fromkeys(values))
    if len(different) == 1:
        return {name: different[0]}
    if any(isinstance(value, str | bool) or not isinstance(value, int | float) for value in values):
        return {name: "; ".join(str(value) for value in different)}
    return {name: float(np.mean(values)), f"{name}_low": min(values), f"{name}_high": max(values)}
