"""The deviation of a model and of its mended copies from the same states, all of them or some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from equiworld.verify.mechanism.dynamics import Deviation, Moving, deviation_of
from equiworld.verify.mechanism.model_map import Model
from equiworld.verify.mechanism.starts import Start

__all__ = ["EXACT", "Measure"]

EXACT = 1e-10
"""[m, rad] Deviations below are rounding, which contacts amplify."""


@dataclass(frozen=True)
class Measure:
    """What measures copies of a model: a map, states, and steps from each.

    Attributes:
        moving: the map.
        starts: the states.
        steps: of the simulator, from each.
    """

    moving: Moving
    starts: Sequence[Start]
    steps: int

    def __call__(self, model: Model) -> Deviation:
        """The deviation of one copy."""
        return deviation_of(model, self.moving, self.starts, self.steps)

    def telling(self, deviation: Deviation, most: int) -> tuple[Measure, Deviation]:
        """The same of as many states that deviate, from the largest to the smallest, and the deviation there.

        Args:
            deviation: from all states.
            most: how many are kept.
        """
        velocities = np.array(deviation.velocities)
        order = np.argsort(-velocities, kind="stable")
        order = order[velocities[order] > EXACT]
        if len(order) > most:
            order = order[np.linspace(0, len(order) - 1, most).round().astype(int)]
        if not len(order):
            return self, deviation
        left = tuple(velocities[order].tolist())
        fewer = replace(deviation, velocity=max(left), velocities=left, starts=len(left))
        return replace(self, starts=[self.starts[each] for each in order]), fewer
