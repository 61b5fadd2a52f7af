"""Gymnasium's robots as model-free learners meet them: trained in one part of the orbit, tested on all of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.groups import GroupElement
from equiworld.symmetry import Symmetry, symmetry_of
from equiworld.symmetry.registry import move_of

__all__ = ["ROBOTS", "SlicedGoals", "StartsTurned", "symmetry_in"]


class SlicedGoals(gym.Wrapper):
    """Reacher-v5 with goals in some directions about the middle of the plane alone.

    Goals are drawn again until one lies there; the arm starts about the same direction, east, as always.

    Args:
        env: a Reacher-v5.
        half_width: of the directions [rad].
    """

    def __init__(self, env: gym.Env, half_width: float) -> None:
        super().__init__(env)
        self.half_width = half_width

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """As the environment does, until the goal lies in the slice."""
        while True:
            found = self.env.reset(seed=seed, options=None if options is None else dict(options))
            goal = self.get_wrapper_attr("goal")
            if abs(math.atan2(goal[1], goal[0])) <= self.half_width:
                return found
            seed = None


class StartsTurned(gym.Wrapper):
    """The same episodes at g·s: the simulator is brought there after each reset.

    Args:
        env: whose id has a registered move.
        g: an element of its symmetry's group.
    """

    def __init__(self, env: gym.Env, g: GroupElement) -> None:
        super().__init__(env)
        self.g, self._move = g, move_of(env)

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """As the environment does, and then moved."""
        _, info = self.env.reset(seed=seed, options=None if options is None else dict(options))
        assert self._move is not None
        seen = self._move(self.env, self.g)
        if seen is None:
            seen = self.unwrapped._get_obs()  # type: ignore[attr-defined]
        return np.asarray(seen), info


def _reacher(half_width: float) -> gym.Env:
    env = gym.make("Reacher-v5")
    return SlicedGoals(env, half_width) if half_width < math.pi else env


ROBOTS: dict[str, Callable[[float], gym.Env]] = {"Reacher-v5": _reacher}
"""By name, the environment whose goals lie within some angle; of π, all of them."""


def symmetry_in(world: str) -> Symmetry:
    """The symmetry of a robot."""
    return symmetry_of(world)
