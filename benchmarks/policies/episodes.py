"""Episodes of a policy without noise, side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.benchmarks.worlds.locomotion import legs_apart
from equiworld.rollout import Start, rollout

__all__ = ["Episodes", "episodes"]

FIRST = 1_000_000
"""Seed of the first episode that is tested."""
_ABREAST, _KEPT = 25, 20


@dataclass(frozen=True)
class Episodes:
    """What came of N episodes.

    Attributes:
        returns: `(N,)`.
        success: `(N,)` bool, or None where the world knows none.
        legs: `(N,)` mean over the episode of the distance between the angles of two joints [rad], or None.
        seen: some of what was observed, `(…, size)`.
    """

    returns: NDArray[np.float64]
    success: NDArray[np.bool_] | None
    legs: NDArray[np.float64] | None
    seen: NDArray[np.float64]


def episodes(
    policy: Any, make: Callable[[], gym.Env], count: int, legs: tuple[str, str] | None = None
) -> Episodes:
    """Run episodes with seeds that count up.

    Args:
        policy: with `predict`; one without memory.
        make: an environment.
        count: N.
        legs: joints to compare.
    """
    envs = [make() for _ in range(min(count, _ABREAST))]
    returns, steps, apart, reached = (np.zeros(count) for _ in range(4))
    knows, kept = False, deque[NDArray[np.float64]](maxlen=_ABREAST * _KEPT)
    try:
        for step in rollout(policy, envs, map(Start, range(FIRST, FIRST + count))):
            kept.append(step.observation)
            if step.number == 0:
                continue
            assert step.start.seed is not None
            i = step.start.seed - FIRST
            returns[i] += step.reward
            steps[i] += 1
            if legs is not None:
                apart[i] += legs_apart(envs[step.env], legs)
            knows = knows or "is_success" in step.info
            reached[i] = step.info.get("is_success", False)
    finally:
        for env in envs:
            env.close()
    return Episodes(
        returns,
        reached.astype(bool) if knows else None,
        None if legs is None else apart / steps,
        np.stack(kept),
    )
