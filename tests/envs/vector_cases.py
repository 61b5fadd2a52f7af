"""Vector environments of point masses, wrapped or not, and how to run them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from point_mass import ID

import equiworld.envs  # noqa: F401  registers
from equiworld.envs.group_action import GroupAction
from equiworld.groups import E2, GroupElement

COUNT = 3
BATCH = E2().sample(np.random.default_rng(4), COUNT, scale=4.0)
MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED]
AUTOMATIC = MODES[:2]
KINDS = [SyncVectorEnv, AsyncVectorEnv]


def make_one(g: GroupElement | None = None, below: GroupElement | None = None) -> gym.Env:
    env: gym.Env = gym.make(ID)
    for element in (below, g):
        env = env if element is None else GroupAction(env, element)
    return env


def make(kind: Any, mode: AutoresetMode, elements: Any = None) -> Any:
    """A vector env of point masses, each wrapped by its element if there are any."""
    elements = [None] * COUNT if elements is None else elements
    return kind([functools.partial(make_one, g) for g in elements], autoreset_mode=mode)


def actions(steps: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (steps, COUNT, 2))


def follow(env: Any, mode: AutoresetMode, steps: int, turn: Any = None, seed: Any = 5) -> Iterator[Any]:
    """Each result of the env; without automatic resets those that ended are reset by their mask."""
    yield env.reset(seed=seed)
    for action in actions(steps):
        result = env.step(action if turn is None else turn(action))
        yield result
        ended = result[2] | result[3]
        if mode is AutoresetMode.DISABLED and ended.any():
            yield env.reset(options={"reset_mask": ended})
