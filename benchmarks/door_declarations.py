"""Declarations drawn at random: is any policy inexact without saying so?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from equiworld.benchmarks.door_labels import labelled_symmetry
from equiworld.errors import ArgumentError
from equiworld.groups import E2, E3, O2, O3, SE2, SE3, SO2, SO3, Cyclic, Dihedral, Group
from equiworld.models import WorldModel
from equiworld.planners import CEM, ICEM, MPPI, GradientPlanner, MPCPolicy, Planner, RandomShooting, Task
from equiworld.symmetry import (
    Concatenation,
    Field,
    Heading,
    Objects,
    Point,
    Pseudoscalar,
    Pseudovector,
    Rotation,
    Scalar,
    SignedPermutation,
    Symmetry,
    Vector,
)
from equiworld.symmetry.bound import bounds_of_space
from equiworld.symmetry.sampling import random_observation

__all__ = ["Verdict", "random_symmetry", "tried"]

EXACT = 1e-12  # of the largest action
ELEMENTS = 4
FAMILIES = {
    "state": {"hidden": (8,), "periodic": 2},
    "state-steerable": {"scalars": 6, "vectors": 4, "depth": 1},
    "mlp": {"hidden": (8,), "periodic": 2},
}
_SIZES: dict[str, Any] = {"horizon": 2, "samples": 8, "iterations": 2}
PLANNERS: tuple[Planner, ...] = (
    CEM(elites=2, **_SIZES),
    ICEM(elites=2, **_SIZES),
    MPPI(**_SIZES),
    GradientPlanner(**_SIZES),
    RandomShooting(**_SIZES),
)
STATES = ("generic", "at rest", "in one place", "round numbers", "nothing at all")


@dataclass(frozen=True)
class Verdict:
    """What came of one declaration.

    Attributes:
        seed: that it was drawn with.
        symmetry: in words.
        refused: why it was refused at construction; None if it was not.
        inexact: why the policy says it is not exact anywhere; empty if it does not.
        silent: states in which an action deviates although nothing was said, with the largest deviation.
        exact: states in which all actions are exact and nothing was said.
        flagged: states in which it was said.
        deviation: the largest in states where nothing was said, relative.
    """

    seed: int
    symmetry: str
    refused: str | None = None
    inexact: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    exact: tuple[str, ...] = ()
    flagged: tuple[str, ...] = ()
    deviation: float = 0.0


def random_symmetry(rng: np.random.Generator) -> Symmetry:
    """A declaration of a few fields, in the plane or in space; with or without goal, reference and heading."""
    dim = int(rng.integers(2, 4))
    groups: dict[int, tuple[Group, ...]] = {
        2: (SO2(), O2(), SE2(), SE2(), E2(), Cyclic(4), Dihedral(3)),
        3: (SO3(), O3(), SE3(), SE3(), E3()),
    }
    group = groups[dim][rng.integers(len(groups[dim]))]
    orientation: Field = Heading() if dim == 2 else Rotation()
    state: dict[str, Field] = {}
    for name, field, chance in (
        ("place", Point(), 0.7),
        ("corners", Point(int(rng.integers(2, 4))), 0.3),
        ("speed", Vector(), 0.6),
        ("forces", Vector(2), 0.2),
        ("mass", Scalar(), 0.4),
        ("pose", orientation, 0.4),
    ):
        if rng.random() < chance:
            state[name] = field
    if not state:
        state = {"place": Point(), "speed": Vector()}
    goals: dict[str, Field] = {"goal": Point(), "goal_speed": Vector(), "goal_pose": orientation}
    goal = {name: field for name, field in goals.items() if rng.random() < 0.35}
    actions: tuple[Field, ...] = (
        Vector(),
        Scalar(int(rng.integers(1, 4))),
        Concatenation((Vector(), Scalar())),
        Concatenation((Scalar(), Vector(2))),
        Point(),
    )
    points = [name for name, field in state.items() if isinstance(field, Point)]
    return Symmetry(
        group,
        {**state, **goal},
        action=actions[rng.choice(5, p=[0.4, 0.2, 0.2, 0.1, 0.1])],
        goal=tuple(goal),
        reference=str(rng.choice(points)) if points and rng.random() < 0.5 else None,
        heading="pose" if dim == 2 and "pose" in state and rng.random() < 0.5 else None,
        centre=tuple(rng.choice([0.0, 1.5], dim)),
        length_scale=float(rng.choice([0.1, 1.0, 100.0])),
    )


def observations(symmetry: Symmetry, rng: np.random.Generator, kind: str, count: int = 3) -> Any:
    """Observations of a kind of `STATES`, `(count, size)`."""
    drawn = symmetry.observed(random_observation(symmetry, rng, count))
    for name, field in symmetry.observation.items():
        array = drawn[name]
        if kind in ("at rest", "nothing at all") and isinstance(field, Vector | Pseudovector | Pseudoscalar):
            drawn[name] = np.zeros_like(array)
        if (
            kind == "nothing at all"
            and field.labelled
            and not isinstance(field, Rotation | Heading | Objects)
        ):
            drawn[name] = np.zeros_like(array)
        if kind in ("in one place", "nothing at all") and isinstance(field, Point):
            drawn[name] = np.tile(np.asarray(symmetry.centre), (count, field.count))
        if kind == "round numbers" and isinstance(field, Point | Vector | Scalar | SignedPermutation):
            drawn[name] = np.round(array / symmetry.length_scale) * symmetry.length_scale
    return symmetry.assembled(drawn)


def cost(states: Any, channels: Any, goal: Any, goal_channels: Any) -> torch.Tensor:
    """Lengths, inner products and distances of whatever there is; no isometry changes it."""
    vectors = torch.cat(
        [states.vectors, goal.vectors.expand(*states.batch_shape, *goal.vectors.shape[-2:])], -1
    )
    points = torch.cat([states.points, goal.points.expand(*states.batch_shape, *goal.points.shape[-2:])], -1)
    arrows = torch.cat([vectors, points - points[..., :1]], -1) if points.shape[-1] else vectors
    products = (arrows.mT @ arrows).flatten(-2)
    total = torch.tanh(products).sum(-1) + torch.tanh(states.scalars).sum(-1)
    return total + products.abs().sum(-1).sqrt() if products.shape[-1] else total


def even_cost(states: Any, channels: Any, goal: Any, goal_channels: Any) -> torch.Tensor:
    """Squares of numbers, of inner products and of distances from the middle: no sign and no exchange changes it."""
    vectors = torch.cat(
        [states.vectors, goal.vectors.expand(*states.batch_shape, *goal.vectors.shape[-2:])], -1
    )
    points = torch.cat([states.points, goal.points.expand(*states.batch_shape, *goal.points.shape[-2:])], -1)
    arrows = torch.cat([vectors, points - points.mean(-1, keepdim=True)], -1) if points.shape[-1] else vectors
    return torch.log1p((arrows.mT @ arrows).square().sum((-2, -1))) + states.scalars.square().sum(-1)


def tried(seed: int, labels: bool = False) -> Verdict:
    """Draw a declaration, and try families, planners and states on it.

    Args:
        seed: of the declaration.
        labels: whether it is one about an axis, of a finite group, or with fields that labels move.
    """
    rng = np.random.default_rng([seed, 78 if labels else 77])
    symmetry = labelled_symmetry(rng) if labels else random_symmetry(rng)
    verdict = Verdict(seed, repr(symmetry))
    planner = PLANNERS[seed % len(PLANNERS)]
    found: dict[str, list[tuple[float, bool]]] = {kind: [] for kind in STATES}
    inexact: set[str] = set()
    finite = {"state-regular": {"hidden": (8,)}} if symmetry.group.finite else {}
    for family, settings in {**FAMILIES, **finite}.items():
        try:
            policy = _policy(symmetry, family, settings, planner, seed, even_cost if labels else cost)
        except ArgumentError as error:
            return replace(verdict, refused=str(error))
        inexact |= set(policy.inexact)
        for kind in STATES:
            found[kind].append(_deviation(policy, observations(symmetry, rng, kind), rng))
    said = {kind: bool(inexact) or any(flag for _, flag in each) for kind, each in found.items()}
    worst = {kind: float(np.max([deviation for deviation, _ in each])) for kind, each in found.items()}
    return replace(
        verdict,
        inexact=tuple(sorted(inexact)),
        silent=tuple(
            f"{kind}: {worst[kind]:.1e}" for kind in STATES if not said[kind] and not worst[kind] <= EXACT
        ),
        exact=tuple(kind for kind in STATES if not said[kind] and worst[kind] <= EXACT),
        flagged=tuple(kind for kind in STATES if said[kind]),
        deviation=max((worst[kind] for kind in STATES if not said[kind]), default=0.0),
    )


def _policy(
    symmetry: Symmetry, family: str, settings: Any, planner: Planner, seed: int, objective: Any
) -> MPCPolicy:
    model = WorldModel.for_symmetry(symmetry, family, env_id="drawn", seed=seed, **settings)
    size = symmetry.action.size(symmetry.dim)
    model.action_bound = bounds_of_space(symmetry, spaces.Box(-1.0, 1.0, (size,), np.float64))
    return MPCPolicy(model, planner, dtype="float64", seed=seed, task=Task(cost=objective))


def _deviation(policy: MPCPolicy, seen: Any, rng: np.random.Generator) -> tuple[float, bool]:
    """How far actions at g·s are from g·(actions at s), of the largest; and whether the policy said that they may."""
    symmetry, (actions, state) = policy.symmetry, policy.predict(seen)
    worst, said = 0.0, bool(state.degenerate.any())
    for g in symmetry.group.sample(rng, ELEMENTS, scale=symmetry.length_scale):
        turned, after = policy.predict(symmetry.transform_observation(g, seen))
        expected = symmetry.transform_action(g, actions)
        size = max(float(np.abs(expected - np.resize(symmetry.centre, expected.shape[-1])).max()), 1e-3)
        size = max(size, float(np.abs(expected).max()))
        worst = float(np.maximum(worst, np.abs(turned - expected).max() / size))  # NaN stays
        said = said or bool(after.degenerate.any())
    return worst, said
