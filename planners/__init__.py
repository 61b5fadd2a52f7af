"""Planners that are equivariant along the whole path, and the policy that uses them."""

from equiworld.planners.cem import CEM
from equiworld.planners.planner import Planner
from equiworld.planners.policy import MPCPolicy, PolicyState
from equiworld.planners.problem import Bound, Plan, Problem
from equiworld.planners.registry import PLANNERS
from equiworld.planners.tasks import Task, register_task

__all__ = [
    "CEM",
    "PLANNERS",
    "Bound",
    "MPCPolicy",
    "Plan",
    "Planner",
    "PolicyState",
    "Problem",
    "Task",
    "register_task",
]
