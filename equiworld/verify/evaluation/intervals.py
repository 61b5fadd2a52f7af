"""Intervals for what episodes show: how often they succeed, and how soon."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.errors import ArgumentError

__all__ = ["mean_interval", "median_interval", "wilson_interval"]


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


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> tuple[float, float, float]:
    """The mean of a sample and Student's interval of it, m ± t·s/√n: infinite for one value, which tells no spread.

    Args:
        values: `(n,)`, at least one.
        confidence: between 0 and 1.

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

    count, mean = len(sample), float(sample.mean())
    if count == 1:
        return mean, -np.inf, np.inf
    half = float(stats.t.ppf((1 + confidence) / 2, count - 1) * sample.std(ddof=1) / np.sqrt(count))
    return mean, mean - half, mean + half


def median_interval(
    values: Sequence[float], confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """The median of a sample and its percentile bootstrap interval.

    Args:
        values: at least one; infinite ones count as larger (or smaller) than any number.
        confidence: between 0 and 1.
        resamples: how often the sample is drawn anew, with replacement.
        seed: of the drawing.

    Returns:
        The median, and the interval's ends. All are values of the sample (of two middle ones the lower), so
        that they may be infinite but never NaN.

    >>> median_interval([20.0, 22.0, 25.0, 31.0, np.inf])
    (25.0, 20.0, inf)
    """
    _check_confidence(confidence)
    from scipy.stats import bootstrap

    ordered = np.sort(np.asarray(values, dtype=np.float64))
    count = len(ordered)
    if count < 1 or np.isnan(ordered).any():
        raise ArgumentError("values", list(values), "at least one number, none of them NaN")
    if resamples < 1:
        raise ArgumentError("resamples", resamples, "a positive integer")
    middle = (count - 1) // 2
    if count == 1:
        return (float(ordered[0]),) * 3

    # Ranks are drawn in place of values: they are finite, and the median of a resample is the value at its middle rank.
    def median(ranks: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
        return np.take(np.partition(ranks, middle, axis=axis), middle, axis=axis)

    settings = {"confidence_level": confidence, "n_resamples": resamples, "method": "percentile"}
    rng = np.random.default_rng(seed)
    ends = bootstrap(
        (np.arange(count, dtype=np.float64),), median, random_state=rng, **settings
    ).confidence_interval
    low, high = math.floor(ends.low), math.ceil(ends.high)
    return float(ordered[middle]), float(ordered[low]), float(ordered[high])


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ArgumentError("confidence", confidence, "a share between 0 and 1")
