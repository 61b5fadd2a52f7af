"""States of environments that tell and take their own, and know what g makes of it."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from equiworld.groups import GroupElement
from equiworld.verify.auditing.access import StateAccess

__all__ = ["OwnStates"]


class OwnStates(StateAccess):
    """`env.unwrapped.get_state()`, and `env.reset(options={"state": …, "group_element": g})`."""

    @staticmethod
    def known(env: gym.Env) -> bool:
        """Whether an environment has both."""
        base: Any = env.unwrapped
        return callable(getattr(base, "get_state", None)) and hasattr(base, "set_state")

    def get(self, env: gym.Env) -> Any:
        """The state object of the environment."""
        base: Any = env.unwrapped
        return base.get_state()

    def begin(self, env: gym.Env, state: Any, g: GroupElement) -> Any:
        """By the environment's reset, whose ArgumentError says where it cannot be."""
        observation, _ = env.reset(options={"state": state, "group_element": g})
        return observation
