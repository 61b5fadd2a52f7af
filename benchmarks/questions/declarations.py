"""Declarations drawn at random: is any policy inexact without saying so?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces

from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.declarations import STATES, drawn_observations, drawn_symmetry
from equiworld.errors import ArgumentError
from equiworld.models import WorldModel
from equiworld.planners import CEM, ICEM, MPPI, GradientPlanner, MPCPolicy, Planner, RandomShooting, Task
from equiworld.results import text_table
from equiworld.symmetry import Symmetry
from equiworld.symmetry.bound import bounds_of_space

__all__ = ["Declarations"]

EXACT = 1e-12  # of the largest action
ELEMENTS, OBSERVATIONS, CHUNK = 4, 3, 100
FAMILIES: dict[str, dict[str, Any]] = {
    "state": {"hidden": (8,), "periodic": 2},
    "state-steerable": {"scalars": 6, "vectors": 4, "depth": 1},
    "mlp": {"hidden": (8,), "periodic": 2},
    "state-regular": {"hidden": (8,)},  # of finite groups
}
_SIZES: dict[str, Any] = {"horizon": 2, "samples": 8, "iterations": 2}
PLANNERS: dict[str, Planner] = {
    "CEM": CEM(elites=2, **_SIZES),
    "ICEM": ICEM(elites=2, **_SIZES),
    "MPPI": MPPI(**_SIZES),
    "GradientPlanner": GradientPlanner(**_SIZES),
    "RandomShooting": RandomShooting(**_SIZES),
}


@dataclass(frozen=True)
class Declarations(Question):
    """For each a policy over every family, in five kinds of states; aimed at: none silently inexact.

    Attributes:
        plain: how many are drawn in the plane and in space.
        labelled: about an axis, of finite groups, with fields that labels move.
    """

    name: ClassVar = "declarations"
    title: ClassVar = "Is any policy over declarations drawn at random inexact without saying so?"
    worlds: ClassVar = ("plain", "labelled")
    arms: ClassVar = tuple(PLANNERS)
    coordinates: ClassVar = ("drawn",)
    measures: ClassVar = {
        "symmetry": Measure("", "what was drawn"),
        "refused": Measure("", "why it was refused at construction"),
        "inexact": Measure("", "why the policy says that it is not exact anywhere"),
        "silent": Measure("", f"states where actions deviate by > {EXACT} and nothing was said, how far"),
        "exact": Measure("", "states where all actions are exact and nothing was said"),
        "flagged": Measure(
            "", "states where `policy.inexact` or `state.degenerate` said that they may deviate"
        ),
        "deviation": Measure("1", "largest |a(g·s) - g·a(s)| / |a| where nothing was said", log=True),
    }
    small: ClassVar = {"plain": 6, "labelled": 6}
    choosing: ClassVar = ("plain", "labelled")

    plain: int = 400
    labelled: int = 500

    def points(self, world: str, arm: str) -> Iterator[dict[str, int]]:
        """By hundreds; the planners take turns."""
        count = self.plain if world == "plain" else self.labelled
        return ({"first": n, "last": min(n + CHUNK, count) - 1} for n in range(0, count, CHUNK))

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """One row a declaration."""
        turn = tuple(PLANNERS).index(cell.arm)
        numbers = range(cell.point["first"], cell.point["last"] + 1)
        mine = (number for number in numbers if number % len(PLANNERS) == turn)
        seeds = {number: cell.seed * 1_000_000 + number for number in mine}
        return [{"drawn": number, **_tried(seed, cell)} for number, seed in seeds.items()]

    def table(self, rows: Sequence[Row]) -> str:
        """How many of each kind of verdict."""
        found = []
        for world in dict.fromkeys(row["world"] for row in rows):
            mine = [row for row in rows if row["world"] == world]
            exact = [(row["exact"] or "").split(", ") for row in mine]
            counts = {"silently inexact": [row["silent"] for row in mine]}
            counts["refused"] = [row["refused"] for row in mine]
            counts["exact and unflagged"] = [set(states) == set(STATES) for states in exact]
            counts["exact in generic states"] = [STATES[0] in states for states in exact]
            counts["said to be inexact"] = [row["inexact"] for row in mine]
            found.append(
                {"declarations": f"{len(mine)} {world}"} | {k: sum(map(bool, v)) for k, v in counts.items()}
            )
        return text_table(found)


def _tried(seed: int, cell: Cell) -> Row:
    """Draw a declaration, and try families and states on it."""
    labelled = cell.world == "labelled"
    rng = np.random.default_rng([seed, 78 if labelled else 77])
    symmetry = drawn_symmetry(rng, labelled)
    row: Row = dict.fromkeys(Declarations.measures) | {"symmetry": repr(symmetry)}
    worst, said = dict.fromkeys(STATES, 0.0), dict.fromkeys(STATES, False)
    inexact = set[str]()
    for family in [*FAMILIES][: None if symmetry.group.finite else 3]:
        try:
            policy = _policy(symmetry, family, PLANNERS[cell.arm], seed, labelled)
        except ArgumentError as error:
            return row | {"refused": str(error)}
        inexact |= {*policy.inexact}
        for kind in STATES:
            deviation, flagged = _deviation(
                policy, drawn_observations(symmetry, rng, kind, OBSERVATIONS), rng
            )
            worst[kind], said[kind] = float(np.maximum(worst[kind], deviation)), said[kind] or flagged
    unsaid = [] if inexact else [kind for kind in STATES if not said[kind]]
    silent = [f"{kind}: {worst[kind]:.1e}" for kind in unsaid if not worst[kind] <= EXACT]
    largest = max((worst[kind] for kind in unsaid), default=0.0)
    return row | {
        "inexact": "; ".join(sorted(inexact)),
        "silent": ", ".join(silent),
        "exact": ", ".join(kind for kind in unsaid if worst[kind] <= EXACT),
        "flagged": ", ".join(kind for kind in STATES if kind not in unsaid),
        "deviation": largest if np.isfinite(largest) else None,
    }


def _policy(symmetry: Symmetry, family: str, planner: Planner, seed: int, even: bool) -> MPCPolicy:
    model = WorldModel.for_symmetry(symmetry, family, env_id="drawn", seed=seed, **FAMILIES[family])
    size = symmetry.action.size(symmetry.dim)
    model.action_bound = bounds_of_space(symmetry, spaces.Box(-1.0, 1.0, (size,), np.float64))
    task = Task(cost=_even_cost if even else _cost)
    return MPCPolicy(model, planner, dtype="float64", seed=seed, task=task)


def _both(part: str, states: Any, goal: Any) -> torch.Tensor:
    """Vectors or points of states and of the goal, one behind the other."""
    mine, its = getattr(states, part), getattr(goal, part)
    return torch.cat([mine, its.expand(*states.batch_shape, *its.shape[-2:])], -1)


def _cost(states: Any, channels: Any, goal: Any, goal_channels: Any) -> torch.Tensor:
    """Lengths, inner products and distances of whatever there is; no isometry changes it."""
    arrows, points = (_both(part, states, goal) for part in ("vectors", "points"))
    arrows = torch.cat([arrows, points - points[..., :1]], -1) if points.shape[-1] else arrows
    products = (arrows.mT @ arrows).flatten(-2)
    total = torch.tanh(products).sum(-1) + torch.tanh(states.scalars).sum(-1)
    return total + products.abs().sum(-1).sqrt() if products.shape[-1] else total


def _even_cost(states: Any, channels: Any, goal: Any, goal_channels: Any) -> torch.Tensor:
    """Squares of numbers, of inner products and of distances from the middle: no sign and no exchange changes it."""
    arrows, points = (_both(part, states, goal) for part in ("vectors", "points"))
    arrows = torch.cat([arrows, points - points.mean(-1, keepdim=True)], -1) if points.shape[-1] else arrows
    return torch.log1p((arrows.mT @ arrows).square().sum((-2, -1))) + states.scalars.square().sum(-1)


def _deviation(policy: MPCPolicy, seen: Any, rng: np.random.Generator) -> tuple[float, bool]:
    """How far actions at g·s are from g·(actions at s), of the largest; and whether the policy said that they may."""
    symmetry, (actions, state) = policy.symmetry, policy.predict(seen)
    worst, said = 0.0, bool(state.degenerate.any())
    for g in symmetry.group.sample(rng, ELEMENTS, scale=symmetry.length_scale):
        turned, after = policy.predict(symmetry.transform_observation(g, seen))
        expected = symmetry.transform_action(g, actions)
        arrow = np.abs(expected - np.resize(symmetry.centre, expected.shape[-1])).max()
        size = max(float(arrow), float(np.abs(expected).max()), 1e-3)
        worst = float(np.maximum(worst, np.abs(turned - expected).max() / size))  # NaN stays
        said = said or bool(after.degenerate.any())
    return worst, said
