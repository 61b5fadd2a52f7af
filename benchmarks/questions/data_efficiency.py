"""How many transitions does the task take?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, panels
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.trained import Scale, chosen, data_of
from equiworld.benchmarks.worlds.loops import TASKS_SOLVED, run_trials, solved_row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["DataEfficiency"]


@dataclass(frozen=True)
class DataEfficiency(TrainedQuestion):
    """Each seed trains on a part of the collection of its own and plays episodes of its own.

    What serves with much data overfits little of it. So for every arm and size the same grid of settings is tried on a
    part and a seed that no row has, and that of the lowest one-step error on validation data serves all seeds.

    Attributes:
        sizes: transitions that models are trained on, a tenth of them held out in training.
        tried_steps: of the optimiser, to choose from.
        weight_decays: likewise.
        learning_rates: likewise.
        periodic: shares of sine features, of the width of the perceptrons' hidden layers, likewise.
        episodes: of the world's own task.
        first_episode: seed of the first.
        max_steps: of an episode, if fewer than the trial's.
    """

    sizes: tuple[int, ...] = (2_000, 5_000, 20_000)
    tried_steps: tuple[int, ...] = (300, 1000, 3000)
    weight_decays: tuple[float, ...] = (0.03, 0.3)
    learning_rates: tuple[float, ...] = (3e-3, 1e-2)
    periodic: tuple[float, ...] = (0.0, 0.5)
    episodes: int = 100
    first_episode: int = 2_000_000
    max_steps: int | None = None

    name: ClassVar[str] = "data-efficiency"
    title: ClassVar[str] = "How many transitions does the task take?"
    worlds: ClassVar[tuple[str, ...]] = ("pusht",)
    arms: ClassVar[tuple[str, ...]] = ("equivariant", "steerable", "augmented")
    seeds: ClassVar[int] = 5
    choosing: ClassVar[tuple[str, ...]] = (*TrainedQuestion.choosing, "sizes")
    measures: ClassVar[dict[str, Measure]] = {
        "success": Measure("1", "share of episodes solved, with Wilson's 95 % interval"),
        "successes": Measure("1", "episodes solved"),
        "episodes": Measure("1", "episodes"),
        "median_steps": Measure(
            "1", "to the first success, failures counting as longer; 95 % bootstrap interval"
        ),
        "within_100": Measure("1", "share solved within 100 steps"),
        "tasks_solved": TASKS_SOLVED,
        "relative_error": Measure("1", "one-step relMSE on test data of the slice", log=True),
        "parameters": Measure("1", "numbers that are trained"),
        "chosen": Measure("", "optimiser steps, learning rate, weight decay and share of sines"),
    }
    small: ClassVar[dict[str, Any]] = {
        "sizes": (500,),
        "tried_steps": (50,),
        "weight_decays": (0.3,),
        "learning_rates": (1e-2,),
        "periodic": (0.0,),
        "episodes": 2,
        "max_steps": 15,
    }

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """The sizes."""
        return [{"transitions": size} for size in self.sizes]

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """One row."""
        world, arm = self.world(cell.world), self.arm(cell.arm)
        collected = self.scale_in(world)
        scale = replace(
            collected,
            size=cell.point["transitions"],
            steps=self.tried_steps,
            weight_decays=self.weight_decays,
            learning_rates=self.learning_rates,
            periodic=self.periodic,
        )
        model = self.model(cell, store, scale)
        trial = next(iter(world.trials.values()))
        first = self.first_episode + cell.seed * self.episodes
        # Few side by side: those whose episodes are over wait for the last one.
        ended = run_trials(
            world.policy(model, cell.seed),
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
                "chosen": _in_words(chosen(store, world, arm, scale)),
            }
        ]

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Success and error against the number of transitions."""
        shown = [
            Panel("success (95 %)", "transitions", "success", "training transitions", share=True, log="x"),
            Panel(
                "one-step error (relMSE)", "transitions", "relative_error", "training transitions", log="xy"
            ),
        ]
        return panels(rows, shown)


def _in_words(scale: Scale) -> str:
    sines = f", {scale.periodic[0]:g} sines" if scale.periodic else ""
    return (
        f"{scale.steps[0]} steps, rate {scale.learning_rates[0]:g}, decay {scale.weight_decays[0]:g}{sines}"
    )
