"""What an environment is called, and the wrappers around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym

__all__ = ["name_of_env", "time_limits", "wrappers_of"]


def wrappers_of(env: gym.Env) -> Iterator[gym.Wrapper]:
    """The wrappers of an environment, from the outside in."""
    while isinstance(env, gym.Wrapper):
        yield env
        env = env.env


def time_limits(env: gym.Env) -> list[Any]:
    """Gymnasium's time limits among the wrappers, from the outside in; a spec may tell of one that was taken off."""
    return [each for each in wrappers_of(env) if isinstance(each, gym.wrappers.TimeLimit)]


def name_of_env(env: gym.Env) -> str:
    """The id that an environment was made by, else its class.

    >>> name_of_env(gym.make("CartPole-v1"))
    'CartPole-v1'
    """
    return getattr(env.spec, "id", None) or type(env.unwrapped).__name__
