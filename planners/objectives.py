"""What a planner minimises: functions of states, actions and a goal that no isometry changes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.symmetry import Channel, Features, Symmetry

__all__ = [
    "ActionCost",
    "Approach",
    "Cost",
    "FirstOf",
    "FunctionObjective",
    "KeypointDistance",
    "LatentDistance",
    "Objective",
    "PoseDistance",
    "Sharpened",
    "as_objective",
]

Cost = Callable[[Features, Tensor, Features], Tensor]
"""cost(states, actions, goal) → `(…)`: states of batch shape `(…)`, actions `(…, size)`, a goal whose batch shape
broadcasts to theirs."""


class Objective(ABC):
    """A cost in terms of an environment's fields; `first + 0.1 * second` is one too.

    It must be invariant, cost(g·states, g·actions, g·goal) = cost(states, actions, goal): made of distances, lengths
    and inner products. `equiworld.verify.assert_invariant` checks it.

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
    def terms(self) -> tuple[tuple[float, Objective], ...]:
        """Weights and objectives that it is the sum of."""
        return ((1.0, self),)

    def __add__(self, other: Objective) -> Objective:
        return WeightedSum(self.terms + other.terms)

    def __mul__(self, weight: float) -> Objective:
        if not (isinstance(weight, int | float) and math.isfinite(weight)):
            raise ArgumentError("weight", repr(weight), "a finite number")
        return WeightedSum(tuple((weight * each, term) for each, term in self.terms))

    __rmul__ = __mul__


@dataclass(frozen=True)
class WeightedSum(Objective):
    """Several objectives, each with a weight."""

    parts: tuple[tuple[float, Objective], ...]

    @property
    def terms(self) -> tuple[tuple[float, Objective], ...]:
        return self.parts

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
        channels, goal_channels = symmetry.channels(), symmetry.channels(symmetry.goal)
        return lambda states, actions, goal: self.function(states, channels, goal, goal_channels)


@dataclass(frozen=True)
class KeypointDistance(Objective):
    """Mean distance of points from where they should be.

    Attributes:
        points: a field of n points of the state.
        goal: a field of n points of the goal.
        lever: the points are first spread from their mean by this factor: above 1 an orientation that is wrong counts
            for more, beside a place that is.
    """

    points: str
    goal: str
    lever: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.lever) and self.lever > 0):
            raise ArgumentError("lever", self.lever, "a positive factor")

    def bind(self, symmetry: Symmetry) -> Cost:
        here, there = _field(symmetry, self.points), _field(symmetry, self.goal, goal=True)

        def cost(states: Features, actions: Tensor, goal: Features) -> Tensor:
            away = states.select(here) - goal.select(there)
            if self.lever != 1.0:
                away = torch.lerp(away.mean(-1, keepdim=True), away, self.lever)
            return torch.linalg.vector_norm(away, dim=-2).mean(-1)

        return cost


@dataclass(frozen=True)
class PoseDistance(Objective):
    """√(|Δp|² + ℓ² |Δu|²) of a position p and the unit vectors u of an orientation.

    The chord |Δu| = 2 sin(Δθ/2) is smooth everywhere; a difference of angles jumps by 2π.

    Attributes:
        position: a field of one point of the state.
        orientation: a Heading or Rotation of the state.
        goal_position: of the goal.
        goal_orientation: of the goal.
        length: ℓ, the lever that turns an angle into a length, in the environment's units.
    """

    position: str
    orientation: str
    goal_position: str
    goal_orientation: str
    length: float

    def bind(self, symmetry: Symmetry) -> Cost:
        place, axes = _field(symmetry, self.position), _field(symmetry, self.orientation)
        goal_place = _field(symmetry, self.goal_position, goal=True)
        goal_axes = _field(symmetry, self.goal_orientation, goal=True)

        def cost(states: Features, actions: Tensor, goal: Features) -> Tensor:
            away = (states.select(place) - goal.select(goal_place)).square().sum((-2, -1))
            turned = (states.select(axes) - goal.select(goal_axes)).square().sum((-2, -1))
            return (away + self.length**2 * turned).sqrt()

        return cost


