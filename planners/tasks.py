"""What planners know about particular environments: an invariant cost and equivariant proposals, by env id."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from equiworld.planners.problem import Propose
from torch import Tensor

from equiworld.errors import UnknownNameError
from equiworld.symmetry import Features, Symmetry

__all__ = ["TASKS", "Objective", "Proposal", "Task", "register_task", "task_of"]

Cost = Callable[..., Tensor]


@dataclass(frozen=True)
class Task:
    """A cost and, optionally, first proposals.

    Attributes:
        cost: `cost(state, channels, goal, goal_channels)` → `(…)`, invariant under the env's group; or where to
            import it from, "module:name".
        proposals: `propose(state, channels, goal, goal_channels, uniform, horizon, radius, action_repeat)` →
            `(B, P, H, size)`, equivariant; or where to import it from; or None.
        random_numbers: uniform numbers that one proposal takes.
    """

    cost: Cost | str
    proposals: Callable[..., Tensor] | str | None = None
    random_numbers: int = 0


def _resolve(target: Any) -> Any:
    if not isinstance(target, str):
        return target
    module, name = target.split(":")
    return getattr(importlib.import_module(module), name)


@dataclass(frozen=True)
class Objective:
    """A task's cost bound to one goal for each of B environments: costs `(H, B, S)` of trajectories."""

    cost: Cost
    symmetry: Symmetry
    goal: Features

    def __call__(self, trajectory: Features) -> Tensor:
        goal = self.goal[None, :, None]
        return self.cost(
            trajectory, self.symmetry.channels(), goal, self.symmetry.channels(self.symmetry.goal)
        )


@dataclass(frozen=True)
class Proposal(Propose):
    """A task's proposals bound to the goals, the longest action and how long actions are held."""

    function: Callable[..., Tensor]
    random_numbers: int
    symmetry: Symmetry
    goal: Features
    radius: float
    action_repeat: int

    def __call__(self, state: Features, uniform: Tensor, horizon: int) -> Tensor:
        symmetry = self.symmetry
        return self.function(
            state,
            symmetry.channels(),
            self.goal,
            symmetry.channels(symmetry.goal),
            uniform,
            horizon,
            self.radius,
            self.action_repeat,
        )


TASKS: dict[str, Task] = {
    "equiworld/PushT-v0": Task(
        cost="equiworld.envs.pusht.planning:push_cost",
        proposals="equiworld.envs.pusht.planning:propose_pushes",
        random_numbers=3,
    ),
}


def register_task(env_id: str, task: Task) -> None:
    """Say how to plan in an environment.

    >>> register_task("docs/Plane-v0", Task(cost=lambda state, channels, goal, goal_channels: state.points.sum()))
    >>> del TASKS["docs/Plane-v0"]
    """
    TASKS[env_id] = task


def task_of(env_id: str) -> Task:
    """The registered task with its functions imported.

    Raises:
        UnknownNameError: none is registered for this id.
    """
    if env_id not in TASKS:
        raise UnknownNameError(
            "env_id", env_id, TASKS, "add one with equiworld.planners.register_task(env_id, Task(cost=…))"
        )
    task = TASKS[env_id]
    return Task(_resolve(task.cost), _resolve(task.proposals), task.random_numbers)


def seeded_generators(seed: int, counters: list[int]) -> list[torch.Generator]:
    """One generator for each environment, made from the policy's seed and how often it has decided so far."""
    # An odd multiplier keeps different (seed, counter) pairs apart.
    return [
        torch.Generator().manual_seed((seed * 0x9E3779B97F4A7C15 + counter) % 2**63) for counter in counters
    ]
