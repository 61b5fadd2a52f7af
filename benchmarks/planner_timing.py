"""Counters of the benchmark of planners' speed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from equiworld.benchmarks.contenders import World

__all__ = ["bare", "exponent", "recording", "resident_mb"]

_STATM = Path("/proc/self/statm")


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
