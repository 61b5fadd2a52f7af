"""What planners know about particular environments: an invariant cost and equivariant proposals, by env id."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equiworld.arguments import integer
from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.planners.allowed import moved
from equiworld.planners.objectives import (
    Approach,
    FirstOf,
    KeypointDistance,
    Objective,
    PoseDistance,
    Sharpened,
    as_objective,
)
from equiworld.planners.problem import Propose
from equiworld.symmetry import Features, Symmetry
from equiworld.symmetry.sampling import random_array, random_observation

_TRIED, _TOLERANCE = 8, 1e-5  # elements; share of the cost, above what float32 rounds off

__all__ = ["TASKS", "Proposal", "Task", "register_task", "task_of"]


@dataclass(frozen=True)
class Task:
    """A cost and, optionally, first proposals.

    Attributes:
        cost: an `Objective`; or a function `cost(states, channels, goal, goal_channels)` → `(…)`, invariant under the
            env's group; or where to import either from, "module:name".
        proposals: `propose(state, channels, goal, goal_channels, uniform, horizon, radius, action_repeat)` →
            `(B, P, H, size)`, equivariant; or where to import it from; or None.
        random_numbers: uniform numbers that one proposal takes.
    """

    cost: Objective | Callable[..., Tensor] | str
    proposals: Callable[..., Tensor] | str | None = None
    random_numbers: int = 0

    def __post_init__(self) -> None:
        for name, value in (("cost", self.cost), ("proposals", self.proposals)):
            if not (
                callable(value)
                or isinstance(value, Objective | str)
                or (value is None and name == "proposals")
            ):
                raise ArgumentError(
                    f"task.{name}", value, 'a function, or where to import it from, "module:name"'
                )
        object.__setattr__(
            self, "random_numbers", integer("task.random_numbers", self.random_numbers, least=0)
        )

    def objective(self) -> Objective:
        """The cost, imported."""
        return as_objective(_resolve(self.cost))

    def proposal(self, symmetry: Symmetry, radius: float, action_repeat: int) -> Proposal | None:
        """The proposals, imported, for one environment; None if there are none."""
        if self.proposals is None:
            return None
        return Proposal(_resolve(self.proposals), self.random_numbers, symmetry, radius, action_repeat)

    def check_invariance(
        self, symmetry: Symmetry, radius: float, action_repeat: int, seen: Symmetry | None = None
    ) -> None:
        """Try cost and proposals under eight elements of the group, on states that no symmetry singles out.

        Args:
            symmetry: how states, goals and actions transform.
            radius: longest action.
            action_repeat: environment steps that an action is held.
            seen: what makes the Features that the cost sees of them; `symmetry` itself if None.

        Raises:
            ArgumentError: the cost changes with the world, or the proposals do not turn with it.
        """
        rng, group, centre = np.random.default_rng(0), symmetry.group, symmetry.centre
        g = group.sample(rng, _TRIED, scale=symmetry.length_scale)
        here = random_observation(symmetry, rng, _TRIED)
        action = random_array(symmetry.action, rng, (_TRIED,), np.asarray(centre), radius)
        actions = (action, symmetry.transform_action(g, action))
        seen = seen or symmetry
        both = [
            (seen.to_features(each, None, torch.float64), seen.to_features(each, seen.goal, torch.float64))
            for each in (here, symmetry.transform_observation(g, here))
        ]
        cost, found = self.objective().bind(seen), list[Tensor]()
        with torch.no_grad():
            for (z, goal), acted in zip(both, actions, strict=True):
                value = cost(z[None, :, None], torch.from_numpy(acted)[None, :, None], goal[None, :, None])
                found.append(torch.as_tensor(value).double().flatten())
        _compare("cost", _name(self.cost), "made of distances, lengths and inner products", *found)
        propose = self.proposal(seen, radius, action_repeat)
        if propose is None:
            return
        uniform = torch.from_numpy(rng.random((_TRIED, 4, propose.random_numbers)))
        plain, made = (propose(z, goal, uniform, 2) for z, goal in both)
        turned = torch.from_numpy(moved(symmetry, g, plain.detach().numpy()))
        _compare("proposals", _name(self.proposals), "that turn with the world", turned, made)


def _compare(what: str, name: str, expected: str, here: Tensor, there: Tensor) -> None:
    known = here.isfinite() & there.isfinite()
    size = here[known].abs().max() if known.any() else torch.tensor(0.0)
    apart = (here - there)[known].abs().max() if known.any() else torch.tensor(0.0)
    if apart > _TOLERANCE * size:
        raise ArgumentError(
            f"task.{what}",
            f"{name}, which changes by {float(apart / size):.2g} of its size as the world is turned",
            f"{what} {expected}: behind the door a direction of the world is another one; or MPCPolicy(…, door=False)",
        )


def _name(target: Any) -> str:
    return target if isinstance(target, str) else getattr(target, "__qualname__", None) or repr(target)


def _resolve(target: Any) -> Any:
    if not isinstance(target, str):
        return target
    module, _, name = target.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ArgumentError(
            "task", repr(target), f'"module:name" of what can be imported ({error})'
        ) from error


class Proposal(Propose):
    """A task's proposals for one environment.

    Args:
        function: of the task.
        random_numbers: that one proposal takes.
        symmetry: of the environment.
        radius: longest action.
        action_repeat: environment steps that an action is held.
    """

    def __init__(
        self,
        function: Callable[..., Tensor],
        random_numbers: int,
        symmetry: Symmetry,
        radius: float,
        action_repeat: int,
    ) -> None:
        self.function, self.random_numbers = function, random_numbers
        self.channels, self.goal_channels = symmetry.channels(), symmetry.channels(symmetry.goal)
        self.radius, self.action_repeat = radius, action_repeat

    def __call__(self, state: Any, goal: Any, uniform: Tensor, horizon: int) -> Tensor:
        assert isinstance(state, Features)
        return self.function(
            state,
            self.channels,
            goal,
            self.goal_channels,
            uniform,
            horizon,
            self.radius,
            self.action_repeat,
        )


def _reach_in_space(distance: Objective, body: str) -> Objective:
    """Bring a body where it should be, a distance [m]: sharp in the last millimetres, and the agent within reach."""
    return Sharpened(distance, weight=0.03, length=0.003) + 0.1 * Approach("agent_pos", body, reach=0.08)


_BY_POSE = PoseDistance("body_pos", "body_rotation", "goal_pos", "goal_rotation", length=0.05)
_BY_KEYPOINTS = KeypointDistance("keypoints", "goal_keypoints", lever=2.5)

TASKS: dict[str, Task] = {
    "equiworld/PushT-v0": Task(
        cost="equiworld.envs.pusht.planning:push_cost",
        proposals="equiworld.envs.pusht.planning:propose_pushes",
        random_numbers=3,
    ),
    "equiworld/CloudPush-v0": Task(
        FirstOf((_reach_in_space(_BY_KEYPOINTS, "keypoints"), _reach_in_space(_BY_POSE, "body_pos")))
    ),
}

# Of Gymnasium-Robotics, which need not be installed
_PUSH = Task(
    cost="equiworld.envs.known.fetch_planning:push_cost",
    proposals="equiworld.envs.known.fetch_planning:propose_pushes",
    random_numbers=4,
)
for _reward in ("", "Dense"):
    TASKS[f"FetchReach{_reward}-v4"] = Task(KeypointDistance("hand", "desired_goal"))
    TASKS[f"FetchPush{_reward}-v4"] = _PUSH
    for _map in ("Open", "Open_Diverse_G", "Open_Diverse_GR"):
        TASKS[f"PointMaze_{_map}{_reward}-v3"] = Task(KeypointDistance("position", "desired_goal"))


def register_task(env_id: str, task: Task) -> None:
    """Say how to plan in an environment.

    >>> from equiworld.planners import KeypointDistance
    >>> register_task("docs/Plane-v0", Task(cost=KeypointDistance("position", "target")))
    >>> del TASKS["docs/Plane-v0"]
    """
    TASKS[env_id] = task


def task_of(env_id: str) -> Task:
    """The registered task.

    Raises:
        UnknownNameError: none is registered for this id.
    """
    if env_id not in TASKS:
        raise UnknownNameError(
            "env_id", env_id, TASKS, "add one with equiworld.planners.register_task(env_id, Task(cost=…))"
        )
    return TASKS[env_id]
