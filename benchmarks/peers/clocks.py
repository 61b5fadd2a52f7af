"""Clocks and counters for contenders."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from equiworld.planners.peers import World

__all__ = ["race", "recording"]


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
