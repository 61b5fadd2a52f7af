"""What carries success: the model, the task's terms, or the planner's iterations?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from equiworld.benchmarks.questions.success import STRIDE
from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.comparison import mcnemar
from equiworld.benchmarks.suite.pictures import grouped
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.style import legend_below, new_figure, share_axis, style_of
from equiworld.benchmarks.suite.summary import summarised
from equiworld.benchmarks.worlds.loops import SOLVED, run_trials, solved_row
from equiworld.envs.pusht.task import push_cost
from equiworld.errors import ArgumentError
from equiworld.planners import Planner
from equiworld.results import text_table
from equiworld.tasks import Approach, FirstOf, Objective, Sharpened, Task
from equiworld.tasks.objective import WeightedSum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PARTS", "WhatCarries", "without"]

PARTS = ("proposals", "sharpening", "approach", "iterations")
NOTHING = "nothing"


@dataclass(frozen=True)
class WhatCarries(TrainedQuestion):
    """Parts of the task and of the planner taken away, the same ones from every arm, and the same episodes played.

    The parts are the task's proposals; the term of its cost that is sharp near the goal; the term that draws the agent
    near the body; and all of the planner's iterations but the first, with as many candidates in it as before: a third
    of the evaluations that there are with all three.

    Attributes:
        removed: what is taken away, several parts joined by " + "; "nothing" for none.
        episodes: of the world's own task.
        max_steps: of an episode, if fewer than the trial's.
    """

    removed: tuple[str, ...] = (
        NOTHING,
        *PARTS,
        *map(" + ".join, combinations(PARTS[:3], 2)),
        " + ".join(PARTS[:3]),
        " + ".join(PARTS),
    )
    episodes: int = 100
    max_steps: int | None = None

    name: ClassVar[str] = "what-carries"
    title: ClassVar[str] = "What carries success: the model, the task's terms, or the planner's iterations?"
    worlds: ClassVar[tuple[str, ...]] = ("pusht", "cloudpush")
    arms: ClassVar[tuple[str, ...]] = ("equivariant", "plain", "augmented")
    seeds: ClassVar[int] = 5
    choosing: ClassVar[tuple[str, ...]] = (*TrainedQuestion.choosing, "removed")
    measures: ClassVar[dict[str, Measure]] = {
        **SOLVED,
    }
    small: ClassVar[dict[str, Any]] = {
        "removed": (NOTHING, " + ".join(PARTS)),
        "episodes": 2,
        "max_steps": 15,
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        for each in self.removed:
            unknown = {*_parts(each)} - {*PARTS}
            if unknown:
                raise ArgumentError(
                    "removed", sorted(unknown), f'"{NOTHING}", or parts joined by " + "', PARTS
                )

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """What is removed, as far as there is something: what changes nothing has no cell."""
        whole = self.world(world).task, self.world(world).planner
        left = {each: without(*whole, _parts(each)) for each in self.removed}
        return [{"removed": each} for each in left if each == NOTHING or left[each] != whole]

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """One row."""
        world, model = self.world(cell.world), self.model(cell, store)
        task, planner = without(world.task, world.planner, _parts(cell.point["removed"]))
        policy = self.policy(cell, model, task=task, planner=planner)
        trial = next(iter(world.trials.values()))
        first, steps = trial.first + STRIDE * cell.seed, trial.limited(self.max_steps)
        seeds = range(first, first + self.episodes)
        ended = run_trials(policy, world, seeds, trial.arguments, steps, world.side_by_side)
        return [solved_row(ended)]

    def table(self, rows: Sequence[Row]) -> str:
        """Of each arm, seeds together, what is left without each part, and whether the loss can be chance."""
        lines = []
        for (world, arm), of in _by_arm(rows).items():
            whole = _solved(of.get(NOTHING, []))
            for removed, some in of.items():
                solved = _solved(some)
                paired = len(whole) == len(solved) and removed != NOTHING
                lines.append(
                    {
                        "world": world,
                        "arm": arm,
                        "removed": removed,
                        "solved": int(solved.sum()),
                        "episodes": len(solved),
                        "p (McNemar)": mcnemar(whole, solved) if paired else None,
                    }
                )
        return text_table(lines)

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Success without each part, a row of marks an arm."""
        if not rows:
            return None
        names = sorted(
            {row["removed"] for row in rows}, key=lambda name: (name != NOTHING, len(_parts(name)), name)
        )
        figure, (axes,) = new_figure(1, width=10.5)
        arms = grouped(rows, "arm")
        for index, (arm, of) in enumerate(arms.items()):
            aside = 0.12 * (index - (len(arms) - 1) / 2)
            for row in summarised(of, self.measures):
                value, *ends = (100 * row[name] for name in ("success", "success_low", "success_high"))
                place = names.index(row["removed"]) + aside
                style = {**style_of(arm), "linestyle": "none"}
                axes.errorbar(
                    place, value, [[value - ends[0]], [ends[1] - value]], capsize=2, label=arm, **style
                )
        axes.set_xticks(range(len(names)), [name.replace(" + ", "\n") for name in names], fontsize=9)
        axes.set_title("tasks solved (95 %), by what is taken away", fontsize=11)
        share_axis(axes)
        legend_below(figure)
        return figure


def without(task: Task, planner: Planner, parts: Collection[str]) -> tuple[Task, Planner]:
    """A task and a planner without some of `PARTS`; what they do not have is not missed.

    >>> from equiworld.planners import CEM
    >>> from equiworld.tasks import KeypointDistance
    >>> whole = Task(Sharpened(KeypointDistance("a", "b"), 1.0, 1.0) + 0.1 * Approach("c", "a"))
    >>> without(whole, CEM(), ["sharpening", "approach"])[0].cost.terms
    ((1.0, KeypointDistance(points='a', goal='b', lever=1.0)),)
    """
    if "proposals" in parts:
        task = replace(task, proposals=None, random_numbers=0)
    if "iterations" in parts:
        planner = replace(planner, iterations=1)
    weights = {"sharpening": "sharpness", "approach": "approach"}
    if task.cost is push_cost and not {*weights}.isdisjoint(parts):
        task = replace(
            task, cost=partial(push_cost, **{weights[part]: 0.0 for part in parts if part in weights})
        )
    elif isinstance(task.cost, Objective):
        task = replace(task, cost=_plainer(task.cost, parts))
    return task, planner


def _plainer(cost: Objective, parts: Collection[str]) -> Objective:
    """An objective without sharpening, or without approach."""
    if isinstance(cost, FirstOf):
        return FirstOf(tuple(_plainer(each, parts) for each in cost.objectives))
    if isinstance(cost, WeightedSum):
        left = [term for term in cost.terms if not ("approach" in parts and isinstance(term[1], Approach))]
        return WeightedSum(tuple((weight, _plainer(term, parts)) for weight, term in left))
    return cost.objective if isinstance(cost, Sharpened) and "sharpening" in parts else cost


def _by_arm(rows: Sequence[Row]) -> dict[tuple[str, str], dict[str, list[Row]]]:
    """Rows by world and arm, and of each by what is removed."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["world"], row["arm"]), []).append(row)
    return {where: grouped(of, "removed") for where, of in found.items()}


def _solved(rows: Sequence[Row]) -> NDArray[np.bool_]:
    """Outcomes of the episodes of all seeds, one after another."""
    ordered = sorted(rows, key=lambda row: row["seed"])
    return np.array([mark == "+" for row in ordered for mark in row["tasks_solved"]], bool)


def _parts(removed: str) -> list[str]:
    return [] if removed == NOTHING else removed.split(" + ")
