"""What is an equivariant model worth where the world is not symmetric?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, grouped
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.style import legend_below, new_figure
from equiworld.benchmarks.suite.trained import data_of
from equiworld.benchmarks.worlds.broken import BREAKS, BrokenPushTWorld, broken_pusht
from equiworld.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BrokenSymmetry"]

NOTHING = next(iter(BREAKS))
UNITS = {
    "gravity": "drift [px/s]",
    "drag": "velocity left along x",
    "walls": "walls nearer by [px]",
    "actuators": "actions turned [°]",
}


@dataclass(frozen=True)
class BrokenSymmetry(TrainedQuestion):
    """One step of worlds with a direction of their own, all transitions simulated in them, for training and for tests.

    Without a dose there are no walls. Models are trained on the slice and go on believing in the whole symmetry.

    Attributes:
        scale: as for other questions; worlds are many, so the default is a small one.
        transitions: likewise.
        steps: likewise.
        gravity: doses: the drift of a free block, towards −y [px/s].
        drag: doses: the share of the block's velocity along x that is left after an engine step; along y none is.
        walls: doses: how much nearer to the centre walls stand than gym-pusht's [px].
        actuators: doses: the angle by which they turn actions [°]; that breaks mirrors, not turns.
    """

    scale: str = "demo"
    transitions: int | None = 60_000
    steps: int | None = 3_000
    gravity: tuple[float, ...] = (20.0, 60.0, 200.0)
    drag: tuple[float, ...] = (0.5, 0.8, 0.9)
    walls: tuple[float, ...] = (10.0, 60.0, 110.0)
    actuators: tuple[float, ...] = (5.0, 15.0, 45.0)

    name: ClassVar[str] = "broken-symmetry"
    title: ClassVar[str] = "What is an equivariant model worth where the world is not symmetric?"
    worlds: ClassVar[tuple[str, ...]] = ("pusht",)
    arms: ClassVar[tuple[str, ...]] = ("equivariant", "plain", "centred", "augmented")
    seeds: ClassVar[int] = 3
    choosing: ClassVar[tuple[str, ...]] = (*TrainedQuestion.choosing, *UNITS)
    measures: ClassVar[dict[str, Measure]] = {
        "relative_error": Measure("1", "one-step relMSE on test data of the slice; 1: no motion", log=True),
        "relative_outside": Measure(
            "1", "the same of test data outside of the slice, simulated there", log=True
        ),
        "error_rms": Measure(
            "px", "root mean square distance of a corner from where it comes to be", log=True
        ),
        "error_rms_outside": Measure("px", "the same outside of the slice", log=True),
        "motion_rms": Measure("px", "root mean square distance that a corner moves, outside of the slice"),
    }
    small: ClassVar[dict[str, Any]] = {
        "transitions": 1_000,
        "gravity": (200.0,),
        "drag": (),
        "walls": (),
        "actuators": (),
    }

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """The doses."""
        if world not in self.worlds:
            raise ArgumentError("--world", world, "a world whose physics can be broken", self.worlds)
        doses = [(what, dose) for what in UNITS for dose in getattr(self, what)]
        return [{"broken": what, "dose": float(dose)} for what, dose in [(NOTHING, 0.0), *doses]]

    def world_at(self, cell: Cell) -> BrokenPushTWorld:
        """The world of its dose."""
        return broken_pusht(cell.point["broken"], cell.point["dose"])

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """One row."""
        world, model = self.world_at(cell), self.model(cell, store)
        scale = self.scale_in(world)
        inside, every = (data_of(store, world, part, "test", scale) for part in ("slice", "all"))
        outside = every.select(every.heading_offset() > math.radians(scale.half_width))
        seen, unseen = (world.errors(model, data)["everywhere"] for data in (inside, outside))
        moved = unseen.motion.sum() / (len(unseen.motion) * unseen.points)
        return [
            {
                "relative_error": seen.relative,
                "relative_outside": unseen.relative,
                "error_rms": seen.rms,
                "error_rms_outside": unseen.rms,
                "motion_rms": math.sqrt(moved),
            }
        ]

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Errors against the dose of each, within the slice and outside."""
        found = grouped(rows, "broken")
        whole = found.pop(NOTHING, [])
        if not found:
            return None
        # In px: the more a force moves, the smaller the same error is as a share of it.
        titles = {"error_rms": "in the slice", "error_rms_outside": "outside"}
        figure, axes = new_figure(len(found), len(titles), width=3.8, height=3.6)
        for index, (name, where) in enumerate(titles.items()):
            for place, (what, of) in zip(axes[index * len(found) :], found.items(), strict=False):
                panel = Panel(f"{what}: error {where} [px]", "dose", name, UNITS[what], log="y")
                panel.draw(place, [*({**row, "broken": what} for row in whole), *of])
        legend_below(figure)
        return figure
