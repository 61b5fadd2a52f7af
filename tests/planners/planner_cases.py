"""Toy problems for planners: dynamics and costs in the plane and in space, made of differences and lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from equiworld.groups import SE2, SE3
from equiworld.planners import CEM, ICEM, PLANNERS, Planner
from equiworld.planners.problem import Bound, Problem
from equiworld.symmetry import Features, Heading, Point, Scalar, Symmetry, Vector

RADIUS = 0.8

PLANE = Symmetry(
    SE2(),
    {"hand": Point(), "body": Point(), "turn": Heading(), "speed": Vector(), "mass": Scalar()},
    action=Vector(),
    reference="body",
    heading="turn",
)
SPACE = Symmetry(
    SE3(),
    {"hand": Point(), "corners": Point(3), "speed": Vector(), "mass": Scalar()},
    action=Vector(),
)
ARROWS = Symmetry(SE3(), {"speed": Vector(), "spin": Vector(), "mass": Scalar()}, action=Vector())
SYMMETRIES = {"plane": PLANE, "space": SPACE, "arrows": ARROWS}


def states(symmetry: Symmetry, envs: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Features:
    """Random states of batch shape `(envs,)`, headings of length 1."""
    generator = torch.Generator().manual_seed(seed)
    kind = symmetry.feature_type()
    flat = torch.randn(envs, kind.size, generator=generator, dtype=torch.float64)
    z = Features.unflatten(flat, kind)
    vectors = z.vectors
    if symmetry.heading is not None:
        start = symmetry.channels()[symmetry.heading].start
        vectors = vectors.clone()
        vectors[..., start] /= vectors[..., start].norm(dim=-1, keepdim=True)
    return Features(z.scalars.abs() + 0.5, vectors, z.points).to(dtype)


def _soft(arrow: Tensor) -> Tensor:
    return arrow / (1.0 + arrow.square().sum(-2, keepdim=True))


@dataclass(frozen=True)
class World:
    """Dynamics and cost of isometric worlds: made of differences, lengths and inner products only.

    Attributes:
        symmetry: of the states.
        absolute: whether an action is the point that the hand is drawn to, not a push.
    """

    symmetry: Symmetry
    absolute: bool = False

    def predict(self, z: Features, action: Tensor) -> Features:
        arrows = action.unflatten(-1, (-1, self.symmetry.dim)).transpose(-1, -2)
        if self.absolute:
            arrows = arrows - z.points[..., :1]
        push = arrows.mean(-1, keepdim=True) / (0.5 + z.scalars[..., None, :1])
        if not z.points.shape[-1]:
            vectors = 0.9 * z.vectors + 0.5 * push + 0.2 * _soft(z.vectors.flip(-1))
            return Features(0.98 * z.scalars, vectors, z.points)
        middle = z.points.mean(-1, keepdim=True)
        points = z.points + 0.1 * _soft(middle - z.points)
        moved = z.points[..., :1] + 0.8 * push + 0.1 * z.vectors[..., -1:]
        points = torch.cat([moved, points[..., 1:]], -1)
        vectors = 0.8 * z.vectors + 0.3 * _soft(push)
        if self.symmetry.heading is not None:
            turned = vectors[..., :1] / vectors[..., :1].norm(dim=-2, keepdim=True)
            vectors = torch.cat([turned, vectors[..., 1:]], -1)
        return Features(0.98 * z.scalars + 0.02 * push.square().sum((-2, -1))[..., None], vectors, points)

    def cost(self, trajectory: Features, actions: Tensor, goal: Features) -> Tensor:
        """Points and vectors are drawn to those of the goal."""
        away = (trajectory.points - goal.points).square().sum(-2).sqrt().sum(-1)
        return away + 0.3 * (trajectory.vectors - goal.vectors).square().sum((-2, -1))


def ball(symmetry: Symmetry, arrows: int = 1, radius: float = RADIUS) -> Bound:
    """Each of some vectors no longer than a radius."""
    return Bound(radius=radius, size=arrows * symmetry.dim, item=symmetry.dim)


def problem(
    symmetry: Symmetry,
    z: Features,
    goal: Features,
    *,
    bounds: Sequence[Bound] | None = None,
    arrows: int = 1,
    null_action: Tensor | None = None,
) -> Problem:
    """The planning problem of these states."""
    world = World(symmetry, null_action is not None)
    return Problem(
        state=z,
        predict=world.predict,
        cost=world.cost,
        size=arrows * symmetry.dim,
        bounds=[ball(symmetry, arrows)] if bounds is None else bounds,
        goal=goal,
        null_action=null_action,
    )


def generators(envs: int, seed: int = 0) -> list[torch.Generator]:
    """One generator for each environment, all different."""
    return [torch.Generator().manual_seed(1000 * seed + env) for env in range(envs)]


def quadratic(envs: int, target: Tensor, dtype: torch.dtype = torch.float64) -> Problem:
    """Each action is charged its squared distance to a target `(envs, 2)`: the best plan is known.

    The state's first point counts up the actions so that the cost sees them one by one.
    """
    z = Features.zeros(replace(PLANE, heading=None).feature_type(), (envs,), dtype)
    goal = Features(z.scalars, z.vectors, target[..., None].expand_as(z.points))

    def predict(z: Features, action: Tensor) -> Features:
        return Features(z.scalars, z.vectors, action[..., None].expand_as(z.points))

    def cost(trajectory: Features, actions: Tensor, goal: Features) -> Tensor:
        return (trajectory.points - goal.points)[..., :1].square().sum((-2, -1))

    return Problem(state=z, predict=predict, cost=cost, size=2, bounds=[Bound(radius=2.0)], goal=goal)


SIZES = {"horizon": 4, "samples": 48, "iterations": 3}
VARIANTS: dict[str, tuple[type[Planner], dict[str, Any]]] = {
    **{name: (planner, {}) for name, planner in PLANNERS.items()},
    "cem around the mean": (CEM, {"around": "mean"}),
    "cem, coloured": (CEM, {"correlation": 2.0}),
    "icem, all kept": (ICEM, {"keep": 1.0, "momentum": 0.0}),
}
every_planner = pytest.mark.parametrize("variant", VARIANTS)
every_world = pytest.mark.parametrize("world", SYMMETRIES)


def made(variant: str, **settings: Any) -> Planner:
    """A planner of small sizes."""
    planner, own = VARIANTS[variant]
    return planner(**(SIZES | own | settings))


def posed(world: str = "plane", envs: int = 6, seed: int = 0, **settings: Any) -> Problem:
    """The problem of some random states and goals."""
    symmetry = SYMMETRIES[world]
    z, goal = states(symmetry, envs, seed=seed), states(symmetry, envs, seed=seed + 1)
    return problem(symmetry, z, goal, **settings)


def cost_of(planner: Planner, problem: Problem, actions: Tensor) -> Tensor:
    """What a planner should say that the plans `(B, H, size)` cost."""
    z, each = problem.state, []
    for step in range(actions.shape[1]):
        z = problem.predict(z, actions[:, step])
        goal = None if problem.goal is None else problem.goal[None, :, None]
        each.append(
            problem.cost(Features.stack([z])[:, :, None], actions[None, :, None, step], goal)[0, :, 0]
        )
    costs = torch.stack(each)
    return costs.mean(0) + planner.cost_of_last * costs[-1]
