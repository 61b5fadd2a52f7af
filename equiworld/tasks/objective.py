"""Objectives of planners: functions of states, actions and a goal that no isometry changes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from equiworld.arguments import number
from equiworld.errors import ArgumentError
from equiworld.symmetry import Channel, Features, Symmetry

__all__ = [
    "Channels",
    "Cost",
    "FunctionObjective",
    "Objective",
    "Read",
    "WeightedSum",
    "as_objective",
    "in_goal",
    "in_state",
]

Cost = Callable[[Features, Tensor, Features], Tensor]
"""cost(states, actions, goal) → `(…)`: states of batch shape `(…)`, actions `(…, size)`, a goal whose batch shape
broadcasts to theirs."""


class Read(NamedTuple):
    """A field that an objective reads.

    Attributes:
        part: whether it is one of the state or of the goal.
        name: its name.
    """

    part: Literal["state", "goal"]
    name: str

    def channel(self, symmetry: Symmetry) -> Channel:
        """Where it lies in the Features of its part.

        Raises:
            ArgumentError: no such field there.
        """
        channels = symmetry.channels(symmetry.goal if self.part == "goal" else None)
        if self.name not in channels:
            raise ArgumentError("objective", repr(self.name), f"a field of the {self.part}", channels)
        return channels[self.name]


def in_state(name: str) -> Read:
    """A field of the state."""
    return Read("state", name)


def in_goal(name: str) -> Read:
    """A field of the goal."""
    return Read("goal", name)


class Objective(ABC):
    """A cost in terms of an environment's fields; `first + 0.1 * second` is one too.

    It must be invariant, cost(g·states, g·actions, g·goal) = cost(states, actions, goal): made of distances, lengths
    and inner products. `equiworld.verify.assert_invariant` checks it.

    >>> from equiworld.tasks import Approach, KeypointDistance
    >>> objective = KeypointDistance("block_keypoints", "goal_keypoints") + 0.1 * Approach("agent_pos", "block_pos")
    >>> len(objective.terms)
    2
    """

    @abstractmethod
    def bind(self, symmetry: Symmetry) -> Cost:
        """The cost as a function, its fields looked up once.

        Raises:
            ArgumentError: the symmetry has no such field, or not in its state or goal.
        """

    @property
    def reads(self) -> frozenset[Read]:
        """The fields without which it cannot be bound, as far as it tells; `FirstOf` chooses by them."""
        return frozenset()

    @property
    def terms(self) -> tuple[tuple[float, Objective], ...]:
        """Weights and objectives that it is the sum of."""
        return ((1.0, self),)

    def __add__(self, other: Objective | Callable[..., Tensor]) -> Objective:
        return WeightedSum(self.terms + as_objective(other, "other").terms)

    def __mul__(self, weight: float) -> Objective:
        factor = number("weight", weight)
        return WeightedSum(tuple((factor * each, term) for each, term in self.terms))

    __rmul__ = __mul__


@dataclass(frozen=True)
class WeightedSum(Objective):
    """Several objectives, each with a weight."""

    parts: tuple[tuple[float, Objective], ...]

    @property
    def terms(self) -> tuple[tuple[float, Objective], ...]:
        return self.parts

    @property
    def reads(self) -> frozenset[Read]:
        return frozenset[Read]().union(*(term.reads for _, term in self.parts))

    def bind(self, symmetry: Symmetry) -> Cost:
        bound = [(weight, term.bind(symmetry)) for weight, term in self.parts]

        def cost(states: Features, actions: Tensor, goal: Features) -> Tensor:
            (weight, first), *others = bound
            total = weight * first(states, actions, goal)
            for weight, term in others:
                total = torch.add(total, term(states, actions, goal), alpha=weight)
            return total

        return cost


@dataclass(frozen=True)
class FunctionObjective(Objective):
    """A plain function as an objective: function(states, channels, goal, goal_channels) → `(…)`.

    Attributes:
        function: see above; `channels` say where each field of the state lies in its Features.
    """

    function: Callable[..., Tensor]

    def bind(self, symmetry: Symmetry) -> Cost:
        channels, goal_channels = Channels(symmetry.channels()), Channels(symmetry.channels(symmetry.goal))
        return lambda states, actions, goal: self.function(states, channels, goal, goal_channels)


class Channels(dict[str, Channel]):
    """Where fields lie in Features, by name, as functions of a task look them up.

    Raises:
        ArgumentError: a field that is not there; says which are.
    """

    def __missing__(self, name: str) -> Channel:
        expected = "fields that the model's states and goals have"
        raise ArgumentError("task", f"a cost or proposals of {name!r}", expected, self)


def as_objective(objective: Objective | Callable[..., Tensor], argument: str = "cost") -> Objective:
    """An objective, also from a plain function.

    Raises:
        ArgumentError: it is neither; names the argument.
    """
    if isinstance(objective, Objective):
        return objective
    if not callable(objective):
        raise ArgumentError(argument, repr(objective), "an Objective, or a function of states and goal")
    return FunctionObjective(objective)
