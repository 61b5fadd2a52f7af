"""One reset and one step of an environment, checked: an error says in which episode, and at which step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.errors import SimulationError

__all__ = ["Begin", "Take", "Transition", "reset_env", "step_env"]

Begin = Callable[[gym.Env, int | None, Mapping[str, Any] | None], tuple[Any, dict[str, Any]]]
"""Begins the episode of a seed with these options in an environment: the observation and info, as a reset returns."""

Transition = tuple[Any, float, bool, bool, dict[str, Any]]
Take = Callable[[gym.Env, Any, int | None, int], Transition]
"""Takes an action in an environment, in the episode of a seed after so many steps: what a step returns."""


def reset_env(
    env: gym.Env, seed: int | None, options: Mapping[str, Any] | None
) -> tuple[Any, dict[str, Any]]:
    """Begin the episode of a seed."""
    try:
        observation, info = env.reset(seed=seed, options=dict(options) if options else None)
        _check_info(info)
    except Exception as error:
        raise SimulationError(f"the environment failed at reset of seed {seed}: {error}") from error
    _check_finite(observation, f"seed {seed}, reset")
    return observation, info


def step_env(env: gym.Env, action: Any, seed: int | None, step: int) -> Transition:
    """Take one step; an error says in which episode and at which step it was."""
    try:
        observation, gained, terminated, truncated, info = env.step(action)
        reward = float(gained)
        _check_info(info)
    except Exception as error:
        raise SimulationError(
            f"the environment failed in the episode of seed {seed} at step {step}: {error}"
        ) from error
    place = f"seed {seed}, step {step}"
    _check_finite(observation, place)
    if not np.isfinite(reward):
        raise SimulationError(f"the reward is {reward} ({place})")
    return observation, reward, bool(terminated), bool(truncated), info


def _check_info(info: Any) -> None:
    if not isinstance(info, Mapping):
        raise TypeError(f"info is a {type(info).__name__}, not a dict")


def _check_finite(observation: Any, place: str) -> None:
    parts = observation.items() if isinstance(observation, Mapping) else [("observation", observation)]
    for name, part in parts:
        array = np.asarray(part)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise SimulationError(f"{name} is not finite ({place})")
