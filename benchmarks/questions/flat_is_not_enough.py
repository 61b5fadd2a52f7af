"""Is a model that is equally wrong at every orientation a good one?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from equiworld.benchmarks.questions.success import STRIDE
from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, panels
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.trained import chosen, data_of
from equiworld.benchmarks.worlds.loops import SOLVED, run_trials, solved_row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FlatIsNotEnough"]

WHOLE = "as long as it takes"


@dataclass(frozen=True)
class FlatIsNotEnough(TrainedQuestion):
    """Models as they are drawn, trained a little, and trained: how flat, how wrong and how useful each is.

    Attributes:
        stages: optimiser steps at which training ends, with a schedule of that length; beside training as the scale
            has it.
        orbit: elements, the identity first.
        episodes: of the world's own task.
        max_steps: of an episode, if fewer than the trial's.
    """

    stages: tuple[int, ...] = (0, 30, 300)
    orbit: int = 16
    episodes: int = 100
    max_steps: int | None = None

    name: ClassVar[str] = "flat-is-not-enough"
    title: ClassVar[str] = "Is a model that is equally wrong at every orientation a good one?"
    worlds: ClassVar[tuple[str, ...]] = ("pusht",)
    arms: ClassVar[tuple[str, ...]] = ("equivariant", "plain", "augmented")
    seeds: ClassVar[int] = 5
    choosing: ClassVar[tuple[str, ...]] = (*TrainedQuestion.choosing, "stages")
    measures: ClassVar[dict[str, Measure]] = {
        "ratio": Measure("1", "relative_worst / relative_error: 1 is flat", log=True),
        "relative_error": Measure("1", "one-step relMSE on test data of the slice; 1: no motion", log=True),
        "relative_worst": Measure("1", "the same, turned by the element at which it is largest", log=True),
        "error_rms": Measure(
            "px|m", "root mean square distance of a point from where it comes to be", log=True
        ),
        **SOLVED,
        "optimiser_steps": Measure("1", "that the model was trained for"),
    }
    small: ClassVar[dict[str, Any]] = {"stages": (0,), "orbit": 3, "episodes": 2, "max_steps": 15}

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """How long training lasts."""
        return [*({"trained": f"{steps} steps"} for steps in self.stages), {"trained": WHOLE}]

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """One row."""
        world, arm, trained = self.world(cell.world), self.arm_at(cell), cell.point["trained"]
        scale = self.scale_in(world)
        if trained != WHOLE:
            scale = replace(scale, steps=(int(trained.split()[0]),))
        model = self.model(cell, store, scale)
        test = data_of(store, world, arm.part, "test", scale)
        found = [
            next(iter(world.errors(model, test, g if index else None).values()))
            for index, g in enumerate(world.orbit(self.orbit, cell.seed))
        ]
        relative = [errors.relative or 0.0 for errors in found]
        trial = next(iter(world.trials.values()))
        first = trial.first + STRIDE * cell.seed
        ended = run_trials(
            self.policy(cell, model),
            world,
            range(first, first + self.episodes),
            trial.arguments,
            trial.limited(self.max_steps),
            world.side_by_side,
        )
        return [
            {
                "ratio": max(relative) / relative[0],
                "relative_error": relative[0],
                "relative_worst": max(relative),
                "error_rms": found[0].rms,
                **solved_row(ended),
                "optimiser_steps": chosen(store, world, arm, scale).steps[0],
            }
        ]

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Success against flatness, which does not tell it, and against the error, which does."""
        shown = [
            Panel(
                "tasks solved, by flatness", "ratio", "success", "worst error / error as trained", True, "x"
            ),
            Panel(
                "tasks solved, by error", "relative_error", "success", "one-step error (relMSE)", True, "x"
            ),
        ]
        return panels(rows, shown)
