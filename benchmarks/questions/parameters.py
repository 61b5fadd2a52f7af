"""How many parameters does an error take?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, panels
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.summary import summarised
from equiworld.benchmarks.suite.trained import data_of
from equiworld.errors import ArgumentError
from equiworld.results import text_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Parameters", "size_of_error"]

REFERENCE = "equivariant"


@dataclass(frozen=True)
class Parameters(TrainedQuestion):
    """Perceptrons of several widths, trained alike on the slice, tested on orientations as trained.

    Attributes:
        widths: of the hidden layers of the equivariant arm.
        plain_widths: of the others.
    """

    widths: tuple[int, ...] = (16, 24, 32, 48, 64)
    plain_widths: tuple[int, ...] = (64, 128, 192)

    name: ClassVar[str] = "parameters"
    title: ClassVar[str] = "How many parameters does an error take?"
    worlds: ClassVar[tuple[str, ...]] = ("pusht",)
    arms: ClassVar[tuple[str, ...]] = (REFERENCE, "plain", "centred")
    choosing: ClassVar[tuple[str, ...]] = (*TrainedQuestion.choosing, "widths", "plain_widths")
    measures: ClassVar[dict[str, Measure]] = {
        "relative_error": Measure("1", "one-step relMSE on test data of the slice", log=True),
        "parameters": Measure("1", "numbers that are trained", log=True),
    }
    small: ClassVar[dict[str, Any]] = {"widths": (8, 16), "plain_widths": (16,)}

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """The widths."""
        family = self.arm(arm).family(self.world(world).kind)
        if not self.world(world).network(family, 1):
            raise ArgumentError("arm", arm, f"one whose networks have a width in {world}", self.arms)
        return [{"hidden": width} for width in (self.widths if arm == REFERENCE else self.plain_widths)]

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """One row."""
        world = self.world(cell.world)
        scale = replace(self.scale_in(world), width=cell.point["hidden"])
        model = self.model(cell, store, scale)
        errors = world.errors(model, data_of(store, world, self.arm_at(cell).part, "test", scale))
        return [
            {
                "relative_error": next(iter(errors.values())).relative,
                "parameters": model.parameter_count,
            }
        ]

    def table(self, rows: Sequence[Row]) -> str:
        """One line a model, and how much smaller an equivariant one of its error is."""
        rows, lines = summarised(rows, self.measures), []
        for row in rows:
            line = {name: row[name] for name in ("world", "arm", "hidden", "parameters", "relative_error")}
            ours = [one for one in rows if one["arm"] == REFERENCE and one["world"] == row["world"]]
            if row["arm"] != REFERENCE and ours:
                size = size_of_error(ours, row["relative_error"])
                line["equivariant of its error"] = size
                line["ratio"] = None if size is None else size / row["parameters"]
            lines.append(line)
        return text_table(lines)

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Error against parameters."""
        panel = Panel(
            "one-step error, orientations as trained", "parameters", "relative_error", "parameters", log="xy"
        )
        return panels(rows, [panel])


def size_of_error(rows: Sequence[Mapping[str, Any]], error: float) -> float | None:
    """Parameters at which a family reaches an error, between its models along straight lines of the logarithms.

    The smallest model's where that is already better: then fewer would do. None where no model reaches it.

    >>> rows = [{"parameters": 100, "relative_error": 0.1}, {"parameters": 10_000, "relative_error": 0.001}]
    >>> round(size_of_error(rows, 0.01)), round(size_of_error(rows, 0.5))
    (1000, 100)
    >>> size_of_error(rows, 1e-4) is None
    True
    """
    smaller = None
    for row in sorted(rows, key=lambda row: row["parameters"]):
        if row["relative_error"] <= error:
            if smaller is None:
                return float(row["parameters"])
            logs = [
                (math.log(each["relative_error"]), math.log(each["parameters"])) for each in (smaller, row)
            ]
            along = (logs[0][0] - math.log(error)) / (logs[0][0] - logs[1][0])
            return math.exp(logs[0][1] + along * (logs[1][1] - logs[0][1]))
        smaller = row
    return None
