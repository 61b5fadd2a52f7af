"""Declarations drawn at random: is any policy inexact without saying so?"""

from __future__ import annotations

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
from equiworld.planners import PLANNERS, MPCPolicy, Planner, Task
from equiworld.symmetry import Symmetry
from equiworld.symmetry.bound import bounds_of_space

__all__ = ["Declarations", "tried"]

EXACT, FAILED = 1e-12, 1e300  # of the largest action; what is not finite counts as the latter
ELEMENTS, OBSERVATIONS = 4, 3
FAMILIES: dict[str, dict[str, Any]] = {
    "state": {"hidden": (8,), "periodic": 2},
    "state-steerable": {"scalars": 6, "vectors": 4, "depth": 1},
    "mlp": {"hidden": (8,), "periodic": 2},
    "state-regular": {"hidden": (8,)},  # of finite groups
}
_SIZES: dict[str, Any] = {"horizon": 2, "samples": 8, "iterations": 2}
SMALL = {
    kind.__name__: kind(**_SIZES, **({"elites": 2} if hasattr(kind, "elites") else {}))
    for kind in PLANNERS.values()
}
"""Planners by name, as cheap as they come."""


@dataclass(frozen=True)
class Declarations(Question):
    """For each a policy over every family, in five kinds of states; aimed at: none silently inexact.

    Silently inexact: actions at g·s are more than 1e-12 of the largest from g·(those at s), and neither
    `policy.inexact` nor `state.degenerate` said that they might be.

    Attributes:
        drawn: how many; planners take turns.
    """

    drawn: int = 500

    name = "declarations"
    title = "Is any policy over declarations drawn at random inexact without saying so?"
    worlds, closed = ("plain", "labelled"), True
    arms = tuple(SMALL)
    measures: ClassVar = {
        "declarations": Measure("1", "drawn"),
        "silent": Measure("1", "of these, silently inexact in any kind of states"),
        "refused": Measure("1", "refused at construction"),
        "exact": Measure("1", "exact in all kinds of states, and nothing was said"),
        "exact_generic": Measure("1", "exact in generic states, and nothing was said"),
        "said": Measure("1", "whose policy says that it is exact nowhere"),
        "deviation": Measure("1", "largest |a(g·s) - g·a(s)| / |a| where nothing was said", log=True),
        "why": Measure("", "numbers of those that are silently inexact, refused or exact nowhere, and why"),
    }
    small: ClassVar = {"drawn": 5}

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        turn = self.arms.index(cell.arm)
        numbers = range(turn, self.drawn, len(self.arms))
        found = [tried(cell.seed * 1_000_000 + n, cell.world == "labelled", cell.arm) for n in numbers]
        why = [f"{n}: {row['why']}" for n, row in zip(numbers, found, strict=True) if row["why"]]
        counts = {name: sum(row[name] for row in found) for name in (*self.measures,)[1:6]}
        largest = max((row["deviation"] for row in found), default=0.0)
        return [{"declarations": len(found), **counts, "deviation": largest, "why": "; ".join(why)}]


def tried(seed: int, labelled: bool, planner: str) -> Row:
    """Draw a declaration, and try families and states on it: 0 or 1 of each verdict, the deviation, and why.

    Args:
        seed: of the declaration.
        labelled: whether it is one about an axis, of a finite group, or with fields that labels move.
        planner: by name.
    """
    rng = np.random.default_rng([seed, 78 if labelled else 77])
    symmetry = drawn_symmetry(rng, labelled)
    row: Row = dict.fromkeys(("silent", "refused", "exact", "exact_generic", "said"), 0) | {"deviation": 0.0}
    worst, said = dict.fromkeys(STATES, 0.0), dict.fromkeys(STATES, False)
    inexact = set[str]()
    for family in [*FAMILIES][: None if symmetry.group.finite else -1]:
        try:
            policy = _policy(symmetry, family, SMALL[planner], seed, labelled)
        except ArgumentError as error:
            return row | {"refused": 1, "why": f"refused, {error}"}
        inexact |= {*policy.inexact}
        for kind in STATES:
            seen = drawn_observations(symmetry, rng, kind, OBSERVATIONS)
            deviation, flagged = _deviation(policy, seen, rng)
            worst[kind], said[kind] = max(worst[kind], deviation), said[kind] or flagged
    unsaid = [] if inexact else [kind for kind in STATES if not said[kind]]
    exact = [kind for kind in unsaid if worst[kind] <= EXACT]
    silent = [f"{kind} {worst[kind]:.1e}" for kind in unsaid if kind not in exact]
    return {
        "silent": int(bool(silent)),
        "refused": 0,
        "exact": int(len(exact) == len(STATES)),
        "exact_generic": int(STATES[0] in exact),
        "said": int(bool(inexact)),
        "deviation": max((worst[kind] for kind in unsaid), default=0.0),
        "why": ", ".join([*silent, *sorted(inexact)]),
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
        apart = float(np.abs(turned - expected).max()) / size
        worst = max(worst, apart if np.isfinite(apart) else FAILED)
        said = said or bool(after.degenerate.any())
    return worst, said
