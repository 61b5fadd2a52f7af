"""Intervals for what episodes show: how often they succeed, and how soon."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.errors import ArgumentError

__all__ = ["clustered_interval", "mean_interval", "median_interval", "wilson_interval"]


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a success rate.

    Unlike p ± z·σ it is right for few trials and for rates near 0 and 1.

    Args:
        successes: how many succeeded.
        trials: of how many, at least 1.
        confidence: between 0 and 1.

    Raises:
        ArgumentError: an argument is out of its range.

    Reference: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209–212.

    >>> low, high = wilson_interval(50, 50)
    >>> round(low, 3), high
    (0.929, 1.0)
    """
    if trials < 1:
        raise ArgumentError("trials", trials, "at least 1")
    if not 0 <= successes <= trials:
        raise ArgumentError("successes", successes, f"between 0 and {trials}")
    _check_confidence(confidence)
    from scipy.stats import binomtest

    low, high = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    # At the ends the bound is the rate itself, which rounding would miss.
    return 0.0 if successes == 0 else float(low), 1.0 if successes == trials else float(high)


def clustered_interval(
    successes: Sequence[int], episodes: Sequence[int], confidence: float = 0.95
) -> tuple[float, float, float]:
    """Wilson's interval of a share of episodes that come in clusters, such as those of one training seed each.

    Of m clusters with nᵢ episodes, kᵢ successes and pᵢ = kᵢ/nᵢ, n = Σ nᵢ and p = Σ kᵢ/n, the variance of p by its
    linearisation is v = m/(m − 1) · Σ (nᵢ(pᵢ − p)/n)²: with equal nᵢ, that of the pᵢ over m. The design effect is
    d = max(1, v / (p(1 − p)/n)), and the interval is Wilson's of the share p of n/d episodes. One cluster says
    nothing of others: there d is 1, and the interval is of that cluster alone. Few clusters say little of v: the
    interval of two or three is rather too short.

    Args:
        successes: of each cluster.
        episodes: of each cluster, at least 1.
        confidence: between 0 and 1.

    Returns:
        The interval's ends and d.

    Raises:
        ArgumentError: an argument is out of its range, or there are not as many of one as of the other.

    References: L. Kish, Survey Sampling, Wiley, 1965, §8.2 (d); E. L. Korn and B. I. Graubard, Survey Methodology 24
    (1998) 193–201 (n/d in an interval of a share); C. Franco, R. J. A. Little, T. A. Louis and E. V. Slud, J. Surv.
    Stat. Methodol. 7 (2019) 334–364 (Wilson's with it).

    >>> low, high, effect = clustered_interval([90, 90, 90], [100, 100, 100])
    >>> effect, (low, high) == wilson_interval(270, 300)
    (1.0, True)
    """
    _check_confidence(confidence)
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
        return *wilson_interval(int(counts.sum()), int(total), confidence), effect
    from scipy import stats

    z, size = float(stats.norm.ppf((1 + confidence) / 2)), total / effect
    middle = (share + z**2 / (2 * size)) / (1 + z**2 / size)
    reach = z / (1 + z**2 / size) * math.sqrt(share * (1 - share) / size + z**2 / (4 * size**2))
    return max(0.0, float(middle - reach)), min(1.0, float(middle + reach)), effect


def mean_interval(
    values: ArrayLike, confidence: float = 0.95, clusters: ArrayLike | None = None
) -> tuple[float, float, float]:
    """The mean of a sample and Student's interval of it, m ± t·s/√n: infinite for one value, which tells no spread.

    Of clusters the interval is that of their means, n of them: values of one cluster may be alike.

    Args:
        values: `(n,)`, at least one.
        confidence: between 0 and 1.
        clusters: `(n,)`, which cluster each value is of; each of its own if None.

    Raises:
        ArgumentError: there is no value, or the confidence is out of its range.

    Reference: Student, Biometrika 6 (1908) 1–25.

    >>> mean_interval([1.0])
    (1.0, -inf, inf)
    """
    _check_confidence(confidence)
    sample = np.asarray(values, dtype=np.float64)
    if not len(sample):
        raise ArgumentError("values", "none", "at least one number")
    from scipy import stats

    mean = float(sample.mean())
    off = np.bincount(_numbered(clusters, np.arange(len(sample))), weights=sample - mean) / len(sample)
    count = len(off)
    if count == 1:
        return mean, -np.inf, np.inf
    spread = np.sqrt(count / (count - 1) * np.square(off).sum())
    half = float(stats.t.ppf((1 + confidence) / 2, count - 1) * spread)
    return mean, mean - half, mean + half


def median_interval(
    values: Sequence[float],
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    clusters: ArrayLike | None = None,
) -> tuple[float, float, float]:
    """The median of a sample and its percentile bootstrap interval.

    Args:
        values: at least one; infinite ones count as larger (or smaller) than any number.
        confidence: between 0 and 1.
        resamples: how often the sample is drawn anew, with replacement.
        seed: of the drawing.
        clusters: which cluster each value is of, whole clusters are drawn; each of its own if None.

    Returns:
        The median, and the interval's ends. All are values of the sample (of two middle ones the lower), so
        that they may be infinite but never NaN.

    >>> median_interval([20.0, 22.0, 25.0, 31.0, np.inf])
    (25.0, 20.0, inf)
    """
    _check_confidence(confidence)
    from scipy.stats import bootstrap

    given = np.asarray(values, dtype=np.float64)
    count = len(given)
    if count < 1 or np.isnan(given).any():
        raise ArgumentError("values", list(values), "at least one number, none of them NaN")
    if resamples < 1:
        raise ArgumentError("resamples", resamples, "a positive integer")
    order = np.argsort(given)
    ordered, whose = given[order], _numbered(clusters, order)
    middle, several = (count - 1) // 2, int(whose.max()) + 1
    if several == 1:
        return (float(ordered[middle]),) * 3

    # Ranks stand for values: they are finite. A value is in a resample as often as its cluster is drawn.
    def median(drawn: NDArray[np.int64], axis: int = -1) -> NDArray[np.float64]:
        rows = drawn.reshape(-1, several)
        often = np.zeros(rows.shape, np.int64)
        np.add.at(often, (np.arange(len(rows))[:, None], rows), 1)
        below = np.cumsum(often[:, whose], -1)
        return (below > (below[:, -1:] - 1) // 2).argmax(-1).reshape(drawn.shape[:-1]).astype(np.float64)

    settings = {"confidence_level": confidence, "n_resamples": resamples, "method": "percentile"}
    rng = np.random.default_rng(seed)
    ends = bootstrap((np.arange(several),), median, random_state=rng, **settings).confidence_interval
    low, high = math.floor(ends.low), math.ceil(ends.high)
    return float(ordered[middle]), float(ordered[low]), float(ordered[high])


def _numbered(clusters: ArrayLike | None, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """The clusters of values in this order, counted from 0 as they come."""
    if clusters is None:
        return np.arange(len(order))
    found = np.asarray(clusters)
    if found.shape != order.shape:
        raise ArgumentError("clusters", f"shape {found.shape}", f"one for each of {len(order)} values")
    _, first, whose = np.unique(found[order], return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[whose]


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ArgumentError("confidence", confidence, "a share between 0 and 1")
