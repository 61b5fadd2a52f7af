"""Rows of several seeds as one row, with intervals that know that episodes of one seed are alike."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from equiworld.benchmarks.suite.rows import Row
from equiworld.errors import ArgumentError
from equiworld.verify.evaluation.intervals import wilson_interval

__all__ = ["clustered_interval", "is_share", "summarised"]

_COUNTS = ("successes", "episodes")
_Z = 1.959963984540054  # of 95 %


def clustered_interval(successes: Sequence[int], episodes: Sequence[int]) -> tuple[float, float, float]:
    """Wilson's 95 % interval of a share of episodes that come in clusters, such as those of one training seed each.

    Of m clusters with nᵢ episodes, kᵢ successes and pᵢ = kᵢ/nᵢ, n = Σ nᵢ and p = Σ kᵢ/n, the variance of p by its
    linearisation is v = m/(m − 1) · Σ (nᵢ(pᵢ − p)/n)²: with equal nᵢ, that of the pᵢ over m. The design effect is
    d = max(1, v / (p(1 − p)/n)), and the interval is Wilson's of the share p of n/d episodes. One cluster says
    nothing of others: there d is 1, and the interval is of that cluster alone. Few clusters say little of v: the
    interval of two or three is rather too short.

    Args:
        successes: of each cluster.
        episodes: of each cluster, at least 1.

    Returns:
        The interval's ends and d.

    References: L. Kish, Survey Sampling, Wiley, 1965, §8.2 (d); E. L. Korn and B. I. Graubard, Survey Methodology 24
    (1998) 193–201 (n/d in an interval of a share); C. Franco, R. J. A. Little, T. A. Louis and E. V. Slud, J. Surv.
    Stat. Methodol. 7 (2019) 334–364 (Wilson's with it).

    >>> low, high, effect = clustered_interval([90, 90, 90], [100, 100, 100])
    >>> effect, (low, high) == wilson_interval(270, 300)
    (1.0, True)
    """
    counts, sizes = np.asarray(successes, float), np.asarray(episodes, float)
    if not len(sizes) or len(sizes) != len(counts) or (sizes < 1).any():
        raise ArgumentError("episodes", list(episodes), "as many numbers as successes, each at least 1")
    total, clusters = sizes.sum(), len(sizes)
    share = counts.sum() / total
    expected = share * (1 - share) / total
    effect = 1.0
    if clusters > 1 and expected > 0:
        spread = clusters / (clusters - 1) * np.sum(((counts - sizes * share) / total) ** 2)
        effect = max(1.0, float(spread / expected))
    if effect == 1.0:
        return *wilson_interval(int(counts.sum()), int(total)), effect
    size = total / effect
    middle = (share + _Z**2 / (2 * size)) / (1 + _Z**2 / size)
    reach = _Z / (1 + _Z**2 / size) * math.sqrt(share * (1 - share) / size + _Z**2 / (4 * size**2))
    return max(0.0, float(middle - reach)), min(1.0, float(middle + reach)), effect


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
    `episodes` are sums; other numbers are means, with the least and the greatest seed as `_low` and `_high`, or, of
    one row alone, as they are. A number that some seed does not have, such as the median of steps where most episodes
    failed, is left out: the mean of the others would flatter. Different words stand one after another.

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
