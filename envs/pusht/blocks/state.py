"""The state of several Ts and an agent in the plane."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from equiworld.arguments import integer
from equiworld.envs.arguments import finite
from equiworld.envs.pusht.controller import Pair
from equiworld.envs.pusht.simulation import Pose, PushTState
from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement

__all__ = ["BlocksState"]


@dataclass(frozen=True)
class BlocksState:
    """A start and the targets followed since, as in `PushTState`. Lengths [px], speeds [px/s], angles [rad], float64.

    Attributes:
        agent_pos: agent position at the start.
        agent_vel: agent velocity at the start.
        blocks: pose of each block at the start, at rest: centre of gravity x, y and heading.
        goal: pose that the named one should come to.
        named: its place among the blocks; their order means nothing else.
        targets: the agent's target in each control period since.
    """

    agent_pos: Pair
    blocks: tuple[Pose, ...]
    goal: Pose
    named: int = 0
    agent_vel: Pair = (0.0, 0.0)
    targets: tuple[Pair, ...] = ()

    def __post_init__(self) -> None:
        def settle(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        settle("blocks", tuple(finite("state.blocks", pose, 3) for pose in self.blocks))
        if not self.blocks:
            raise ArgumentError("state.blocks", self.blocks, "one pose or more")
        settle("named", integer("state.named", self.named, least=0, most=len(self.blocks) - 1))
        for name, size in (("agent_pos", 2), ("agent_vel", 2), ("goal", 3)):
            settle(name, finite(f"state.{name}", getattr(self, name), size))
        settle("targets", tuple(finite("state.targets", target, 2) for target in self.targets))

    def replace(self, **changes: Any) -> BlocksState:
        """A copy with some attributes changed."""
        return replace(self, **changes)

    def transform(self, g: GroupElement) -> BlocksState:
        """The state of the world moved by g, past included, its blocks called in g's order.

        Raises:
            ArgumentError: g is not one isometry of the plane, or exchanges another number of blocks.
        """
        count, order = len(self.blocks), np.arange(len(self.blocks))
        if g.group.stores_labels:
            images = g.group.labels.natural.get(f"Permutation({count})")
            if images is None:
                raise ArgumentError("g", repr(g), f"an element of a group that exchanges {count} blocks")
            order = images[g.label].argmax(-1)
        # What one block does each does.
        past = PushTState(
            self.agent_pos, self.agent_vel, self.goal, self.goal, targets=self.targets
        ).transform(g)
        moved = [
            PushTState(self.agent_pos, self.agent_vel, self.blocks[block], self.goal).transform(g).block
            for block in order
        ]
        return BlocksState(
            past.agent_pos,
            tuple(moved),
            past.goal,
            int(np.flatnonzero(order == self.named)[0]),
            past.agent_vel,
            past.targets,
        )
