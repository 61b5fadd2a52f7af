"""Vector environments seen turned, each sub-environment by an element of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorEnv

from equiworld.envs.group_action import check_dimension, resolve_element, resolve_group, resolve_scale
from equiworld.envs.inner_actions import Outside
from equiworld.envs.turned_vector_world import Mask, TurnedVectorWorld
from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.symmetry import Symmetry
from equiworld.symmetry.compiled_element import CompiledElement

__all__ = ["VectorGroupAction", "VectorRandomGroupAction"]

_STREAM = 0x67726F7570
"""Keeps the elements' random numbers apart from those that the sub-environment draws from the same seed."""


class VectorGroupAction(TurnedVectorWorld):
    """`GroupAction` for vector environments: one fixed element for each sub-environment.

    `infos["group_element"]` is an object array of elements, with its mask, as for any other entry. All
    autoreset modes of Gymnasium work.

    Args:
        env: A vector environment with a registered symmetry.
        g: One element for all, or a batch of shape `(num_envs,)`; or its `to_dict()`.
        symmetry: As for `GroupAction`.
        outside: As for `GroupAction`.

    Raises:
        ArgumentError: g has another dimension or batch shape.
        UnknownNameError: The environment has no registered symmetry.

    >>> import gymnasium as gym, numpy as np, equiworld.envs
    >>> from equiworld.groups import SO2
    >>> envs = gym.make_vec("equiworld/PushT-v0", num_envs=2, vectorization_mode="sync")
    >>> turned = VectorGroupAction(envs, SO2().rotation([0.0, np.pi]))
    >>> seen = envs.reset(seed=0)[0]["agent_pos"], turned.reset(seed=0)[0]["agent_pos"]
    >>> bool(np.allclose(seen[0][0], seen[1][0])), (seen[0][1] + seen[1][1]).round(6)
    (True, array([511., 511.]))
    """

    def __init__(
        self,
        env: VectorEnv,
        g: GroupElement | Mapping[str, Any],
        symmetry: Symmetry | str | None = None,
        outside: Outside = "pass",
    ) -> None:
        element = resolve_element(g)
        RecordConstructorArgs.__init__(self, g=element.to_dict(), symmetry=symmetry, outside=outside)
        TurnedVectorWorld.__init__(self, env, symmetry, outside)
        check_dimension("g", element, self.symmetry)
        if element.batch_shape not in ((), (env.num_envs,)):
            expected = f"one element, or a batch of shape ({env.num_envs},)"
            raise ArgumentError("g", f"a batch of shape {element.batch_shape}", expected)
        if not element.batch_shape:
            element = GroupElement.stack([element] * env.num_envs)
        self._set_spaces(element)
        self._inner_actions.guard(self.symmetry, element, env.action_space, self.action_space)
        self._fixed = CompiledElement(self.symmetry, element)

    @property
    def group_element(self) -> GroupElement:
        """The elements, a batch of shape `(num_envs,)`."""
        return self._fixed.element

    def _next_elements(self, begins: Mask, seeds: Sequence[int | None]) -> CompiledElement:
        return self._fixed


class VectorRandomGroupAction(TurnedVectorWorld):
    """`RandomGroupAction` for vector environments: a new element for each episode of each sub-environment.

    Each sub-environment has a stream of elements of its own, seeded by `reset(seed=…)` with the seed that the
    sub-environment gets. So its elements do not depend on when its neighbours end, and its episodes are those
    that it has without the wrapper.

    Args:
        env: A vector environment with a registered symmetry.
        group: The group to draw from, or its name, such as "SE2".
        scale: The longest translation, in the units of the points; the symmetry's `length_scale` if None.
        symmetry: As for `GroupAction`.
        outside: As for `GroupAction`.

    Raises:
        ArgumentError: The group has another dimension, or scale is not a finite number of at least 0.
        UnknownNameError: The environment has no registered symmetry.

    >>> import gymnasium as gym, equiworld.envs
    >>> from equiworld.groups import SO2
    >>> envs = gym.make_vec("equiworld/PushT-v0", num_envs=2, vectorization_mode="sync")
    >>> turned = VectorRandomGroupAction(envs, SO2())
    >>> first, again = (turned.reset(seed=0)[1]["group_element"] for _ in range(2))
    >>> first[0].is_close(again[0]), first[0].is_close(first[1])
    (True, False)
    """

    def __init__(
        self,
        env: VectorEnv,
        group: Group | str,
        scale: float | None = None,
        symmetry: Symmetry | str | None = None,
        outside: Outside = "pass",
    ) -> None:
        drawn_from, longest = resolve_group(group), resolve_scale(scale)
        RecordConstructorArgs.__init__(
            self, group=drawn_from.name, scale=longest, symmetry=symmetry, outside=outside
        )
        TurnedVectorWorld.__init__(self, env, symmetry, outside)
        check_dimension("group", drawn_from, self.symmetry)
        self.group = drawn_from
        self.scale = float(self.symmetry.length_scale) if longest is None else longest
        self._set_spaces(self.group, self.scale)
        guard = self._inner_actions.guard
        guard(self.symmetry, self.group, env.action_space, self.action_space, self.scale)
        self._generators: list[np.random.Generator | None] = [None] * env.num_envs
        # Whoever has not begun an episode yet is at the identity.
        self._elements = [self.group.identity()] * env.num_envs

    def _next_elements(self, begins: Mask, seeds: Sequence[int | None]) -> CompiledElement:
        elements = list(self._elements)
        for index in np.flatnonzero(begins).tolist():
            generator = self._generators[index]
            if generator is None or seeds[index] is not None:
                sequence = np.random.SeedSequence(seeds[index], spawn_key=(_STREAM,))
                generator = self._generators[index] = np.random.default_rng(sequence)
            elements[index] = self.group.sample(generator, scale=self.scale)
        self._elements = elements
        return CompiledElement(self.symmetry, GroupElement.stack(elements))
