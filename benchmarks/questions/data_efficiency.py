"""How many transitions does the task take?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.arm import Arm
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, panels
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.trained import chosen, data_of
from equiworld.benchmarks.worlds.loops import SOLVED, run_trials, solved_row
from equiworld.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["DataEfficiency"]


GROUPS = ("declared", "proper")


@dataclass(frozen=True)
class DataEfficiency(TrainedQuestion):
    """Each seed trains on a part of the collection of its own and plays episodes of its own.

    What serves with much data overfits little of it. So for every arm and size the same grid of settings is tried on a
    part and a seed that no row has, and that of the lowest one-step error on validation data serves all seeds.

    Attributes:
        sizes: transitions that models are trained on, a tenth of them held out in training.
        groups: "declared": as the environment declares its symmetry; "proper": that without its reflections.
        tuned: whether that grid is tried, and not the scale's own.
        episodes: of the world's own task.
        first_episode: seed of the first.
        max_steps: of an episode, if fewer than the trial's.
    """

    sizes: tuple[int, ...] = (500, 1_000, 2_000, 5_000, 20_000)
    groups: tuple[str, ...] = GROUPS
    tuned: bool = True
    episodes: int = 100
    first_episode: int = 2_000_000
    max_steps: int | None = None

    name: ClassVar[str] = "data-efficiency"
    title: ClassVar[str] = "How many transitions does the task take?"
    worlds: ClassVar[tuple[str, ...]] = ("pusht",)
    arms: ClassVar[tuple[str, ...]] = ("equivariant", "steerable", "augmented")
    seeds: ClassVar[int] = 5
    choosing: ClassVar[tuple[str, ...]] = (*TrainedQuestion.choosing, "sizes", "groups")
    measures: ClassVar[dict[str, Measure]] = {
        **SOLVED,
        "relative_error": Measure("1", "one-step relMSE on test data of the slice", log=True),
        "parameters": Measure("1", "numbers that are trained"),
        "chosen": Measure("", "optimiser steps, learning rate, weight decay and share of sines"),
    }
    small: ClassVar[dict[str, Any]] = {
        "sizes": (500,),
        "groups": ("declared",),
        "tuned": False,
        "episodes": 2,
        "max_steps": 15,
    }

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """The sizes, by group."""
        for group in self.groups:
            if group not in GROUPS:
                raise ArgumentError("groups", group, "which part of the declared symmetry", GROUPS)
        return [{"group": group, "transitions": size} for group in self.groups for size in self.sizes]

    def arm_at(self, cell: Cell) -> Arm:
        """Under the group of the cell."""
        return super().arm_at(cell).varied("proper", cell.point["group"] == "proper")

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """One row."""
        world, arm = self.world(cell.world), self.arm_at(cell)
        collected, size = self.scale_in(world), cell.point["transitions"]
        scale = collected.few(size) if self.tuned else replace(collected, size=size)
        model = self.model(cell, store, scale)
        trial = next(iter(world.trials.values()))
        first = self.first_episode + cell.seed * self.episodes
        # Few side by side: those whose episodes are over wait for the last one.
        ended = run_trials(
            self.policy(cell, model),
            world,
            range(first, first + self.episodes),
            trial.arguments,
            trial.limited(self.max_steps),
            10,
        )
        errors = world.errors(model, data_of(store, world, arm.part, "test", collected))
        return [
            {
                **solved_row(ended),
                "relative_error": next(iter(errors.values())).relative,
                "parameters": model.parameter_count,
                "chosen": chosen(store, world, arm, scale).in_words(),
            }
        ]

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Success and error against the number of transitions, a curve an arm and group."""
        several = len({row["group"] for row in rows}) > 1
        shown = [
            Panel("success (95 %)", "transitions", "success", "training transitions", share=True, log="x"),
            Panel(
                "one-step error (relMSE)", "transitions", "relative_error", "training transitions", log="xy"
            ),
        ]
        named = [{**row, "arm": f"{row['arm']}, {row['group']}" if several else row["arm"]} for row in rows]
        return panels(named, shown)
