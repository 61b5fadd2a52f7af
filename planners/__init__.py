"""Planners, which see numbers and bounds, and the policy that has them decide in the frame at the door."""

from equiworld.planners.cem import CEM
from equiworld.planners.gradient import GradientPlanner
from equiworld.planners.icem import ICEM
from equiworld.planners.interop import FlatModel
from equiworld.planners.memory import PolicyState
from equiworld.planners.mppi import MPPI
from equiworld.planners.peers import PEERS, peer_policy
from equiworld.planners.per_environment import PerEnvironment
from equiworld.planners.planner import Planner
from equiworld.planners.planning import plan
from equiworld.planners.policy import MPCPolicy
from equiworld.planners.problem import Bound, Plan, Problem
from equiworld.planners.random_shooting import RandomShooting
from equiworld.planners.recorded import RecordedDynamics
from equiworld.planners.registry import PLANNERS
from equiworld.tasks import (
    ActionCost,
    Approach,
    FirstOf,
    FunctionObjective,
    KeypointDistance,
    LatentDistance,
    Objective,
    PoseDistance,
    Sharpened,
    Task,
    register_task,
)

__all__ = [
    "CEM",
    "ICEM",
    "MPPI",
    "PEERS",
    "PLANNERS",
    "ActionCost",
    "Approach",
    "Bound",
    "FirstOf",
    "FlatModel",
    "FunctionObjective",
    "GradientPlanner",
    "KeypointDistance",
    "LatentDistance",
    "MPCPolicy",
    "Objective",
    "PerEnvironment",
    "Plan",
    "Planner",
    "PolicyState",
    "PoseDistance",
    "Problem",
    "RandomShooting",
    "RecordedDynamics",
    "Sharpened",
    "Task",
    "peer_policy",
    "plan",
    "register_task",
]
