"""The symmetry of several interchangeable blocks in the plane: S_n × E(2)."""

from __future__ import annotations

from typing import Any

from equiworld.envs.pusht import geometry
from equiworld.groups import E2, Permutation, Product
from equiworld.symmetry import Heading, Objects, Point, Scalar, Symmetry, Vector

__all__ = ["blocks_symmetry"]

_LENGTH = 100.0  # [px] about the size of a block


def blocks_symmetry(env: Any) -> Symmetry:
    """Ts on an unbounded table. Which of them is to be moved the goal says, by a number for each."""
    count, heading = env.unwrapped.blocks, Heading(axis=geometry.STEM_DIRECTION)
    goal = {"named": Objects(Scalar(), count), "goal_pos": Point(), "goal_heading": heading}
    return Symmetry(
        group=Product(E2(), Permutation(count)),
        observation={
            "agent_pos": Point(),
            "agent_vel": Vector(),
            "blocks_pos": Objects(Point(), count),
            "blocks_heading": Objects(heading, count),
            **goal,
        },
        action=Vector(),
        goal=dict.fromkeys(goal),
        action_origin="agent_pos",
        centre=geometry.CENTRE,
        length_scale=_LENGTH,
        holds="to 1e-3 px where blocks touch each other",
    )
