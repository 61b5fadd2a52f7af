"""Which planner solves the task best in equal time?"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from equiworld.benchmarks.arms import arm_of
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.trained import trained_inputs, trained_model
from equiworld.benchmarks.worlds import world_of
from equiworld.benchmarks.worlds.loops import SOLVED, run_trials, solved_row
from equiworld.errors import UnknownNameError
from equiworld.models import WorldModel
from equiworld.planners import CEM, ICEM, MPPI, GradientPlanner, MPCPolicy, Planner, RandomShooting

__all__ = ["PlannerSuccess"]

PLANNERS: Mapping[str, Planner] = {
    "CEM, around elites": CEM(),
    "CEM, around their mean": CEM(around="mean"),
    "ICEM": ICEM(),
    "MPPI": MPPI(),
    "GradientPlanner": GradientPlanner(iterations=5),
    "RandomShooting": RandomShooting(iterations=1),
}
FEWEST, MOST = 8, 4096  # samples
_SIDE_BY_SIDE = 100
_FIRST = 3_000_000  # seed of the first episode; tuning used others


@dataclass(frozen=True)
class PlannerSuccess(Question):
    """Every planner with as many samples as fit in the same time, over one model.

    Of samples the most are taken, by bisection, with which a decision for one environment takes no longer than the
    given time. A planner that takes longer even with the fewest keeps these, and the time it takes stands beside it.

    Attributes:
        milliseconds: of one decision for one environment.
        episodes: of each task, for each planner.
        decisions: that a time is the median of.
        scale: of the data and the training of the model.
    """

    name: ClassVar = "planner-success"
    title: ClassVar = "Which planner solves the task best in equal time?"
    timed: ClassVar = True
    worlds: ClassVar = ("pusht",)
    arms: ClassVar = tuple(PLANNERS)
    measures: ClassVar = {
        **SOLVED,
        "samples": Measure("1", "candidates an iteration that fit"),
        "iterations": Measure("1", "of the planner"),
        "ms": Measure("ms", "a decision with so many, median"),
    }
    small: ClassVar = {"milliseconds": 4.0, "episodes": 2, "decisions": 3, "scale": "small"}

    milliseconds: float = 15.0
    episodes: int = 200
    decisions: int = 9
    scale: Literal["full", "demo", "small"] = "full"

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        if arm not in PLANNERS:
            raise UnknownNameError("--arm", arm, PLANNERS, "planners that are compared")
        return [{"task": task} for task, trials in world_of(world).trials.items() if not trials.in_slice]

    def depends(self, cell: Cell) -> Mapping[str, Any]:
        world = world_of(cell.world)
        task = world.trials[str(cell.point["task"])]
        model = trained_inputs(world, arm_of("equivariant"), world.scales[self.scale])
        return {**model, "task": task, "planner": PLANNERS[cell.arm]}

    def modules(self, cell: Cell) -> Sequence[str]:
        return (*super().modules(cell), *world_of(cell.world).modules())

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        world, trials = world_of(cell.world), world_of(cell.world).trials[str(cell.point["task"])]
        model = trained_model(store, world, arm_of("equivariant"), cell.seed, world.scales[self.scale])
        observation, _ = (env := world.make()).reset(seed=0)
        env.close()
        planner, ms = self._fitted(model, PLANNERS[cell.arm], observation)
        first = _FIRST + self.episodes * cell.seed
        seeds = range(first, first + self.episodes)
        policy = MPCPolicy(model, planner, seed=cell.seed)
        ends = run_trials(policy, world, seeds, trials.arguments, trials.steps, _SIDE_BY_SIDE)
        return [{**solved_row(ends), "ms": ms, "samples": planner.samples, "iterations": planner.iterations}]

    def _fitted(self, model: WorldModel, planner: Planner, observation: Any) -> tuple[Planner, float]:
        """The planner with the most samples that fit in the time, and how long it takes with them [ms]."""
        low, high = FEWEST, MOST
        while high - low > max(1, low // 16):
            middle = (low + high) // 2
            fits = self._time(model, _sized(planner, middle), observation) <= self.milliseconds
            low, high = (middle, high) if fits else (low, middle)
        sized = _sized(planner, low)
        return sized, self._time(model, sized, observation)

    def _time(self, model: WorldModel, planner: Planner, observation: Any) -> float:
        """Median time of a decision for one environment [ms]."""
        policy, times = MPCPolicy(model, planner), list[float]()
        for _ in range(self.decisions + 2):
            began = time.perf_counter()
            policy.predict(observation)
            times.append(1e3 * (time.perf_counter() - began))
        return float(np.median(times[2:]))


def _sized(planner: Planner, samples: int) -> Planner:
    changes: dict[str, Any] = {"samples": samples}
    elites = getattr(planner, "elites", None)
    if elites is not None:
        changes["elites"] = min(elites, samples)
    return replace(planner, **changes)
