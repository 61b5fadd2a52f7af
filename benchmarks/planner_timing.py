"""Clocks and counters of the benchmark of planners' speed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equiworld.benchmarks.contenders import World

__all__ = ["bare", "exponent", "race", "recording", "resident_mb"]

_STATM = Path("/proc/self/statm")


def race(calls: Mapping[str, Callable[[int], object]], repeats: int) -> dict[str, NDArray[np.float64]]:
    """Time calls in turn, so that what else the machine does falls on all alike.

    Args:
        calls: by name; each is given the number of the round. One round more goes before, untimed.
        repeats: rounds.

    Returns:
        Milliseconds of each call, `(repeats,)`.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(-1, repeats):
        for name, call in calls.items():
            began = time.perf_counter()
            call(max(repeat, 0))
            if repeat >= 0:
                times[name].append(1e3 * (time.perf_counter() - began))
    return {name: np.array(each) for name, each in times.items()}


def recording(world: World) -> tuple[World, list[int]]:
    """The world, and a list that grows by N at each evaluation of its dynamics for N states."""
    rows: list[int] = []

    def dynamics(state: Tensor, action: Tensor) -> Tensor:
        rows.append(len(state))
        return world.dynamics(state, action)

    return replace(world, dynamics=dynamics), rows


def bare(world: World, rows: Sequence[int]) -> Callable[[int], None]:
    """A call that does nothing but evaluate the dynamics, as often and for as many states as was recorded."""
    generator = torch.Generator().manual_seed(0)
    inputs = {
        count: (
            torch.randn(count, world.state_size, generator=generator),
            torch.randn(count, world.action_size, generator=generator),
        )
        for count in set(rows)
    }

    @torch.inference_mode()
    def evaluate(_: int) -> None:
        for count in rows:
            world.dynamics(*inputs[count])

    return evaluate


def exponent(values: Sequence[float], times: Sequence[float]) -> float:
    """The exponent p of times ∝ valuesᵖ, by least squares of the logarithms.

    >>> round(exponent([1, 10, 100], [2, 20, 200]), 6)
    1.0
    """
    return float(np.polyfit(np.log(values), np.log(times), 1)[0])


def resident_mb() -> float:
    """Memory that this process holds [MB]; the most that it ever held where the system does not say."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    import resource  # not everywhere

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
