"""Where something breaks the symmetry: ignore it, keep the subgroup, observe it, or give the symmetry up?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from equiworld.arguments import integer
from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.arm import Arm
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, grouped
from equiworld.benchmarks.suite.rows import Measure, Row, share_of
from equiworld.benchmarks.suite.scale import Scale
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.style import legend_below, new_figure
from equiworld.benchmarks.suite.trained import data_of
from equiworld.benchmarks.worlds.broken import BrokenPushTWorld, broken_pusht
from equiworld.benchmarks.worlds.broken_space import BrokenCloudPushWorld, broken_cloudpush
from equiworld.benchmarks.worlds.loops import TASKS_SOLVED, tasks_solved
from equiworld.benchmarks.worlds.world import World
from equiworld.errors import ArgumentError
from equiworld.models import WorldModel
from equiworld.planners import MPCPolicy
from equiworld.rollout import Start, rollout
from equiworld.training import Dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ARMS", "Breaking"]

_EXACT = {"state": "state"}
ARMS: Mapping[str, Arm] = {
    "ignore it": Arm(_EXACT, part="all"),
    "subgroup": Arm(_EXACT, part="all", kept=True),
    "context": Arm(_EXACT, part="all"),
    "cost": Arm(_EXACT, part="all"),
    "soft": Arm({"state": "soft"}, part="all"),
    "plain": Arm({"state": "mlp"}, part="all"),
    "augmented": Arm({"state": "augmented"}, part="all"),
}
"""By name; what breaks the symmetry is observed by "context" alone, and told by its cost to "cost", whose model is that
of "ignore it"."""

NOTHING = "nothing"
_STILL = 1e-6  # of the squared error: where less moves, what share of it is meaningless
DOSES = {"walls": "walls nearer by [px]", "gravity": "gravity [m/s²]"}


@dataclass(frozen=True)
class Breaking(TrainedQuestion):
    """One step and whole tasks by region, in worlds that break their symmetry by a dose.

    All arms have the same transitions, of all orientations, and the same tasks. Doses of walls are how much nearer
    they stand than gym-pusht's own, which are at 0; where nothing is broken there are none.

    Attributes:
        scale: as for other questions; worlds are many, so the default is a small one.
        transitions: likewise.
        steps: likewise.
        weight_decay: of all arms.
        walls: doses in PushT [px].
        gravity: doses in CloudPush, a table with them [m/s²].
        tasks: in each region; 0 for errors alone.
        task_steps: environment steps in a task, at most.
    """

    scale: str = "demo"
    transitions: int | None = 8_000
    steps: int | None = 2_000
    weight_decay: float = 0.1
    walls: tuple[float, ...] = (0.0, 60.0, 110.0)
    gravity: tuple[float, ...] = (1.0, 9.81)
    tasks: int = 30
    task_steps: int = 100

    name: ClassVar[str] = "breaking"
    title: ClassVar[str] = "Where something breaks the symmetry: ignore it, keep the subgroup, or observe it?"
    worlds: ClassVar[tuple[str, ...]] = ("pusht", "cloudpush-pose")
    arms: ClassVar[tuple[str, ...]] = tuple(ARMS)
    seeds: ClassVar[int] = 2
    closed: ClassVar[bool] = True
    coordinates: ClassVar[tuple[str, ...]] = ("region",)
    choosing: ClassVar[tuple[str, ...]] = (*TrainedQuestion.choosing, "walls", "gravity", "weight_decay")
    measures: ClassVar[dict[str, Measure]] = {
        "transitions": Measure("1", "test transitions in the region"),
        "error_rms": Measure(
            "", "root mean square error of a point, one step, in the world's unit", log=True
        ),
        "error_median": Measure(
            "", "root mean square error of a body's points, median of transitions", log=True
        ),
        "relative_error": Measure("1", "one-step relMSE; 1: no motion", log=True),
        "free_share": Measure("1", "mean square that the free path of a soft model gives, over the whole"),
        "success": Measure("1", "share of tasks that begin in the region solved, Wilson's 95 % interval"),
        "successes": Measure("1", "tasks solved"),
        "episodes": Measure("1", "tasks"),
        "tasks_solved": TASKS_SOLVED,
    }
    small: ClassVar[dict[str, Any]] = {
        "transitions": 300,
        "steps": 10,
        "walls": (60.0,),
        "gravity": (),
        "tasks": 1,
        "task_steps": 2,
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("tasks", self.tasks, least=0)
        integer("task_steps", self.task_steps, least=1)

    def world(self, name: str) -> World:
        """A world by its name, with the arms of this question."""
        return replace(super().world(name), arms=())

    def arm(self, name: str) -> Arm:
        """An arm by its name."""
        return ARMS[name]

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """The doses; where nothing is broken there is nothing to observe, and nothing less than the whole to keep."""
        if world not in self.worlds:
            raise ArgumentError("--world", world, "a world whose symmetry can be broken", self.worlds)
        what = "walls" if world == "pusht" else "gravity"
        doses = [(what, dose) for dose in getattr(self, what)]
        whole = [(NOTHING, 0.0)] if doses and arm not in ("subgroup", "context", "cost") else []
        return [{"broken": what, "dose": float(dose)} for what, dose in [*whole, *doses]]

    def world_at(self, cell: Cell) -> BrokenPushTWorld | BrokenCloudPushWorld:
        """The world of its dose, which shows what breaks it to the arm that observes that."""
        observed = cell.arm == "context"
        if cell.world == "pusht":
            return broken_pusht(cell.point["broken"], cell.point["dose"], observed)
        return broken_cloudpush(cell.point["dose"], observed)

    def scale_in(self, world: World) -> Scale:
        """With this question's weight decay."""
        return replace(super().scale_in(world), weight_decays=(self.weight_decay,))

    def policy(self, cell: Cell, model: WorldModel, dtype: str = "float32", **others: Any) -> MPCPolicy:
        """The policy of a cell's arm over its model, its cost the world's or the one that knows what breaks it."""
        task = {"task": self.world_at(cell).guarded} if cell.arm == "cost" else {}
        return super().policy(cell, model, dtype, **task, **others)

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """One row a region."""
        world, model = self.world_at(cell), self.model(cell, store)
        data = data_of(store, world, "all", "test", self.scale_in(world))
        rows: dict[str, Row] = {}
        for region, where in world.regions(data).items():
            if where.any():
                rows[region] = _errors(world, model, data.select(where))
        for region, starts in (world.tasks(self.tasks, cell.seed) if self.tasks else {}).items():
            ends = self._run(cell, model, starts)
            solved = share_of("success", ends) | {"tasks_solved": tasks_solved(ends)}
            rows[region] = rows.get(region, {}) | solved
        return [{"region": region, **row} for region, row in rows.items()]

    def _run(self, cell: Cell, model: WorldModel, starts: Sequence[Start]) -> list[dict[str, float]]:
        """How each task ended."""
        world = self.world_at(cell)
        envs = [world.make(max_episode_steps=self.task_steps) for _ in starts]
        ends: list[dict[str, float]] = [{} for _ in starts]
        try:
            policy = self.policy(cell, model)
            for step in rollout(policy, envs, starts, steps=self.task_steps, drop_ended=True):
                ends[step.env] = world.judge(step.info, step.observation)
        finally:
            for env in envs:
                env.close()
        return ends

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Error and success against the dose, a panel a region."""
        found = {what: each for what, each in grouped(rows, "broken").items() if what != NOTHING}
        if not found:
            return None
        ((what, broken),) = found.items()
        titles = {"error_rms": "one-step error", "success": "tasks solved"}
        shown = {
            (region, name): [row for row in each if row.get(name) is not None]
            for name in titles
            for region, each in grouped(broken, "region").items()
        }
        shown = {key: each for key, each in shown.items() if each}
        figure, axes = new_figure(min(3, len(shown)), -(-len(shown) // 3), width=3.8, height=3.4)
        for place, ((region, name), each) in zip(axes, shown.items(), strict=False):
            log, share = ("y", False) if name == "error_rms" else ("", True)
            Panel(f"{region}: {titles[name]}", "dose", name, DOSES[what], share=share, log=log).draw(
                place, each
            )
        legend_below(figure)
        return figure


def _errors(world: World, model: WorldModel, data: Dataset) -> Row:
    """One step, and how much of it a soft model's free path says."""
    found = world.errors(model, data)["everywhere"]
    moves = found.motion.sum() > _STILL * found.error.sum()
    relative = found.relative if moves else None
    row: Row = {
        "transitions": len(data),
        "error_rms": found.rms,
        "error_median": float(np.median(np.sqrt(found.error / found.points))),
        "relative_error": relative,
    }
    state, action, _ = data.features(torch.float32)
    share = model.dynamics.free_share(model.encode_features(state), action)
    return row if share is None else row | {"free_share": float(np.float64(share))}
