"""Clocks: calls that are timed in turn, and what their times come to."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from equiworld.benchmarks.suite.rows import Measure, Row

__all__ = ["RATIO", "TIMES", "median_ratio", "race", "summary", "threads"]

Times = NDArray[np.float64]

TIMES = {
    "median_ms": Measure("ms", "median time of a call over rounds", log=True),
    "minimum_ms": Measure("ms", "least time of a call over rounds", log=True),
    "repeats": Measure("1", "rounds"),
}
"""What `summary` gives."""

RATIO = Measure("1", "time over another call's of the same round; median and quartiles over rounds", log=True)


def race(
    calls: Mapping[str, Callable[[int], object]],
    repeats: int,
    *,
    window: float = 0.0,
    warm_up: int = 1,
    limit: float = math.inf,
    device: str | torch.device = "cpu",
) -> dict[str, Times]:
    """Time calls in turn, so that what else the machine does falls on all alike; each round begins with another one.

    Args:
        calls: by name; each is given the number of the round.
        repeats: rounds.
        window: what each call is repeated for in a round, so that the clock does not count [s]; once if it is 0.
        warm_up: calls of each before, untimed.
        limit: after which no further round begins [s]; there is one at least.
        device: where they compute; what it has been asked for is waited for.

    Returns:
        Milliseconds a call, `(rounds,)`.
    """

    kind = torch.device(device).type

    def wait() -> None:
        if kind != "cpu" and hasattr(getattr(torch, kind, None), "synchronize"):
            getattr(torch, kind).synchronize(*([device] if kind == "cuda" else []))

    def seconds(call: Callable[[int], object], repeat: int, count: int) -> float:
        wait()
        began = time.perf_counter()
        for _ in range(count):
            call(repeat)
        wait()
        return (time.perf_counter() - began) / count

    counts, times, names = dict.fromkeys(calls, 1), {name: list[float]() for name in calls}, list(calls)
    for name, call in calls.items():
        for _ in range(warm_up):
            call(0)
        if window:
            counts[name] = max(1, round(window / min(seconds(call, 0, 2) for _ in range(3))))
    began = time.perf_counter()
    for repeat in range(repeats):
        if repeat and time.perf_counter() - began >= limit:
            break
        for name in names[repeat % len(names) :] + names[: repeat % len(names)]:
            times[name].append(1e3 * seconds(calls[name], repeat, counts[name]))
    return {name: np.array(each) for name, each in times.items()}


def summary(times: Times) -> Row:
    """Median, least and number of times `(rounds,)` [ms]."""
    return {"median_ms": float(np.median(times)), "minimum_ms": float(times.min()), "repeats": len(times)}


def median_ratio(times: Times, others: Times, name: str = "ratio") -> Row:
    """The median over rounds of times over others of the same rounds, and its quartiles.

    >>> median_ratio(np.array([2.0, 4.0, 6.0]), np.array([1.0, 1.0, 1.0]))["ratio_low"]
    3.0
    """
    low, middle, high = (float(each) for each in np.quantile(times / others, (0.25, 0.5, 0.75)))
    return {name: middle, f"{name}_low": low, f"{name}_high": high}


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """As many threads of torch, or as there are if None, and afterwards as many as before."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
