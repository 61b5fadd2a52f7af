"""Episodes of a policy without noise, side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.benchmarks.worlds.locomotion import legs_apart

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
    returns, apart, reached = (np.zeros(count) for _ in range(3))
    knows, kept = False, list[NDArray[np.float64]]()
    for start in range(0, count, len(envs)):
        batch = envs[: count - start]
        seen = np.stack([env.reset(seed=FIRST + start + i)[0] for i, env in enumerate(batch)])
        running, steps = np.ones(len(batch), bool), np.zeros(len(batch))
        while running.any():
            kept = [*kept[1 - _KEPT :], seen[running]]
            actions, _ = policy.predict(seen, deterministic=True)
            seen = seen.copy()
            for i in np.flatnonzero(running):
                seen[i], reward, ended, cut, info = batch[i].step(actions[i])
                returns[start + i] += float(reward)
                steps[i] += 1
                if legs is not None:
                    apart[start + i] += legs_apart(batch[i], legs)
                knows = knows or "is_success" in info
                reached[start + i] = info.get("is_success", False)
                running[i] = not (ended or cut)
        apart[start : start + len(batch)] /= steps
    for env in envs:
        env.close()
    return Episodes(
        returns,
        reached.astype(bool) if knows else None,
        apart if legs is not None else None,
        np.concatenate(kept),
    )
