"""Is the closed loop the same at elements of the group that no policy is told?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.registered import RegisteredWorld
from equiworld.verify.certificate import certify

__all__ = ["CertificateOf"]


@dataclass(frozen=True)
class CertificateOf(TrainedQuestion):
    """An active certificate of the trained policy, in the dtype that is deployed and in float64.

    Attributes:
        elements: random ones of the declared group, shifts and mirrors included.
        episodes: at each.
        loop_steps: environment steps of each.
    """

    elements: int = 16
    episodes: int = 4
    loop_steps: int = 120

    name: ClassVar[str] = "certificate"
    title: ClassVar[str] = "Is the closed loop the same at elements of the group that no policy is told?"
    worlds: ClassVar[tuple[str, ...]] = ("pusht", "cloudpush")
    arms: ClassVar[tuple[str, ...]] = ("equivariant", "plain")
    measures: ClassVar[dict[str, Measure]] = {
        "deviation": Measure(
            "px|m", "largest distance of an observed point from g·(that of the unturned one)", log=True
        ),
        "motion": Measure("px|m", "how far anything moved in the unturned loop"),
        "passed": Measure("1", "1: at most 1e-8 length scales, and it moved"),
        "outcomes_differ": Measure("1", "episodes solved turned and not unturned, or the other way round"),
        "ends_differ": Measure("1", "episodes that ended after another step than unturned"),
    }
    small: ClassVar[dict[str, Any]] = {"elements": 2, "episodes": 1, "loop_steps": 10}

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """Both dtypes."""
        return [{"dtype": "float32"}, {"dtype": "float64"}]

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """One row."""
        world, scale = self.world(cell.world), self.scale_in(self.world(cell.world))
        policy = self.policy(cell, self.model(cell, store), cell.point["dtype"])
        found = certify(
            policy,
            lambda: world.make(**world.loop_arguments(scale.half_width)),
            elements=self.elements,
            episodes=self.episodes,
            steps=next(iter(world.trials.values())).limited(self.loop_steps) or self.loop_steps,
            seed=5_500_000 + self.episodes * cell.seed,
            modes=("passive",) if isinstance(world, RegisteredWorld) else ("active",),
            translation_scale=None if isinstance(world, RegisteredWorld) else world.shifts,
        )
        orbit = found.orbits[0]
        return [
            {
                "deviation": found.max_deviation,
                "motion": orbit.motion,
                "passed": int(found.passed),
                "outcomes_differ": int(orbit.outcome_differs.sum()),
                "ends_differ": int(orbit.end_differs.sum()),
            }
        ]
