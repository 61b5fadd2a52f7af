"""Planning in one environment: the task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equiworld.arguments import integer
from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.groups.matrix_group import checked_group
from equiworld.symmetry import Features, Symmetry
from equiworld.symmetry.holding import moved
from equiworld.symmetry.sampling import random_array, random_observation
from equiworld.tasks.objective import Channels, Objective, as_objective

__all__ = ["Proposal", "Task"]

_TRIED, _TOLERANCE = 8, 1e-5  # elements; share of the cost, above what float32 rounds off


@dataclass(frozen=True)
class Task:
    """A cost and, optionally, first proposals, a planner that suits the task, and where its symmetry is whole.

    Attributes:
        cost: an `Objective`; or a function `cost(states, channels, goal, goal_channels)` → `(…)`, invariant under the
            env's group, or under `group`.
        proposals: `propose(state, channels, goal, goal_channels, uniform, horizon, radius, action_repeat)` →
            `(B, P, H, size)`, equivariant; or None.
        random_numbers: uniform numbers that one proposal takes.
        planner: that plans where the user names none, such as `CEM(horizon=8)`; None for `CEM()`.
        symmetric_arguments: of `gym.make`, with which the environment's symmetry holds everywhere; `equiworld certify`
            takes them by default.
        group: the subgroup that leaves cost and proposals as they are, where they name a direction or a place in
            symmetric dynamics, such as `SO3().stabiliser(forward)`: policies decide under it, over a model that knows
            the whole group. None for the whole. The other way is to observe what the cost names: see `Context`.

    Raises:
        ArgumentError: an attribute is of another kind.

    >>> from equiworld.planners import CEM
    >>> from equiworld.tasks import KeypointDistance
    >>> Task(cost=KeypointDistance("position", "target"), planner=CEM(horizon=8)).planner.horizon
    8
    """

    cost: Objective | Callable[..., Tensor]
    proposals: Callable[..., Tensor] | None = None
    random_numbers: int = 0
    planner: Any = None  # of equiworld.planners, which stand above
    symmetric_arguments: Mapping[str, Any] = field(default_factory=dict)
    group: Group | None = None

    def __post_init__(self) -> None:
        as_objective(self.cost, "task.cost")
        if self.proposals is not None and not callable(self.proposals):
            raise ArgumentError("task.proposals", repr(self.proposals), "a function, or None")
        if self.planner is not None and not callable(getattr(self.planner, "plan", None)):
            raise ArgumentError("task.planner", repr(self.planner), "a planner such as CEM(), or None")
        if not isinstance(self.symmetric_arguments, Mapping):
            got = repr(self.symmetric_arguments)
            raise ArgumentError("task.symmetric_arguments", got, "arguments of gym.make, by name")
        if self.group is not None:
            checked_group("task.group", self.group)
        object.__setattr__(
            self, "random_numbers", integer("task.random_numbers", self.random_numbers, least=0)
        )

    def objective(self) -> Objective:
        """The cost as an objective."""
        return as_objective(self.cost)

    def symmetry_of(self, symmetry: Symmetry) -> Symmetry:
        """What is left of a declaration for policies that follow the task.

        Raises:
            ArgumentError: `group` is no subgroup of the declared one.
        """
        return symmetry if self.group is None else symmetry.restricted(self.group)

    def proposal(self, symmetry: Symmetry, radius: float, action_repeat: int) -> Proposal | None:
        """The proposals for one environment; None if there are none."""
        if self.proposals is None:
            return None
        return Proposal(self.proposals, self.random_numbers, symmetry, radius, action_repeat)

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
                if value is None:
                    raise ArgumentError(
                        "task.cost", f"{_name(self.cost)}, which returned None", "a cost a state"
                    )
                found.append(torch.as_tensor(value).double().flatten())
        _compare("cost", _name(self.cost), "made of distances, lengths and inner products", *found)
        propose = self.proposal(seen, radius, action_repeat)
        if propose is None:
            return
        uniform = torch.from_numpy(rng.random((_TRIED, 4, propose.random_numbers)))
        plain, made = (propose(z, goal, uniform, 2) for z, goal in both)
        turned = torch.from_numpy(moved(symmetry, g, plain.detach().numpy()))
        _compare("proposals", _name(self.proposals), "that turn with the world", turned, made)


class Proposal:
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
        self.channels = Channels(symmetry.channels())
        self.goal_channels = Channels(symmetry.channels(symmetry.goal))
        self.radius, self.action_repeat = radius, action_repeat

    def __call__(self, state: Any, goal: Any, uniform: Tensor, horizon: int) -> Tensor:
        """Actions `(B, P, H, size)` from Features of batch shape `(B)` and uniform numbers `(B, P, n)`."""
        assert isinstance(state, Features)
        where = self.channels, goal, self.goal_channels
        return self.function(state, *where, uniform, horizon, self.radius, self.action_repeat)


def _compare(what: str, name: str, expected: str, here: Tensor, there: Tensor) -> None:
    known = here.isfinite() & there.isfinite()
    size = here[known].abs().max() if known.any() else torch.tensor(0.0)
    apart = (here - there)[known].abs().max() if known.any() else torch.tensor(0.0)
    if not torch.allclose(here[~known], there[~known], equal_nan=True):  # what is forbidden moves, or is not
        apart = torch.tensor(torch.inf)
    if apart > _TOLERANCE * size:
        raise ArgumentError(
            f"task.{what}",
            f"{name}, which changes by {float(apart / size):.2g} of its size as the world is turned",
            f"{what} {expected}: behind the door a direction of the world is another one. Say which subgroup keeps it, "
            "Task(…, group=…); or observe the direction as a Context; or MPCPolicy(…, door=False)",
        )


def _name(target: Any) -> str:
    return getattr(target, "__qualname__", None) or repr(target)
