"""This library's planners, through `equiworld.planners.plan`."""

from __future__ import annotations

from collections import Counter
from dataclasses import MISSING, fields
from typing import Any

from torch import Tensor

from equiworld.planners import ICEM, PLANNERS, Planner, RecordedDynamics, plan
from equiworld.planners.peers import Budget, Contender, World

__all__ = ["Ours"]


class Ours(Contender):
    """Any registered planner, with its own defaults wherever the budget says nothing.

    Each candidate counts the same for all planners: `ICEM`, which draws fewer of them in each iteration, begins with as
    many more as make up the same number in all.
    """

    library, version = "equiworld", "here"

    def __init__(self, world: World, budget: Budget, planner: str) -> None:
        super().__init__(world, budget, planner)
        self._dynamics, kind = RecordedDynamics(world.dynamics), PLANNERS[planner]
        given = {name: getattr(budget, name) for name in ("horizon", "samples", "iterations", "spread")}
        given["cost_of_last"] = 0.0
        default = {field.name: field.default for field in fields(kind) if field.default is not MISSING}
        if "elites" in default:
            # As large a share of the samples as by default.
            given["elites"] = budget.share(default["elites"] / default["samples"])
        self._planner: Planner = kind(**given)
        if isinstance(self._planner, ICEM):
            self._planner = _with_the_same_total(given, budget.candidates)
        self.settings = {name: getattr(self._planner, name) for name in default}

    def warm_up(self, state: Tensor) -> None:
        """Rollouts are recorded, as those of a policy are while it decides."""
        if self._planner.differentiates:
            return
        counts = Counter(self._planner.count(iteration) for iteration in range(self._planner.iterations))
        for _ in range(1 + RecordedDynamics.AFTER // min(counts.values())):
            self.plan(state, 0)

    def plan(self, state: Tensor, seed: int) -> Tensor:
        world, size = self.world, self.world.action_size
        found = plan(self._dynamics, world.cost, state, action_size=size, planner=self._planner, seed=seed)
        return found.actions


def _with_the_same_total(given: dict[str, Any], candidates: int) -> ICEM:
    """The planner with the most first samples that needs no more candidates in all."""

    def total(samples: int) -> int:
        planner = ICEM(**given | {"samples": samples})
        return sum(planner.count(iteration) for iteration in range(planner.iterations))

    low, high = given["samples"], candidates
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if total(middle) <= candidates else (low, middle - 1)
    return ICEM(**given | {"samples": low})
