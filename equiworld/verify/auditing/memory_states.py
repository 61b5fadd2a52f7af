"""States of simulators that keep all they know in Python: the numbers among their attributes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.groups import GroupElement
from equiworld.verify.auditing.access import StateAccess
from equiworld.verify.moving import observe_now

__all__ = ["MemoryStates", "numbers_of"]

_PLAIN = (int, float, complex, str, bool, np.ndarray, np.generic, type(None))
_APART = ("_np_random", "_np_random_seed", "spec", "observation_space", "action_space", "metadata")


class MemoryStates(StateAccess):
    """The attributes of `env.unwrapped`, copied; g by a function.

    Args:
        move: `move(env, g)` brings the simulator from s to g·s.
    """

    def __init__(self, move: Callable[[gym.Env, GroupElement], Any]) -> None:
        self.move = move

    def get(self, env: gym.Env) -> dict[str, Any]:
        """Copies of all attributes; an error of whatever cannot be copied."""
        return copy.deepcopy({name: each for name, each in vars(env.unwrapped).items() if name not in _APART})

    def begin(self, env: gym.Env, state: dict[str, Any], g: GroupElement) -> Any:
        """With copies of them, and then moved."""
        vars(env.unwrapped).update(copy.deepcopy(state))
        observation = self.move(env, g)
        return observe_now(env) if observation is None else observation


def numbers_of(base: Any) -> dict[str, Any]:
    """Copies of the attributes that are numbers or arrays of them: what an environment keeps beside its engine."""
    kept = {
        name: each for name, each in vars(base).items() if name not in _APART and isinstance(each, _PLAIN)
    }
    return copy.deepcopy(kept)
