"""The task of bringing one body of several to its goal, and the planner that suits it."""

from __future__ import annotations

from equiworld.envs.cloudpush.task import PLANNER, push_cost
from equiworld.tasks import FirstOf, KeypointDistance, Named, PoseDistance, Task

__all__ = ["TASK"]

_BY_KEYPOINTS = push_cost(KeypointDistance("keypoints", "goal_keypoints", lever=2.5), "keypoints")
_BY_POSE = push_cost(
    PoseDistance("bodies_pos", "bodies_rotation", "goal_pos", "goal_rotation", length=0.05), "bodies_pos"
)

TASK = Task(
    FirstOf(
        (
            Named(_BY_KEYPOINTS, "named", ("keypoints",)),
            Named(_BY_POSE, "named", ("bodies_pos", "bodies_rotation")),
        )
    ),
    planner=PLANNER,
)
