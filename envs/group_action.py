"""An environment seen turned: every observation is g·s, every action is taken in the turned world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from equiworld.envs.arguments import as_number
from equiworld.envs.inner_actions import InnerActions, Outside
from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement, group_from_name
from equiworld.rollout.turned import SeenTurned
from equiworld.symmetry import Symmetry, symmetry_of
from equiworld.symmetry.compiled_element import CompiledElement

__all__ = ["GroupAction", "RandomGroupAction"]


class _TurnedWorld(SeenTurned, RecordConstructorArgs):
    """The base of both wrappers: actions outside the wrapped box, and the element in info."""

    def __init__(self, env: gym.Env, symmetry: Symmetry | str | None, outside: Outside) -> None:
        self._inner_actions = InnerActions(outside)
        SeenTurned.__init__(self, env, resolve_symmetry(env, symmetry))
        self._shown_element: GroupElement | None = None

    @property
    def group_element(self) -> GroupElement:
        """The element that this wrapper acts with in the current episode.

        Raises:
            gymnasium.error.ResetNeeded: No episode has begun, so no element is drawn yet.
        """
        return self._current().element

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode of the wrapped environment and show it turned.

        Args:
            seed: Passed on.
            options: Passed on. An environment that is to begin turned, with `"group_element"`, begins so in the world
                that is shown, where the wrapper's own element is known before the reset.

        Returns:
            The observation g·s, and the info with its declared poses turned and `"group_element"` added.
        """
        observation, shown = super().reset(seed=seed, options=options)
        self._shown_element = product(self._current().element, shown.get("group_element"))
        shown["group_element"] = self._shown_element
        return observation, shown

    def _inner_action(self, action: Any) -> Any:
        return self._inner_actions(action)

    def step(self, action: NDArray[Any]) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take an action of the turned world: the wrapped environment gets g⁻¹·action.

        Args:
            action: `(size,)`, finite, in the units of the wrapped environment.

        Returns:
            The observation g·s′, the reward and both flags untouched, the info turned.

        Raises:
            ArgumentError: The action has another shape, is not finite, or leads outside where that is refused;
                nothing has happened then.
        """
        observation, reward, terminated, truncated, info = super().step(action)
        info["group_element"] = self._shown_element
        return observation, reward, terminated, truncated, info


class GroupAction(_TurnedWorld):
    """The same world, seen through one fixed group element g.

    Passive: the simulator runs as before. What is seen is g·s, the goal entries included; an action a of the
    turned world reaches the simulator as g⁻¹·a; the poses that the symmetry declares in `info` turn along.
    Rewards and flags are untouched, and so is the rendered picture.

    `info["group_element"]` leads from the unturned world to the one shown: g, or g @ h if what is wrapped
    says at reset that it is itself turned by h (another GroupAction, or an environment started with
    `options={"group_element": h}`).

    Args:
        env: An environment with a registered symmetry.
        g: One element of the symmetry's dimension, or its `to_dict()`. Any isometry will do: to look at a
            world from elsewhere asks nothing of its physics.
        symmetry: How the environment transforms: a `Symmetry`, the id of a registered environment, or None
            for `symmetry_of(env)`. With the latter two `env.spec.to_json()` works.
        outside: What becomes of an action that reaches the wrapped environment outside its own box, as some of
            those shown do unless the box is a ball or its own image: "pass" it on as it is (which is said once,
            by a warning), "clip" it to the box, or "raise" an ArgumentError.

    Raises:
        ArgumentError: g has another dimension or is a batch, or the observations are not the symmetry's.
        UnknownNameError: The environment has no registered symmetry.

    >>> import gymnasium as gym, numpy as np, equiworld.envs
    >>> from equiworld.groups import SE2
    >>> env = gym.make("equiworld/PushT-v0")
    >>> turned = GroupAction(env, SE2().rotation(np.pi))  # half a turn about the centre, (255.5, 255.5)
    >>> (env.reset(seed=0)[0]["agent_pos"] + turned.reset(seed=0)[0]["agent_pos"]).round(6)
    array([511., 511.])
    """

    def __init__(
        self,
        env: gym.Env,
        g: GroupElement | Mapping[str, Any],
        symmetry: Symmetry | str | None = None,
        outside: Outside = "pass",
    ) -> None:
        element = resolve_element(g)
        # A spec is deep-copied and written as JSON: record plain numbers.
        RecordConstructorArgs.__init__(self, g=element.to_dict(), symmetry=symmetry, outside=outside)
        _TurnedWorld.__init__(self, env, symmetry, outside)
        if element.batch_shape:
            raise ArgumentError("g", f"a batch of shape {element.batch_shape}", "one group element")
        check_dimension("g", element, self.symmetry)
        self.observation_space = self.symmetry.transform_space(element, env.observation_space, "observation")
        self.action_space = self.symmetry.transform_space(element, env.action_space, "action")
        self._inner_actions.guard(self.symmetry, element, env.action_space, self.action_space)
        self._compiled = CompiledElement(self.symmetry, element)
        self._shown_element = element

    def _inner_options(self, options: dict[str, Any] | None) -> dict[str, Any] | None:
        """g·(h·s) is h·(h⁻¹ g h)·s: what is shown by h begins at g where the environment begins at h⁻¹ g h."""
        g, h = (options or {}).get("group_element"), self.group_element
        if not isinstance(g, GroupElement) or g.batch_shape:
            return options
        return {**(options or {}), "group_element": h.inverse() @ g @ h}


class RandomGroupAction(_TurnedWorld):
    """The same world, seen through another group element in each episode; otherwise as `GroupAction`.

    The element is drawn from the environment's own generator just after it was reset, so `reset(seed=…)`
    makes the elements repeatable; later episodes start elsewhere than without the wrapper.

    Args:
        env: An environment with a registered symmetry.
        group: The group to draw from, or its name, such as "SE2".
        scale: The longest translation, in the units of the points; the symmetry's `length_scale` if None.
        symmetry: As for `GroupAction`.
        outside: As for `GroupAction`.

    Raises:
        ArgumentError: The group has another dimension, or scale is not a finite number of at least 0.
        UnknownNameError: The environment has no registered symmetry.

    >>> import gymnasium as gym, equiworld.envs
    >>> from equiworld.groups import SO2
    >>> env = RandomGroupAction(gym.make("equiworld/PushT-v0"), SO2())
    >>> first, again = (env.reset(seed=0)[1]["group_element"] for _ in range(2))
    >>> first.is_close(again), first.is_close(env.reset()[1]["group_element"])
    (True, False)
    """

    def __init__(
        self,
        env: gym.Env,
        group: Group | str,
        scale: float | None = None,
        symmetry: Symmetry | str | None = None,
        outside: Outside = "pass",
    ) -> None:
        drawn_from, longest = resolve_group(group), resolve_scale(scale)
        RecordConstructorArgs.__init__(
            self, group=drawn_from.name, scale=longest, symmetry=symmetry, outside=outside
        )
        _TurnedWorld.__init__(self, env, symmetry, outside)
        check_dimension("group", drawn_from, self.symmetry)
        self.group = drawn_from
        self.scale = float(self.symmetry.length_scale) if longest is None else longest
        transform_space = self.symmetry.transform_space
        self.observation_space = transform_space(self.group, env.observation_space, "observation", self.scale)
        self.action_space = transform_space(self.group, env.action_space, "action", self.scale)
        guard = self._inner_actions.guard
        guard(self.symmetry, self.group, env.action_space, self.action_space, self.scale)

    def _next_element(self) -> CompiledElement:
        element = self.group.sample(self.np_random, scale=self.scale)
        # The same seed gives the same object, so that infos of repeated episodes compare as equal.
        if self._compiled is not None and is_identical(element, self._compiled.element):
            return self._compiled
        return CompiledElement(self.symmetry, element)


def resolve_symmetry(env: Any, symmetry: Symmetry | str | None) -> Symmetry:
    """The symmetry given, or that of the wrapper below, or the registered one."""
    if symmetry is not None:
        if not isinstance(symmetry, Symmetry | str):
            expected = "a Symmetry, the id of a registered environment, or None"
            raise ArgumentError("symmetry", symmetry, expected)
        return symmetry_of(symmetry)
    return symmetry_of(env)


def resolve_element(g: GroupElement | Mapping[str, Any]) -> GroupElement:
    """An element, also from its `to_dict()`."""
    if isinstance(g, GroupElement):
        return g
    if not isinstance(g, Mapping):
        raise ArgumentError("g", g, "a group element, or its to_dict()")
    return GroupElement.from_dict(g)


def resolve_group(group: Group | str) -> Group:
    """A group, also from its name."""
    if isinstance(group, Group):
        return group
    if not isinstance(group, str):
        raise ArgumentError("group", group, 'a group, or its name, such as "SE2"')
    return group_from_name(group)


def resolve_scale(scale: Any) -> float | None:
    """The longest translation, if it is given."""
    return None if scale is None else as_number("scale", scale, "(in the units of the points)", zero=True)


def check_dimension(argument: str, given: GroupElement | Group, symmetry: Symmetry) -> None:
    """Refuse what moves another space than the symmetry's."""
    if given.dim != symmetry.dim:
        raise ArgumentError(argument, f"{given!r} of dimension {given.dim}", f"dimension {symmetry.dim}")


def product(element: GroupElement, below: Any) -> GroupElement:
    """`element @ below`, where what is wrapped said that it is itself turned."""
    return element @ below if isinstance(below, GroupElement) else element


def is_identical(first: GroupElement, second: GroupElement) -> bool:
    """Whether two elements agree in every bit."""
    return (
        first.group == second.group
        and np.array_equal(first.matrix, second.matrix)
        and np.array_equal(first.translation, second.translation)
    )
