"""Beginning the same episodes at every element of an orbit, in the simulator or as it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import gymnasium as gym
import numpy as np

from equiworld.arguments import integer
from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.rollout import Begin, SeenTurned, reset_env
from equiworld.symmetry import Symmetry, symmetry_of
from equiworld.symmetry.registry import move_of
from equiworld.verify.elements import ELEMENTS_STREAM, NOTHING_TO_COMPARE, orbit_elements
from equiworld.verify.moving import beginning_asked, beginning_moved

__all__ = ["Mode", "Orbit"]

Mode = Literal["active", "passive"]


@dataclass(frozen=True)
class Orbit:
    """Which elements episodes begin at, and how.

    Attributes:
        group: that they are drawn from; or the elements.
        count: how many are drawn besides the identity.
        seed: of the drawing.
        mode: see `evaluate`.
        symmetry: how observations and actions transform; that of the environment if None.
        elements: the batch, the identity first, once the environment is known.
        move: brings the simulator to g·s, if somebody registered how.
    """

    group: Group | GroupElement
    count: int
    seed: int
    mode: Mode
    symmetry: Symmetry | None
    elements: Any = None
    move: Any = None

    @staticmethod
    def asked(group: Any, count: int, seed: int, mode: Any, symmetry: Symmetry | None) -> Orbit:
        """What was asked for, checked before anything is made.

        Raises:
            ArgumentError: an argument is wrong.
        """
        if not isinstance(group, Group | GroupElement):
            raise ArgumentError("group", group, "a group such as SE2(), or a batch of its elements")
        if isinstance(group, GroupElement) and len(group.batch_shape) != 1:
            raise ArgumentError("group", f"elements of batch shape {group.batch_shape}", "a batch (K,)")
        if not isinstance(mode, str) or mode not in ("active", "passive"):
            raise ArgumentError("mode", repr(mode), "how episodes begin at g·s", ("active", "passive"))
        if symmetry is not None and not isinstance(symmetry, Symmetry):
            raise ArgumentError("symmetry", symmetry, "a Symmetry, or None for the registered one")
        return Orbit(group, integer("elements", count, least=1, most=10**6), seed, mode, symmetry)  # type: ignore[arg-type]

    def of(self, env: gym.Env, seed: int, options: Mapping[str, Any]) -> Orbit:
        """The orbit in an environment.

        Raises:
            ArgumentError: elements of another dimension, or the identity alone; or nothing brings it to g·s.
        """
        symmetry = symmetry_of(env) if self.symmetry is None else self.symmetry
        rng = np.random.default_rng([self.seed, ELEMENTS_STREAM])
        if isinstance(self.group, GroupElement):
            if self.group.dim != symmetry.dim:
                raise ArgumentError(
                    "group", f"elements of dimension {self.group.dim}", f"dimension {symmetry.dim}"
                )
            others = [g for g in self.group if not g.is_close(self.group.group.identity())]
            if not others:
                raise ArgumentError("group", "the identity alone", NOTHING_TO_COMPARE)
            elements = GroupElement.stack([self.group.group.identity(), *others])
        else:
            elements = orbit_elements(self.group, symmetry.dim, self.count, rng, symmetry.length_scale)
        move = move_of(env) if self.mode == "active" else None
        found = replace(self, symmetry=symmetry, elements=elements, move=move)
        # An environment that stays where it is need not run all episodes there first.
        if self.mode == "active":
            found.begin(elements[1])(env, seed, options)
        return found

    def shown(self, envs: list[gym.Env], g: GroupElement) -> list[gym.Env]:
        """The environments, as they are or turned."""
        if self.mode == "active":
            return envs
        assert self.symmetry is not None
        return [SeenTurned(env, self.symmetry, g) for env in envs]

    def begin(self, g: GroupElement) -> Begin:
        """How an episode begins at g·s."""
        if self.mode == "passive":
            return reset_env
        assert self.symmetry is not None
        if self.move is None:
            return beginning_asked(g, self.symmetry)
        return beginning_moved(self.move, g, self.symmetry)

    @property
    def config(self) -> dict[str, Any]:
        """For the result file."""
        name = self.group.name if isinstance(self.group, Group) else "given elements"
        return {"group": name, "mode": self.mode}
