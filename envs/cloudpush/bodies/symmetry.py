"""The symmetry of several interchangeable bodies in space: S_n × SE(3)."""

from __future__ import annotations

from typing import Any

from equiworld.groups import SE3, Permutation, Product
from equiworld.symmetry import Cloud, Field, Objects, Point, Pseudovector, Rotation, Scalar, Symmetry, Vector

__all__ = ["bodies_symmetry"]

_LENGTH = 0.1  # [m] about the size of a body


def bodies_symmetry(env: Any) -> Symmetry:
    """Bodies of one shape in free space. Which of them is to be moved the goal says, by a number for each."""
    made = env.unwrapped
    count, points, breakers = made.bodies, made.sensor.points, made.symmetry_breakers
    named: dict[str, Field] = {"named": Objects(Scalar(), count)}
    poses: dict[str, Field] = {
        "bodies_pos": Objects(Point(), count),
        "bodies_rotation": Objects(Rotation(), count),
    }
    placed: dict[str, Field] = {**named, "goal_pos": Point(), "goal_rotation": Rotation()}
    if points:
        seen: dict[str, Field] = {"bodies_cloud": Objects(Cloud(points), count)}
        goal: dict[str, Field] = {**named, "goal_cloud": Cloud(points)}
    else:
        moving = {
            "bodies_vel": Objects(Vector(), count),
            "bodies_angular_vel": Objects(Pseudovector(), count),
        }
        seen, goal = {**poses, **moving}, placed
    return Symmetry(
        group=Product(SE3(), Permutation(count)),
        observation={"agent_pos": Point(), "agent_vel": Vector(), **seen, **goal},
        action=Vector(),
        goal=dict.fromkeys(goal),
        action_origin="agent_pos",
        length_scale=_LENGTH,
        info={**poses, **placed},
        holds=f"nowhere, because of {' and '.join(breakers)}" if breakers else "everywhere",
    )
