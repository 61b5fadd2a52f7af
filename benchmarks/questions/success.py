"""Is a slice of orientations enough for the whole task?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from equiworld.benchmarks.arms import MAIN
from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.rows import Measure, Row, share_of
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.cloudpush import within_slice
from equiworld.benchmarks.worlds.loops import SOLVED, Ended, run_trials, solved_row
from equiworld.errors import ArgumentError

__all__ = ["STRIDE", "Success", "end_figures"]

STRIDE = 10_000
"""Between the first episodes of training seeds."""


@dataclass(frozen=True)
class Success(TrainedQuestion):
    """A world's own task at every orientation, with seeds that neither training nor tuning used; float32.

    Attributes:
        episodes: of each trial.
        max_steps: of an episode, if fewer than the trial's.
        trial: names of trials; those that the arm is worth trying on if empty.
    """

    episodes: int = 300
    max_steps: int | None = None
    trial: tuple[str, ...] = ()

    name: ClassVar[str] = "success"
    title: ClassVar[str] = "Is a slice of orientations enough for the whole task?"
    worlds: ClassVar[tuple[str, ...]] = (
        "pusht",
        "cloudpush",
        "cloudpush-bottle",
        "cloudpush-zed",
        "cloudpush-pose",
    )
    arms: ClassVar[tuple[str, ...]] = MAIN
    choosing: ClassVar[tuple[str, ...]] = (*TrainedQuestion.choosing, "trial")
    measures: ClassVar[dict[str, Measure]] = {
        **SOLVED,
        "close": Measure("1", "share solved more narrowly: in space within 10 mm"),
        "coverage": Measure("1", "share of the goal covered at the end, mean"),
        "distance_mm": Measure(
            "mm", "mean distance of the body's points from the goal at the end, median", log=True
        ),
        "distance_mm_worst": Measure("mm", "the same, largest", log=True),
        "final_angle_deg": Measure("°", "angle between body and goal at the end, median"),
        "parameters": Measure("1", "numbers that are trained"),
    }
    small: ClassVar[dict[str, Any]] = {"episodes": 2, "max_steps": 15}

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """The trials: all for equivariant arms, the first and those of the slice for others."""
        trials = self.world(world).trials
        unknown = [name for name in self.trial if name not in trials]
        if unknown:
            raise ArgumentError("--trial", unknown, f"trials of {world}", trials)
        names = list(self.trial)
        if not names:
            whole = self.arm(arm).everywhere
            names = [name for index, name in enumerate(trials) if whole or not index or trials[name].in_slice]
        return [{"trial": name} for name in names]

    def depends(self, cell: Cell) -> Mapping[str, Any]:
        """The trial too."""
        return {**super().depends(cell), "trial": self.world(cell.world).trials[cell.point["trial"]]}

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """One row."""
        world, model = self.world(cell.world), self.model(cell, store)
        trial, scale = world.trials[cell.point["trial"]], self.scale_in(self.world(cell.world))
        count = max(1, round(self.episodes * trial.share))
        first = trial.first + STRIDE * cell.seed  # no two training seeds play the same episodes
        arguments, seeds = dict(trial.arguments), list(range(first, first + count))
        if trial.in_slice:
            arguments["max_angle"] = float(np.radians(scale.half_width))
            seeds = within_slice(world, count, first, **arguments)
        steps = trial.limited(self.max_steps)
        policy = self.policy(cell, model)
        parts = [part.tolist() for part in np.array_split(seeds, len(trial.variants))]
        ended = [
            one
            for variant, part in zip(trial.variants, parts, strict=True)
            for one in run_trials(policy, world, part, arguments | dict(variant), steps, world.side_by_side)
        ]
        row = {**solved_row(ended), "parameters": model.parameter_count}
        close = share_of("close", [one.figures for one in ended])
        row |= {key: value for key, value in close.items() if key.startswith("close")}
        return [row | end_figures(ended)]


def end_figures(ended: Sequence[Ended]) -> Row:
    """How episodes ended, beside whether they were solved: coverage; or distance and angle of body and goal."""
    values = {name: np.array([one.figures[name] for one in ended]) for name in ended[0].figures}
    row: Row = {}
    if "coverage" in values:
        row["coverage"] = float(values["coverage"].mean())
    if "distance_mm" in values:
        row |= {"distance_mm": float(np.median(values["distance_mm"]))}
        row |= {"distance_mm_worst": float(values["distance_mm"].max())}
        row |= {"final_angle_deg": float(np.median(values["final_angle_deg"]))}
    return row
