"""What the vector wrappers share: who begins an episode when, and what is shown with which element."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from equiworld.envs.group_action import product, resolve_symmetry
from equiworld.envs.inner_actions import InnerActions, Outside
from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.symmetry import Symmetry
from equiworld.symmetry.compiled_element import CompiledElement
from equiworld.symmetry.spaces import in_order_of

__all__ = ["Mask", "TurnedVectorWorld"]

Mask = NDArray[np.bool_]


class TurnedVectorWorld(VectorWrapper[Any, Any, Any, Any, Any], RecordConstructorArgs, ABC):
    """A vector environment of which each sub-environment is shown turned by an element of its own."""

    def __init__(self, env: VectorEnv, symmetry: Symmetry | str | None, outside: Outside) -> None:
        if not isinstance(env, VectorEnv):
            raise ArgumentError("env", env, "a gymnasium.vector.VectorEnv; GroupAction wraps a single env")
        VectorWrapper.__init__(self, env)
        mode = env.metadata.get("autoreset_mode")
        try:
            self._mode = AutoresetMode(mode)
        except ValueError:
            options = [option.value for option in AutoresetMode]
            raise ArgumentError("env.metadata['autoreset_mode']", mode, "an AutoresetMode", options) from None
        self._inner_actions = InnerActions(outside)
        self.symmetry = resolve_symmetry(env, symmetry)
        self._compiled: CompiledElement | None = None
        self._resetting: Mask = np.zeros(env.num_envs, dtype=bool)
        self._shown_elements = np.full(env.num_envs, None, dtype=object)

    @abstractmethod
    def _next_elements(self, begins: Mask, seeds: Sequence[int | None]) -> CompiledElement:
        """The elements from now on, new where an episode begins."""

    @property
    def group_element(self) -> GroupElement:
        """The elements that this wrapper acts with now, a batch of shape `(num_envs,)`.

        Raises:
            gymnasium.error.ResetNeeded: No episode has begun, so no element is drawn yet.
        """
        return self._current().element

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin episodes of the wrapped environments and show them turned.

        Args:
            seed: Passed on; also seeds the elements that are drawn.
            options: Passed on. Without automatic resets, `"reset_mask"` says which sub-environments begin
                anew; the others keep their element.
        """
        # The vector env takes the mask out of the options: leave the caller's as they are.
        options = None if options is None else dict(options)
        mask = (options or {}).get("reset_mask")
        observations, infos = self.env.reset(seed=seed, options=options)  # type: ignore[arg-type]
        begins = np.ones(self.num_envs, dtype=bool) if mask is None else np.array(mask, dtype=bool)
        if seed is None or isinstance(seed, int | np.integer):
            seeds: Sequence[int | None] = [
                None if seed is None else int(seed) + index for index in range(self.num_envs)
            ]
        else:
            seeds = seed
        compiled = self._next_elements(begins, seeds)
        observations, infos = self._show(compiled, observations, infos, begins, said=begins)
        self._resetting = self._resetting & ~begins
        return observations, infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Take actions of the turned worlds: the sub-environments get g⁻¹·action.

        Args:
            actions: `(num_envs, size)`, finite except where the step only resets and ignores the action.

        Returns:
            The observations g·s′, rewards and flags untouched, the infos turned. Where an episode began in
            this step its observation shows the new element, and `final_obs` and `final_info` the old.

        Raises:
            ArgumentError: The actions have another shape, are not finite, or lead outside where that is refused;
                nothing has happened then.
        """
        old = self._current()
        next_step = self._mode is AutoresetMode.NEXT_STEP
        ignored = self._resetting if next_step else None
        inner = self._inner_actions(old.inner_action(actions, ignored), ignored)
        observations, rewards, terminations, truncations, infos = self.env.step(inner)
        done = np.logical_or(terminations, truncations)
        begins = np.zeros(self.num_envs, dtype=bool)
        if next_step:
            begins, self._resetting = self._resetting, done
        elif self._mode is AutoresetMode.SAME_STEP:
            begins = done
            infos = self._show_final(old, infos)
        new = self._next_elements(begins, [None] * self.num_envs) if begins.any() else old
        everyone = np.ones(self.num_envs, dtype=bool)
        observations, infos = self._show(new, observations, infos, begins, said=everyone)
        return observations, rewards, terminations, truncations, infos

    def _current(self) -> CompiledElement:
        if self._compiled is None:
            raise ResetNeeded(f"{type(self).__name__}: call reset() first, the elements are drawn there")
        return self._compiled

    def _show(
        self, compiled: CompiledElement, observations: Any, infos: dict[str, Any], begins: Mask, said: Mask
    ) -> tuple[Any, dict[str, Any]]:
        """Turn what the wrapped environments returned, and make the elements current.

        Args:
            compiled: The elements from now on.
            observations: Batched.
            infos: Batched, with the masks `"_key"` that say whose entries are filled.
            begins: `(num_envs,)`, whose episode begins here.
            said: `(num_envs,)`, whose info came back.
        """
        whole = {key: value for key, value in infos.items() if self._is_whole(key, value, infos)}
        observations, turned = compiled.show(observations, whole)
        shown = _turn_entries(self.symmetry, compiled.element, {**infos, **turned}, skip=whole)
        if begins.any():
            below = infos.get("group_element", self._no_elements())
            for index in np.flatnonzero(begins):
                self._shown_elements[index] = product(compiled.element[index], below[index])
        self._compiled = compiled
        shown["group_element"] = self._elements_where(said)
        shown["_group_element"] = said.copy()
        return observations, shown

    def _show_final(self, old: CompiledElement, infos: dict[str, Any]) -> dict[str, Any]:
        """Turn what the finished episodes ended with, by the elements that they ran with."""
        infos = dict(infos)
        if "final_obs" in infos:
            finals = infos["final_obs"]
            if not (isinstance(finals, np.ndarray) and finals.dtype == object):
                expected = "an object array with an observation for each env that ended"
                raise ArgumentError("infos['final_obs']", type(finals).__name__, expected)
            shown = self._no_elements()
            for index in np.flatnonzero(infos["_final_obs"]):
                shown[index], _ = CompiledElement(self.symmetry, old.element[index]).show(finals[index], {})
            infos["final_obs"] = shown
        if "final_info" in infos:
            mask = np.array(infos["_final_info"])
            final = _turn_entries(self.symmetry, old.element, infos["final_info"])
            final["group_element"] = self._elements_where(mask)
            final["_group_element"] = mask
            infos["final_info"] = final
        return infos

    def _is_whole(self, key: str, value: Any, infos: Mapping[str, Any]) -> bool:
        """Whether an entry to be turned is one array that every sub-environment has filled."""
        if key not in self.symmetry.info or not isinstance(value, np.ndarray) or value.dtype == object:
            return False
        return bool(np.all(infos.get(f"_{key}", True)))

    def _no_elements(self) -> NDArray[Any]:
        return np.full(self.num_envs, None, dtype=object)

    def _elements_where(self, mask: Mask) -> NDArray[Any]:
        elements = self._no_elements()
        elements[mask] = self._shown_elements[mask]
        return elements

    def _set_spaces(self, g_or_group: GroupElement | Group, scale: float = 1.0) -> None:
        """The spaces of all sub-environments: the smallest box around what each element makes of its own."""
        single = _hull(
            self.symmetry.transform_space(g_or_group, self.env.observation_space, "observation", scale)
        )
        # Gymnasium's batched spaces may list their keys in another order than the single ones.
        self.single_observation_space = in_order_of(self.env.single_observation_space, single)
        self.observation_space = in_order_of(
            self.env.observation_space, batch_space(self.single_observation_space, self.num_envs)
        )
        turned = self.symmetry.transform_space(g_or_group, self.env.action_space, "action", scale)
        if turned is not self.env.action_space:  # else a ball, its own image
            self.single_action_space = _hull(turned)
            self.action_space = batch_space(self.single_action_space, self.num_envs)


def _turn_entries(
    symmetry: Symmetry, element: GroupElement, infos: Mapping[str, Any], skip: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Turn the declared entries of batched infos where their masks say that they are filled."""
    shown = dict(infos)
    for key, field in symmetry.info.items():
        if key not in infos or (skip is not None and key in skip):
            continue
        value = infos[key]
        filled = infos.get(f"_{key}")
        rows = range(len(value)) if filled is None else np.flatnonzero(filled)
        turned = value.copy()
        for row in rows:
            turned[row] = field.transform(element[row], value[row], symmetry.centre, key)
        shown[key] = turned
    return shown


def _hull(space: gym.Space) -> gym.Space:
    """The smallest single space that holds every row of a batched one."""
    if isinstance(space, spaces.Dict):
        return spaces.Dict({key: _hull(part) for key, part in space.items()})
    assert isinstance(space, spaces.Box)
    assert space.dtype is not None
    return spaces.Box(space.low.min(axis=0), space.high.max(axis=0), dtype=space.dtype.type)
