"""Does a simulator alone say which continuous symmetry it has, and what a break leaves of it?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium as gym

from equiworld.arguments import integer
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, grouped
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.style import legend_below, new_figure
from equiworld.benchmarks.worlds.broken import broken_pusht
from equiworld.benchmarks.worlds.particle import ParticleEnv
from equiworld.verify.discover import discover

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["DiscoveryQuestion"]


@dataclass(frozen=True)
class Broken:
    """What breaks a world, by how much, and what is left.

    Attributes:
        doses: of it, without those of 0.
        turns: dimension of the turns that are left.
        shifts: of the shifts.
        unit: of the doses.
    """

    doses: tuple[float, ...]
    turns: int
    shifts: int
    unit: str = "1"


SYSTEMS: Mapping[str, Mapping[str, Broken]] = {
    "pusht": {
        "nothing": Broken((0.0,), 1, 2),
        "gravity": Broken((20.0, 60.0, 200.0), 0, 2, "drift [px/s]"),
        "drag": Broken((0.5, 0.8, 0.9), 0, 2, "velocity left along x"),
        "actuators": Broken((5.0, 15.0, 45.0), 1, 2, "actions turned [°]"),
    },
    "particle": {
        "nothing": Broken((0.0,), 3, 0),
        "gravity": Broken((0.01, 0.1, 1.0), 1, 0, "force [N]"),
        "drag": Broken((0.01, 0.1, 1.0), 1, 0, "further drag along x [1/s]"),
    },
}
"""By world and by what breaks it. Actuators that turn every action break mirrors alone, which no algebra has; with drag
the block has a velocity, which nobody observes."""


@dataclass(frozen=True)
class DiscoveryQuestion(Question):
    """`discover` of simulators without a declaration: dimensions of the turns and shifts that its null space has.

    Attributes:
        taken: points of the simulator at which derivatives are taken.
        transitions: that tell the scales of what is observed.
    """

    taken: int = 40
    transitions: int = 500

    name: ClassVar[str] = "discovery"
    title: ClassVar[str] = (
        "Does a simulator alone say which continuous symmetry it has, and what a break leaves of it?"
    )
    worlds: ClassVar[tuple[str, ...]] = tuple(SYSTEMS)
    arms: ClassVar[tuple[str, ...]] = ("nothing", "gravity", "drag", "actuators")
    closed: ClassVar[bool] = True
    seeds: ClassVar[int] = 5
    measures: ClassVar[dict[str, Measure]] = {
        "turns": Measure("1", "dimension of the turns that are found"),
        "shifts": Measure("1", "dimension of the shifts that are found"),
        "turns_left": Measure("1", "dimension of the turns that the world has"),
        "shifts_left": Measure("1", "dimension of the shifts that it has"),
        "right": Measure("1", "1 if both are found as they are, else 0; of several seeds the share"),
        "confidence": Measure("1", "share of resamples of the points that give the same dimensions"),
        "hidden": Measure(
            "1", "share of the points at which something that is not observed takes part in the step"
        ),
        "inside": Measure(
            "1", "largest singular value inside the null space, of their root mean square", log=True
        ),
        "outside": Measure("1", "smallest one outside", log=True),
        "proposed": Measure("", "the group of the declaration that is proposed"),
        "audit": Measure(
            "", "what the audit of the proposal says, where the simulator can be brought to g·s"
        ),
    }
    small: ClassVar[dict[str, Any]] = {"taken": 6, "transitions": 60}

    def __post_init__(self) -> None:
        integer("taken", self.taken, least=4)
        integer("transitions", self.transitions, least=50)

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """The doses; none where a world cannot be broken so."""
        broken = SYSTEMS[world].get(arm)
        return [{"dose": dose} for dose in broken.doses] if broken else []

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """One row."""
        broken = SYSTEMS[cell.world][cell.arm]
        found = discover(
            _maker(cell.world, cell.arm, cell.point["dose"]),
            dim=2 if cell.world == "pusht" else 3,
            points=self.taken,
            transitions=self.transitions,
            finite=False,
            seed=1_000 * cell.seed,
        )
        algebra = found.algebra
        assert algebra is not None
        turns, shifts = len(algebra.turns), len(algebra.shifts)
        inside, outside = algebra.gap
        return [
            {
                "turns": turns,
                "shifts": shifts,
                "turns_left": broken.turns,
                "shifts_left": broken.shifts,
                "right": int((turns, shifts) == (broken.turns, broken.shifts)),
                "confidence": algebra.confidence,
                "hidden": algebra.hidden,
                "inside": inside,
                "outside": outside,
                "proposed": "none" if found.symmetry is None else repr(found.symmetry.group),
                "audit": "none" if found.audit is None else found.audit.verdict,
            }
        ]

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Singular values on both sides of the gap, against the dose of each break."""
        broken = {arm: of for arm, of in grouped(rows, "arm").items() if arm != "nothing"}
        if not broken:
            return None
        figure, axes = new_figure(len(broken), width=4.0)
        units = SYSTEMS[rows[0]["world"]]
        for place, (arm, of) in zip(axes, broken.items(), strict=True):
            sides = [
                {**row, "arm": f"singular value {side} the null space", "value": row[side]}
                for side in ("inside", "outside")
                for row in of
            ]
            Panel(arm, "dose", "value", units[arm].unit, log="y").draw(place, sides)
        legend_below(figure)
        return figure


def _maker(world: str, arm: str, dose: float) -> Callable[[], gym.Env]:
    if world == "pusht":
        return broken_pusht(arm, dose).make
    return partial(ParticleEnv, **({} if arm == "nothing" else {arm: dose}))
