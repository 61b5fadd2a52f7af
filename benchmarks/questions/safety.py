"""Does a bound on failures, tested in one slice of orientations, hold at all others?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

import numpy as np

from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.loops import run_orbit
from equiworld.groups import SE2
from equiworld.rollout import Policy, Start

__all__ = ["Safety", "bound", "episodes_for"]


@dataclass(frozen=True)
class Safety(TrainedQuestion):
    """An episode fails where its task is not solved in time. Failures of n tasks in the slice bound the rate there.

    Whether the bound transfers is tried twice: the same tasks begun turned, and a search for the turn
    with most failures, which is then given tasks that the search has not seen. A closed loop that is exactly
    equivariant has, at every element, the failures of the slice, so that no further test is needed.

    Attributes:
        tasks: n.
        orbit: turns, evenly over the circle, that the same tasks are begun at, the first none.
        searched: tasks at each turn that the search looks at.
        rounds: of the search; each looks at `orbit` turns about the worst of the last round, ever more narrowly.
        task_steps: environment steps in a task, at most.
        confidence: of the bounds.
    """

    tasks: int = 200
    orbit: int = 8
    searched: int = 20
    rounds: int = 3
    task_steps: int = 100
    confidence: float = 0.95

    name: ClassVar[str] = "safety"
    title: ClassVar[str] = (
        "Does a bound on failures, tested in one slice of orientations, hold at all others?"
    )
    worlds: ClassVar[tuple[str, ...]] = ("pusht",)
    arms: ClassVar[tuple[str, ...]] = ("equivariant", "augmented", "plain")
    measures: ClassVar[dict[str, Measure]] = {
        "failures": Measure("1", "tasks of the slice that fail, unturned"),
        "tasks": Measure("1", "how many there are"),
        "bound": Measure("1", "Clopper and Pearson's one-sided upper bound of the rate in the slice"),
        "differ": Measure("1", "tasks begun turned that end otherwise than unturned"),
        "turned": Measure("1", "how many were"),
        "worst_angle_deg": Measure("°", "of the turn that the search ends at"),
        "worst_failures": Measure("1", "of as many tasks there, which neither slice nor search has"),
        "worst_least": Measure("1", "the one-sided lower bound of the rate there"),
        "counterexample": Measure("1", "1: the lower bound there is above the upper one of the slice"),
        "episodes_needed": Measure(
            "1",
            "without the theorem: episodes without a failure that give the slice's bound in each of as many bins of "
            "orientation as slices fill the circle, all together with the confidence (Bonferroni)",
        ),
    }
    small: ClassVar[dict[str, Any]] = {"tasks": 2, "orbit": 3, "searched": 1, "rounds": 1, "task_steps": 8}

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """One row."""
        world, model = self.world(cell.world), self.model(cell, store)
        policy = self.policy(cell, model)
        drawn = iter(self._starts(cell, 2 * self.tasks + self.rounds * self.searched))
        tasks, fresh = (list(islice(drawn, self.tasks)) for _ in range(2))
        turns = np.arange(self.orbit) * math.tau / self.orbit
        failed = self._failed(cell, policy, tasks, turns)
        worst, reach = 0.0, math.pi
        for _ in range(self.rounds):
            tried, sought = worst + np.linspace(-reach, reach, self.orbit), list(islice(drawn, self.searched))
            worst = float(tried[np.argmax(self._failed(cell, policy, sought, tried).sum(1))])
            reach *= 2.0 / (self.orbit - 1)
        there = int(self._failed(cell, policy, fresh, np.array([worst])).sum())
        most = bound(int(failed[0].sum()), self.tasks, self.confidence)
        least = 1.0 - bound(self.tasks - there, self.tasks, self.confidence)
        bins = math.ceil(180.0 / self.scale_in(world).half_width)
        return [
            {
                "failures": int(failed[0].sum()),
                "tasks": self.tasks,
                "bound": most,
                "differ": int((failed[1:] != failed[0]).sum()),
                "turned": failed[1:].size,
                "worst_angle_deg": math.degrees(worst) % 360.0,
                "worst_failures": there,
                "worst_least": least,
                "counterexample": int(least > most),
                "episodes_needed": bins * episodes_for(most, 1.0 - (1.0 - self.confidence) / bins),
            }
        ]

    def _starts(self, cell: Cell, count: int) -> Sequence[Start]:
        world = self.world(cell.world)
        return world.starts(count, self.scale_in(world).half_width, 500 + cell.seed)

    def _failed(self, cell: Cell, policy: Policy, tasks: Sequence[Start], turns: np.ndarray) -> np.ndarray:
        """Which tasks fail, turned by which angles [rad], `(G, N)`."""
        world, failed = self.world(cell.world), list[list[bool]]()
        arguments = world.loop_arguments(self.scale_in(world).half_width)
        for turn in turns.tolist():
            starts = [world.turned(task, SE2().rotation(turn)) for task in tasks]
            orbit = run_orbit(policy, world, starts, [SE2().identity()], self.task_steps, arguments)
            failed.append([not end["success"] for end in orbit.ends()[0]])
        return np.array(failed)


def bound(failures: int, episodes: int, confidence: float) -> float:
    """Clopper and Pearson's one-sided upper bound of a rate.

    >>> round(bound(0, 59, 0.95), 3)
    0.05
    """
    from scipy.stats import binomtest

    return float(binomtest(failures, episodes, alternative="less").proportion_ci(confidence, "exact").high)


def episodes_for(rate: float, confidence: float) -> int:
    """How many episodes without a failure bound the rate: the least n with (1 − rate)ⁿ ≤ 1 − confidence.

    >>> episodes_for(0.05, 0.95)
    59
    """
    return math.ceil(math.log(1.0 - confidence) / math.log1p(-rate)) if 0 < rate < 1 else 1
