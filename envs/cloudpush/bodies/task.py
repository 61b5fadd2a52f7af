"""The task of bringing one body of several to its goal, and the planner that suits it."""

from __future__ import annotations

from equiworld.envs.cloudpush.task import PLANNER
from equiworld.tasks import Approach, Named, PoseDistance, Sharpened, Task

__all__ = ["TASK"]

_DISTANCE = PoseDistance("bodies_pos", "bodies_rotation", "goal_pos", "goal_rotation", length=0.05)
_COST = Sharpened(_DISTANCE, weight=0.03, length=0.003) + 0.1 * Approach(
    "agent_pos", "bodies_pos", reach=0.08
)

TASK = Task(Named(_COST, "named", ("bodies_pos", "bodies_rotation")), planner=PLANNER)
