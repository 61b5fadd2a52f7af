"""The task of pushing a body through space: an invariant cost, and the planner that suits it."""

from __future__ import annotations

from equiworld.planners import CEM
from equiworld.tasks import Approach, FirstOf, KeypointDistance, Objective, PoseDistance, Sharpened, Task

__all__ = ["PLANNER", "TASK", "push_cost"]


def push_cost(distance: Objective, body: str) -> Objective:
    """Bring a body where it should be, a distance [m]: sharp in the last millimetres, and the agent within reach."""
    return Sharpened(distance, weight=0.03, length=0.003) + 0.1 * Approach("agent_pos", body, reach=0.08)


_BY_KEYPOINTS = KeypointDistance("keypoints", "goal_keypoints", lever=2.5)
_BY_POSE = PoseDistance("body_pos", "body_rotation", "goal_pos", "goal_rotation", length=0.05)

PLANNER = CEM(horizon=8, correlation=2.0)
TASK = Task(
    FirstOf((push_cost(_BY_KEYPOINTS, "keypoints"), push_cost(_BY_POSE, "body_pos"))), planner=PLANNER
)
