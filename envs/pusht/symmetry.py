"""The symmetries of PushT, ours and gym-pusht's own.

The T is its own mirror image: a reflection keeps the direction of its stem and exchanges its corners in pairs.
"""

from __future__ import annotations

from typing import Any

from equiworld.envs.pusht import geometry
from equiworld.errors import ArgumentError
from equiworld.groups import E2
from equiworld.symmetry import Concatenation, Field, Heading, Point, Symmetry, Vector

__all__ = ["pusht_symmetry", "stock_pusht_symmetry"]

# The walls stand at 5 and 506 px. Physics is the same everywhere between them, so the group is all of E(2).
_LENGTH = 100.0  # [px] about the size of the block
_CORNERS = Point(8, mirror=(1, 0, 3, 2, 5, 4, 7, 6))  # of the bar, then of the stem
_POSE = Concatenation((Point(), Heading(axis=geometry.STEM_DIRECTION)))
_INFO: dict[str, Field] = {
    "pos_agent": Point(),
    "vel_agent": Vector(),
    "block_pose": _POSE,
    "goal_pose": _POSE,
}


def stock_pusht_symmetry(env: Any) -> Symmetry:
    """gym-pusht's own environment, for the observations that are numbers."""
    kind = getattr(env.unwrapped, "obs_type", None)
    if kind == "state":
        return Symmetry(
            group=E2(),
            observation={
                "agent_pos": Point(),
                "block_pos": Point(),
                "block_heading": Heading(low=0.0, axis=geometry.STEM_DIRECTION),
            },
            action=Point(),
            reference="block_pos",
            heading="block_heading",
            centre=geometry.CENTRE,
            length_scale=_LENGTH,
            info=_INFO,
            flat=True,
            holds="away from the walls",
        )
    if kind == "environment_state_agent_pos":
        return Symmetry(
            group=E2(),
            observation={"environment_state": _CORNERS, "agent_pos": Point()},
            action=Point(),
            centre=geometry.CENTRE,
            length_scale=_LENGTH,
            info=_INFO,
            holds="away from the walls",
        )
    options = ("state", "environment_state_agent_pos")
    raise ArgumentError("obs_type", repr(kind), "observations of numbers for gym_pusht/PushT-v0", options)


def pusht_symmetry(env: Any) -> Symmetry:
    """equiworld's PushT: the same physics with the goal, the velocity and relative actions in view."""
    return Symmetry(
        group=E2(),
        observation={
            "agent_pos": Point(),
            "agent_vel": Vector(),
            "block_pos": Point(),
            "block_heading": Heading(axis=geometry.STEM_DIRECTION),
            "block_keypoints": _CORNERS,
            "goal_pos": Point(),
            "goal_heading": Heading(axis=geometry.STEM_DIRECTION),
            "goal_keypoints": _CORNERS,
        },
        action=Vector(),
        state=("agent_pos", "agent_vel", "block_pos", "block_heading"),
        goal={f"goal_{part}": f"block_{part}" for part in ("pos", "heading", "keypoints")},
        action_origin="agent_pos",
        reference="block_pos",
        heading="block_heading",
        centre=geometry.CENTRE,
        length_scale=_LENGTH,
        info=_INFO,
        holds="away from the walls" if getattr(env.unwrapped, "walls", True) else "everywhere",
    )
