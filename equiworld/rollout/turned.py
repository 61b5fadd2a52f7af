"""An environment seen turned: every observation is g·s, every action is taken in the turned world."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
from gymnasium.error import ResetNeeded

from equiworld.groups import GroupElement
from equiworld.symmetry import Symmetry
from equiworld.symmetry.compiled_element import CompiledElement

__all__ = ["SeenTurned"]


class SeenTurned(gym.Wrapper[Any, Any, Any, Any]):
    """The same simulator, shown turned by g: observations g·s, actions taken as g⁻¹·a.

    Rewards and flags are untouched, and so are the spaces, which `equiworld.envs.GroupAction` turns as well.

    Args:
        env: what is turned.
        symmetry: how.
        g: one element; None for wrappers that choose one at each reset.
    """

    def __init__(self, env: gym.Env, symmetry: Symmetry, g: GroupElement | None = None) -> None:
        super().__init__(env)
        self.symmetry = symmetry
        self._compiled = None if g is None else CompiledElement(symmetry, g)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode of the wrapped environment; its observation and info, turned."""
        observation, info = self.env.reset(seed=seed, options=self._inner_options(options))
        compiled = self._next_element()
        shown = compiled.show(observation, info)
        self._compiled = (
            compiled  # only now, when nothing can fail any more: a failed reset leaves the old element
        )
        return shown

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take g⁻¹·action in the wrapped environment; the observation and info are turned."""
        compiled = self._compiled or self._current()
        inner = self._inner_action(compiled.inner_action(action))
        observation, reward, terminated, truncated, info = self.env.step(inner)
        observation, info = compiled.show(observation, info)
        return observation, reward, terminated, truncated, info

    def _current(self) -> CompiledElement:
        if self._compiled is None:
            raise ResetNeeded(f"{type(self).__name__}: call reset() first, the element is drawn there")
        return self._compiled

    def _next_element(self) -> CompiledElement:
        """The element of the episode that begins."""
        return self._current()

    def _inner_options(self, options: dict[str, Any] | None) -> dict[str, Any] | None:
        """Reset options of the wrapped environment."""
        return options

    def _inner_action(self, action: Any) -> Any:
        """The action of the wrapped environment, from an action in its world."""
        return action
