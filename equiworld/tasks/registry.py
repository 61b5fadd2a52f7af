"""The tasks of known environments, by id."""

from __future__ import annotations

from equiworld.arguments import instance
from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.tasks.task import Task

__all__ = ["TASKS", "register_task", "task_of"]

TASKS: dict[str, Task] = {}
"""Each environment registers its own."""


def register_task(env_id: str, task: Task) -> None:
    """Say how to plan in an environment; a later call for the same id replaces the earlier.

    >>> from equiworld.tasks import KeypointDistance
    >>> register_task("docs/Plane-v0", Task(cost=KeypointDistance("position", "target")))
    >>> del TASKS["docs/Plane-v0"]
    """
    if not isinstance(env_id, str) or not env_id:
        raise ArgumentError("env_id", env_id, "the id of a Gymnasium environment")
    instance("task", task, Task)
    TASKS[env_id] = task


def task_of(env_id: str) -> Task:
    """The registered task.

    Raises:
        UnknownNameError: none is registered for this id.
    """
    if env_id not in TASKS:
        raise UnknownNameError(
            "env_id", env_id, TASKS, "add one with equiworld.tasks.register_task(env_id, Task(cost=…))"
        )
    return TASKS[env_id]
