"""The improved cross-entropy method: coloured noise, kept elites, fewer and fewer samples."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from equiworld.errors import ArgumentError
from equiworld.planners.planner import Planner
from equiworld.planners.search import Search
from equiworld.settings import settle_integers, settle_numbers

__all__ = ["ICEM"]


@dataclass(frozen=True)
class ICEM(Planner):
    """Cross-entropy method with noise that is correlated in time and elites that are kept.

    A share of the elites is kept within a decision and, shifted by an action, for the next; each iteration draws fewer
    samples than the one before; the mean moves with momentum, and is itself tried at the end.

    Reference: Pinneri et al., Sample-efficient cross-entropy method for real-time planning, CoRL 2020.

    Attributes:
        elites: candidates that the next are drawn around.
        keep: share of the elites that stay in the running.
        decay: the samples are divided by this at each iteration.
        momentum: weight of the last mean and spread beside the elites'.

    >>> ICEM(samples=128).correlation
    2.0
    """

    correlation: float = 2.0
    elites: int = 12
    keep: float = 0.3
    decay: float = 1.25
    momentum: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        settle_integers(self, "elites", least=1)
        if self.elites > self.samples:
            raise ArgumentError("elites", self.elites, f"between 1 and samples={self.samples}")
        settle_numbers(self, "keep", "momentum", least=0.0, most=1.0)
        settle_numbers(self, "decay", least=1.0)

    @property
    def n_elites(self) -> int:
        return self.elites

    @property
    def n_carried(self) -> int:
        return max(1, round(self.keep * self.elites))

    def count(self, iteration: int) -> int:
        return min(self.samples, max(round(self.samples * self.decay**-iteration), 2 * self.elites))

    def update(self, search: Search) -> None:
        spread, mean = torch.std_mean(search.elites, 2, correction=0, keepdim=True)
        if "mean" in search.memory:
            mean = torch.lerp(mean, search.memory["mean"], self.momentum)
            spread = torch.lerp(spread, search.memory["spread"], self.momentum)
        search.memory |= {"mean": mean, "spread": spread}
        # Only the first carried elites compete in the next iteration.
        search.elite_cost[:, self.n_carried :] = torch.inf
        search.scatter(mean, spread)
        if search.iteration == self.iterations - 1:
            search.candidates[:, :, :1] = mean
