"""Are the same tasks solved, along the same paths, wherever the scene is turned?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from equiworld.benchmarks.questions.one_step import element_coordinates
from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, orbit_figure
from equiworld.benchmarks.suite.rows import Measure, Row, share_of
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.loops import TASKS_SOLVED, Orbit, run_orbit, tasks_solved
from equiworld.benchmarks.worlds.world import World
from equiworld.rollout import Start

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ClosedLoop"]


@dataclass(frozen=True)
class ClosedLoop(TrainedQuestion):
    """Tasks of the trained slice, begun by the simulator itself at g·s with goal g·goal; no policy is told g.

    Environments that cannot be begun turned are shown turned instead.

    Attributes:
        orbit: elements, the identity first.
        tasks: at each of them.
        task_steps: environment steps in a task, at most.
        dtype: that policies decide in.
    """

    orbit: int = 8
    tasks: int = 40
    task_steps: int = 300
    dtype: str = "float32"

    name: ClassVar[str] = "closed-loop"
    title: ClassVar[str] = "Are the same tasks solved, along the same paths, wherever the scene is turned?"
    worlds: ClassVar[tuple[str, ...]] = ("pusht", "cloudpush")
    arms: ClassVar[tuple[str, ...]] = ("equivariant", "plain", "centred", "augmented")
    coordinates: ClassVar[tuple[str, ...]] = ("element", "angle_deg", "axis_x", "axis_y", "axis_z")
    measures: ClassVar[dict[str, Measure]] = {
        "success": Measure("1", "share of tasks solved, with Wilson's 95 % interval"),
        "successes": Measure("1", "tasks solved"),
        "episodes": Measure("1", "tasks"),
        "tasks_solved": TASKS_SOLVED,
        "deviation_median": Measure("px|m", "median over tasks of the largest distance from it", log=True),
        "deviation_max": Measure(
            "px|m", "largest distance of a point that is seen or told from g·(where it is unturned)", log=True
        ),
        "steps_median": Measure("1", "environment steps of an episode, median"),
        "coverage": Measure("1", "share of the goal covered at the end, median"),
        "distance_mm": Measure(
            "mm", "mean distance of the body's points from the goal at the end, median", log=True
        ),
        "final_angle_deg": Measure("°", "angle between body and goal at the end, median"),
    }
    small: ClassVar[dict[str, Any]] = {"orbit": 4, "tasks": 2, "task_steps": 15}

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """One row an element."""
        return self.by_element(self.loops(cell, store, self.starts(cell)))

    def loops(self, cell: Cell, store: Store, starts: Sequence[Start]) -> Orbit:
        """Tasks of a cell, begun at every element."""
        world = self.world(cell.world)
        return run_orbit(
            self.policy(cell, self.model(cell, store), self.dtype),
            world,
            starts,
            world.orbit(self.orbit, cell.seed),
            self.most_steps(world),
            world.loop_arguments(self.scale_in(world).half_width),
        )

    def by_element(self, orbit: Orbit) -> list[Row]:
        """A row an element."""
        deviations, lengths, rows = orbit.deviations(), orbit.steps(), list[Row]()
        for index, (g, ends) in enumerate(zip(orbit.elements, orbit.ends(), strict=True)):
            row: Row = {"element": index, **element_coordinates(g)}
            row |= share_of("success", ends)
            row["tasks_solved"] = tasks_solved(ends)
            row |= {
                "deviation_median": float(np.median(deviations[index])),
                "deviation_max": float(deviations[index].max()),
                "steps_median": float(np.median(lengths[index])),
            }
            figures = [name for name in ends[0] if name in self.measures and name != "success"]
            rows.append(row | {name: float(np.median([end[name] for end in ends])) for name in figures})
        return rows

    def starts(self, cell: Cell) -> list[Start]:
        """The tasks, unturned."""
        world = self.world(cell.world)
        return world.starts(self.tasks, self.scale_in(world).half_width, cell.seed)

    def most_steps(self, world: World) -> int:
        """Of a task: no more than the world's own trial has."""
        return next(iter(world.trials.values())).limited(self.task_steps) or self.task_steps

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Tasks solved, and the distance from the unturned path, over the orbit."""
        shown = [
            Panel("tasks solved (95 %)", "angle_deg", "success", share=True),
            Panel("distance from the unturned path", "angle_deg", "deviation_median", log="y"),
        ]
        return orbit_figure(rows, shown, self.half_width_of(rows))
