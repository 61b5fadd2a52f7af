"""Tasks: an invariant cost, first proposals, a default planner."""

from equiworld.tasks.first_of import FirstOf
from equiworld.tasks.named import Named
from equiworld.tasks.objective import FunctionObjective, Objective
from equiworld.tasks.objectives import (
    ActionCost,
    Approach,
    KeypointDistance,
    LatentDistance,
    PoseDistance,
    Sharpened,
)
from equiworld.tasks.registry import TASKS, register_task, task_of
from equiworld.tasks.task import Proposal, Task

__all__ = [
    "TASKS",
    "ActionCost",
    "Approach",
    "FirstOf",
    "FunctionObjective",
    "KeypointDistance",
    "LatentDistance",
    "Named",
    "Objective",
    "PoseDistance",
    "Proposal",
    "Sharpened",
    "Task",
    "register_task",
    "task_of",
]
