"""The symmetry of `equiworld/CloudPush-v0`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from equiworld.groups import SE3
from equiworld.symmetry import Cloud, Field, Point, Pseudovector, Rotation, Symmetry, Vector

__all__ = ["cloudpush_symmetry"]

_LENGTH = 0.1  # [m] about the size of the body
_AGENT: dict[str, Field] = {"agent_pos": Point(), "agent_vel": Vector()}
_BODY: dict[str, Field] = {
    "body_pos": Point(),
    "body_rotation": Rotation(),
    "body_vel": Vector(),
    "body_angular_vel": Pseudovector(),
}
_GOAL: dict[str, Field] = {"goal_pos": Point(), "goal_rotation": Rotation()}
_GOALS = {"goal_pos": "body_pos", "goal_rotation": "body_rotation"}
_INFO = {name: field for name, field in (_BODY | _GOAL).items() if "vel" not in name}


def cloudpush_symmetry(env: Any) -> Symmetry:
    """A rigid body in free space. Where its pose is observed that is its state, else its cloud is.

    The arrays turn as declared whatever acts on the body; `holds` says whether the physics does.
    """
    made = env.unwrapped
    points, knows_pose, breakers = made.sensor.points, made.observe_pose, made.symmetry_breakers
    clouds: dict[str, Field] = {"cloud": Cloud(points), "goal_cloud": Cloud(points)} if points else {}
    return Symmetry(
        group=SE3(),
        observation={**_AGENT, **clouds, **(_BODY | _GOAL if knows_pose else {})},
        action=Vector(),
        state=(*_AGENT, *(_BODY if knows_pose else ("cloud",))),
        goal={**(_GOALS if knows_pose else {}), **({"goal_cloud": "cloud"} if points else {})},
        action_origin="agent_pos",
        reference="body_pos" if knows_pose else None,
        length_scale=_LENGTH,
        info=_INFO,
        holds=f"nowhere, because of {_listed(breakers)}" if breakers else "everywhere",
    )


def _listed(names: Sequence[str]) -> str:
    """Names as words: "a, b and c"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
