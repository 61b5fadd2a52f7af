"""What the tests of PushT share: envs, pushes that make contact, and an episode as numbers."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from hypothesis import settings
from numpy.typing import NDArray

import equiworld.envs  # noqa: F401  registers
from equiworld.envs.pusht.env import PushTEnv

# The same examples on every run and machine, however slow it is.
PROPERTY = settings(deadline=None, derandomize=True, database=None)

Steps = list[tuple[dict[str, NDArray[np.float64]], float, bool, bool, dict[str, Any]]]


def make(**arguments: Any) -> PushTEnv:
    env = gym.make("equiworld/PushT-v0", **arguments).unwrapped
    assert isinstance(env, PushTEnv)
    return env


def rollout(env: PushTEnv, actions: NDArray[np.float64]) -> Steps:
    return [env.step(action) for action in actions]


def flat(steps: Steps) -> NDArray[np.float64]:
    """Everything numeric of an episode, row by row."""
    return np.array(
        [
            [*np.concatenate([*obs.values()]), reward, terminated, info["coverage"], *info["block_pose"]]
            for obs, reward, terminated, _, info in steps
        ]
    )


def chase(env: PushTEnv, rng: np.random.Generator, steps: int) -> NDArray[np.float64]:
    """Actions that push the block about, found by playing them; they leave the env after them."""
    actions: list[NDArray[np.float64]] = []
    for step in range(steps):
        observation = env._observation()
        if step % 3 == 0:
            aim = observation["agent_pos"] + env.exploration.action(rng, observation)
        away = aim - observation["agent_pos"]
        actions.append(away * min(1.0, 100.0 / float(np.hypot(*away))))
        env.step(actions[-1])
    return np.array(actions)