@dataclass(frozen=True)
class Approach(Objective):
    """How far one point is from another beyond a reach: where nothing else tells plans apart, come nearer.

    Attributes:
        point: a field of one point of the state.
        to: another; of several points, the mean of the distances counts.
        reach: distance up to which nothing is charged, in the environment's units.
    """

    point: str
    to: str
    reach: float = 0.0

    def bind(self, symmetry: Symmetry) -> Cost:
        here, there = _field(symmetry, self.point), _field(symmetry, self.to)

        def cost(states: Features, actions: Tensor, goal: Features) -> Tensor:
            apart = torch.linalg.vector_norm(states.select(here) - states.select(there), dim=-2).mean(-1)
            return (apart - self.reach).clamp(min=0.0)

        return cost


@dataclass(frozen=True)
class ActionCost(Objective):
    """Squared length of the action, of vectors: |a|²."""

    def bind(self, symmetry: Symmetry) -> Cost:
        if symmetry.action.feature_type(symmetry.dim).points:
            raise ArgumentError("action", repr(symmetry.action), "an action of vectors, which has a length")
        return lambda states, actions, goal: actions.square().sum(-1)


@dataclass(frozen=True)
class LatentDistance(Objective):
    """√(Σ|Δscalars|² + Σ|Δvectors|² + Σ|Δpoints|²) between whole latents; the goal is encoded as a state is."""

    def bind(self, symmetry: Symmetry) -> Cost:
        def cost(states: Features, actions: Tensor, goal: Features) -> Tensor:
            total = (states.scalars - goal.scalars).square().sum(-1)
            total = total + (states.vectors - goal.vectors).square().sum((-2, -1))
            return (total + (states.points - goal.points).square().sum((-2, -1))).sqrt()

        return cost


@dataclass(frozen=True)
class Sharpened(Objective):
    """d + w (1 − exp(−d/ℓ)) of another objective d: near the goal the last stretch counts more.

    Attributes:
        objective: d, of at least 0.
        weight: w, in d's units.
        length: ℓ, in d's units.
    """

    objective: Objective
    weight: float
    length: float

    def bind(self, symmetry: Symmetry) -> Cost:
        inner = self.objective.bind(symmetry)

        def cost(states: Features, actions: Tensor, goal: Features) -> Tensor:
            distance = inner(states, actions, goal)
            return distance + self.weight * (1.0 - torch.exp(-distance / self.length))

        return cost


@dataclass(frozen=True)
class FirstOf(Objective):
    """The first of some objectives whose fields an environment has: one task for several ways to observe it.

    Attributes:
        objectives: in order of preference. One that cannot be bound, for whatever reason, is passed over.

    Raises:
        ArgumentError: when bound, if none can be; with what each of them lacks.

    >>> FirstOf((KeypointDistance("keypoints", "goal_keypoints"), KeypointDistance("place", "goal"))).terms[0][0]
    1.0
    """

    objectives: tuple[Objective, ...]

    def bind(self, symmetry: Symmetry) -> Cost:
        refusals = list[str]()
        for objective in self.objectives:
            try:
                return objective.bind(symmetry)
            except ArgumentError as error:
                refusals.append(str(error))
        raise ArgumentError("objectives", "; ".join(refusals) or "none", "one whose fields are all there")


def as_objective(objective: Objective | Callable[..., Tensor]) -> Objective:
    """An objective, also from a plain function."""
    if isinstance(objective, Objective):
        return objective
    if not callable(objective):
        raise ArgumentError("cost", repr(objective), "an Objective, or a function of states and goal")
    return FunctionObjective(objective)


def _field(symmetry: Symmetry, name: str, goal: bool = False) -> Channel:
    channels: Mapping[str, Channel] = symmetry.channels(symmetry.goal if goal else None)
    if name not in channels:
        raise ArgumentError(
            "objective", repr(name), f"a field of the {'goal' if goal else 'state'}", channels
        )
    return channels[name]
