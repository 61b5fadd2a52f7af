"""How a simulator's state is remembered and restored, at s or at g·s."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.groups import GroupElement
from equiworld.groups.arrays import Array
from equiworld.verify.wrapped import time_limits

__all__ = ["Restored", "Snapshot", "StateAccess", "reseed"]


class StateAccess(ABC):
    """Reads a simulator's state, and puts the simulator at s or at g·s."""

    @abstractmethod
    def get(self, env: gym.Env) -> Any:
        """All that decides what follows, apart from random numbers."""

    @abstractmethod
    def begin(self, env: gym.Env, state: Any, g: GroupElement) -> Any:
        """Put the simulator at g·s, the identity included, and return what is observed there.

        Raises:
            ArgumentError: this simulator cannot be there.
        """

    def numbers(self, env: gym.Env) -> Mapping[str, Array]:
        """The present state as arrays that can be compared, orientations as matrices; empty where it cannot be read."""
        return {}


@dataclass(frozen=True)
class Snapshot:
    """A state with what lies around it.

    Attributes:
        state: of the simulator.
        random: the state of the environment's generator; None if it has none.
        elapsed: steps that each time limit among the wrappers has counted, from the outside in.
    """

    state: Any
    random: Mapping[str, Any] | None
    elapsed: tuple[int | None, ...]


class Restored:
    """Snapshots of an environment with all its wrappers; random numbers go on as they did.

    Args:
        access: of its simulator.
    """

    def __init__(self, access: StateAccess) -> None:
        self.access = access

    def get(self, env: gym.Env) -> Snapshot:
        """The present state."""
        generator = _generator(env)
        random = None if generator is None else generator.bit_generator.state
        elapsed = tuple(getattr(each, "_elapsed_steps", None) for each in time_limits(env))
        return Snapshot(self.access.get(env), random, elapsed)

    def begin(self, env: gym.Env, state: Snapshot, g: GroupElement) -> Any:
        """Put it at g·s; what is observed there."""
        observation = self.access.begin(env, state.state, g)
        generator = _generator(env)
        if generator is not None and state.random is not None:
            generator.bit_generator.state = state.random
        for wrapper, elapsed in zip(time_limits(env), state.elapsed, strict=True):
            wrapper._elapsed_steps = elapsed
        return observation


def _generator(env: gym.Env) -> np.random.Generator | None:
    found = getattr(env.unwrapped, "_np_random", None)
    return found if isinstance(found, np.random.Generator) else None


def reseed(env: gym.Env, seed: int) -> bool:
    """Give the environment's generator other numbers; False if it has none that is known."""
    if _generator(env) is None:
        return False
    env.unwrapped.np_random = np.random.default_rng([seed, 0x6E6F697365])
    return True
