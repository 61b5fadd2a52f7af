"""States of environments that tell and take their own, and know what g makes of it."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from equiworld.groups import GroupElement
from equiworld.verify.auditing.access import StateAccess

__all__ = ["OwnStates"]


class OwnStates(StateAccess):
    """`env.unwrapped.get_state()`, and `env.reset(options={"state": …, "group_element": g})`.

    Where a state is kept as a start and what was done since, that past would be moved too, and a wall that it meets at
    g·s and not at s would be held against the state. There `fresh_state()` gives the present as a start of its own.
    """

    @staticmethod
    def known(env: gym.Env) -> bool:
        """Whether an environment has both."""
        base: Any = env.unwrapped
        return callable(getattr(base, "get_state", None)) and hasattr(base, "set_state")

    def get(self, env: gym.Env) -> Any:
        """The state object of the environment."""
        base: Any = env.unwrapped
        fresh = getattr(base, "fresh_state", None)
        return base.get_state() if fresh is None else fresh()

    def begin(self, env: gym.Env, state: Any, g: GroupElement) -> Any:
        """By the environment's reset, whose ArgumentError says where it cannot be."""
        observation, _ = env.reset(options={"state": state, "group_element": g})
        return observation
