"""A point in the plane whose environment misbehaves on request."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from equiworld.groups import SE2
from equiworld.symmetry import Point, Symmetry, Vector, register_symmetry

ID = "test/MisbehavingPlane-v0"


class Counter:
    """Steps of all environments of this process, and what happens at one of them."""

    steps = 0
    fail_at: int | None = None
    nan_at: int | None = None

    @classmethod
    def reset(cls, fail_at: int | None = None, nan_at: int | None = None) -> None:
        cls.steps, cls.fail_at, cls.nan_at = 0, fail_at, nan_at


class Plane(gym.Env):
    """Displacements add up; the observation is one array, handed out again and again.

    Args:
        length: steps in an episode; a step after its end is an error.
    """

    def __init__(self, length: int = 7) -> None:
        self.length = length
        box = spaces.Box(-np.inf, np.inf, (2,), np.float64)
        self.observation_space = spaces.Dict({"place": box, "speed": box})
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float64)
        self.observation = {"place": np.zeros(2), "speed": np.zeros(2)}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.observation["place"][:] = self.np_random.normal(size=2)
        self.observation["speed"][:] = 0.0
        self.left = self.length
        return self.observation, {}

    def step(self, action: Any) -> Any:
        if self.left == 0:
            raise RuntimeError("stepped after the end of the episode")
        Counter.steps += 1
        if Counter.steps == Counter.fail_at:
            raise ZeroDivisionError("the simulator crashed")
        self.left -= 1
        self.observation["speed"][:] = action
        self.observation["place"] += action
        if Counter.steps == Counter.nan_at:
            self.observation["place"][1] = np.nan
        return self.observation, 0.0, self.left == 0, False, {}


if ID not in gym.registry:
    gym.register(ID, entry_point=Plane, disable_env_checker=True)
register_symmetry(ID, Symmetry(SE2(), {"place": Point(), "speed": Vector()}, action=Vector()))
