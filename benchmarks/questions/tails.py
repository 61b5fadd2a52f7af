"""Over a thousand episodes, how far does the worst of an equivariant closed loop stray, and how often?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, grouped
from equiworld.benchmarks.suite.rows import Measure, Row, share
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.style import legend_below, new_figure
from equiworld.benchmarks.worlds.loops import Orbit, run_orbit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Tails"]

Array = NDArray[np.float64]

TURNED, NOISE = "g·s", "s, other seed"
"""What an episode is set against: the same task turned, and, at the identity, with noise of another seed."""

BEYOND = tuple(10.0**power for power in range(-12, 4))
OTHER_SEED = 10_000  # past every seed that a cell has


@dataclass(frozen=True)
class Tails(TrainedQuestion):
    """Whole distributions of how far turned paths stray, where other questions say a median and a maximum.

    Rounding is not equivariant: a float32 policy behind the door decides on the same bits but where an observation is
    rounded to another one, and contact multiplies what that changes. How often that is takes many episodes to say. With
    noise of another seed the same task unturned strays as far as the policy is free to: the scale to read the rest by.

    Attributes:
        tasks: of the slice, each begun unturned, at one element, and unturned with noise of another seed.
        elements: random ones of the declared group, shifts and mirrors included, which take turns.
        task_steps: environment steps in a task, at most.
    """

    tasks: int = 1_000
    elements: int = 8
    task_steps: int = 300

    name: ClassVar[str] = "tails"
    title: ClassVar[str] = "Over a thousand episodes, how far does the worst one stray, and how often?"
    worlds: ClassVar[tuple[str, ...]] = ("pusht", "cloudpush")
    arms: ClassVar[tuple[str, ...]] = ("equivariant", "steerable", "augmented, door", "augmented")
    seeds: ClassVar[int] = 1
    coordinates: ClassVar[tuple[str, ...]] = ("part", "against", "beyond")
    measures: ClassVar[dict[str, Measure]] = {
        "strayed": Measure("1", "share of episodes that stray by more than `beyond`, in px|m", log=True),
        "successes": Measure("1", "episodes that do"),
        "episodes": Measure("1", "episodes"),
        "deviation_median": Measure(
            "px|m",
            "largest distance of a point of an episode from g·(where it is on the other), median",
            log=True,
        ),
        "deviation_p99": Measure("px|m", "the same, 99th percentile", log=True),
        "deviation_max": Measure("px|m", "the same, largest", log=True),
        "solved": Measure("1", "tasks solved, unturned"),
        "solved_there": Measure("1", "tasks solved turned, or with the other seed"),
        "outcomes_differ": Measure("1", "tasks solved in one of the two alone"),
        "ends_differ": Measure("1", "episodes that end after another step"),
    }
    small: ClassVar[dict[str, Any]] = {"tasks": 2, "elements": 2, "task_steps": 10}

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """Both dtypes that policies decide in."""
        return [{"dtype": "float32"}, {"dtype": "float64"}]

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """Of each that episodes are set against: a row of outcomes, and one for each distance."""
        world, model, dtype = self.world(cell.world), self.model(cell, store), cell.point["dtype"]
        half_width = self.scale_in(world).half_width
        steps = next(iter(world.trials.values())).limited(self.task_steps) or self.task_steps
        policy = self.policy(cell, model, dtype)
        others = self.policy(replace(cell, seed=cell.seed + OTHER_SEED), model, dtype)
        starts, elements = (
            world.starts(self.tasks, half_width, cell.seed),
            world.elements(self.elements, cell.seed),
        )
        found: dict[str, list[Orbit]] = {TURNED: [], NOISE: []}
        for first, g in enumerate(elements):
            some = starts[first :: len(elements)]
            for each in (
                some[at : at + world.side_by_side] for at in range(0, len(some), world.side_by_side)
            ):
                arguments = world.loop_arguments(half_width)
                identity = world.orbit(1, cell.seed)[0]
                turned = run_orbit(policy, world, each, [identity, g], steps, arguments)
                again = run_orbit(others, world, each, [identity], steps, arguments)
                found[TURNED].append(turned)
                found[NOISE].append(
                    replace(again, elements=(identity,) * 2, episodes=[turned.episodes[0], *again.episodes])
                )
        return [row for against, loops in found.items() for row in _rows(against, loops)]

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """The share of episodes that stray by more than a distance, against the distance, by dtype."""
        tails = [row for row in rows if row["part"] == "distances"]
        if not tails:
            return None
        turned = [row for row in tails if row["against"] == TURNED]
        # Of one arm: those of all others are as far to the right.
        noise = [row for row in tails if row["against"] == NOISE and row["arm"] == tails[0]["arm"]]
        named = [*turned, *({**row, "arm": f"{row['arm']}, {NOISE}"} for row in noise)]
        by = grouped(named, "dtype")
        figure, axes = new_figure(len(by))
        for place, (dtype, of) in zip(axes, by.items(), strict=True):
            Panel(
                f"share of episodes that stray further, {dtype}",
                "beyond",
                "strayed",
                "distance [px|m]",
                log="xy",
            ).draw(place, of)
        legend_below(figure)
        return figure


def _rows(against: str, loops: Sequence[Orbit]) -> list[Row]:
    """Of one thing that episodes are set against."""
    deviations = np.concatenate([loop.deviations()[1] for loop in loops])
    lengths = np.concatenate([loop.steps() for loop in loops], axis=1)
    here, there = (
        np.array([bool(end.get("success")) for loop in loops for end in loop.ends()[index]])
        for index in (0, 1)
    )
    outcomes = {
        "episodes": len(deviations),
        "deviation_median": float(np.median(deviations)),
        "deviation_p99": float(np.quantile(deviations, 0.99)),
        "deviation_max": float(deviations.max()),
        "solved": int(here.sum()),
        "solved_there": int(there.sum()),
        "outcomes_differ": int((here != there).sum()),
        "ends_differ": int((lengths[0] != lengths[1]).sum()),
    }
    tail = [
        {
            "part": "distances",
            "against": against,
            "beyond": beyond,
            **share("strayed", int((deviations > beyond).sum()), len(deviations)),
        }
        for beyond in BEYOND
    ]
    return [{"part": "outcomes", "against": against, **outcomes}, *tail]
