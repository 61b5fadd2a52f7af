"""Objectives made of distances, lengths and inner products."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from equiworld.arguments import number
from equiworld.errors import ArgumentError
from equiworld.symmetry import Channel, Features, Symmetry
from equiworld.tasks.objective import Cost, Objective, Read, as_objective, in_goal, in_state

__all__ = ["ActionCost", "Approach", "KeypointDistance", "LatentDistance", "PoseDistance", "Sharpened"]


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
        object.__setattr__(self, "lever", number("lever", self.lever, above=0))

    @property
    def reads(self) -> frozenset[Read]:
        return frozenset({in_state(self.points), in_goal(self.goal)})

    def bind(self, symmetry: Symmetry) -> Cost:
        here, there = _both(symmetry, self.points, self.goal)

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", number("length", self.length, above=0))

    @property
    def reads(self) -> frozenset[Read]:
        goal = in_goal(self.goal_position), in_goal(self.goal_orientation)
        return frozenset({in_state(self.position), in_state(self.orientation), *goal})

    def bind(self, symmetry: Symmetry) -> Cost:
        place, goal_place = _both(symmetry, self.position, self.goal_position)
        axes, goal_axes = _both(symmetry, self.orientation, self.goal_orientation)

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "reach", number("reach", self.reach, least=0))

    @property
    def reads(self) -> frozenset[Read]:
        return frozenset({in_state(self.point), in_state(self.to)})

    def bind(self, symmetry: Symmetry) -> Cost:
        here, there = in_state(self.point).channel(symmetry), in_state(self.to).channel(symmetry)
        if _count(here) != 1:
            got = f"{self.point!r} of the state, of {_count(here)} points"
            raise ArgumentError("objective", got, "a field of one point to be brought near")

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "objective", as_objective(self.objective, "objective"))
        object.__setattr__(self, "weight", number("weight", self.weight))
        object.__setattr__(self, "length", number("length", self.length, above=0))

    @property
    def reads(self) -> frozenset[Read]:
        return self.objective.reads

    def bind(self, symmetry: Symmetry) -> Cost:
        inner = self.objective.bind(symmetry)

        def cost(states: Features, actions: Tensor, goal: Features) -> Tensor:
            distance = inner(states, actions, goal)
            return distance + self.weight * (1.0 - torch.exp(-distance / self.length))

        return cost


def _both(symmetry: Symmetry, state: str, goal: str) -> tuple[Channel, Channel]:
    """Where a field of the state lies, and that of the goal it is compared with, point by point."""
    here, there = in_state(state).channel(symmetry), in_goal(goal).channel(symmetry)
    if _count(here) != _count(there):
        got = f"{goal!r} of the goal, of {_count(there)} points or vectors"
        raise ArgumentError("objective", got, f"as many as {state!r} of the state has, {_count(here)}")
    return here, there


def _count(channel: Channel) -> int:
    return channel.stop - channel.start
