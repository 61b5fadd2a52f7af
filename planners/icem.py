"""The improved cross-entropy method: coloured noise, kept elites, fewer and fewer samples."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from equiworld.planners.planner import Planner
from equiworld.planners.search import Search
from equiworld.planners.spread import Shape, check_shape, draw_around, spread_of

from equiworld.errors import ArgumentError

__all__ = ["ICEM"]


@dataclass(frozen=True)
class ICEM(Planner):
    """Cross-entropy method with noise that hangs together over time and elites that live on.

    A share of the elites is kept within a decision and, shifted by an action, for the next; each iteration draws fewer
    samples than the one before; the mean moves with momentum, and is itself tried at the end.

    Reference: Pinneri et al., Sample-efficient cross-entropy method for real-time planning, CoRL 2020.

    Attributes:
        elites: candidates that the next are drawn around.
        keep: share of the elites that stay in the running.
        decay: the samples are divided by this at each iteration.
        momentum: weight of the last mean and spread beside the elites'.
        shape: of the spread, as for `CEM`.

    >>> ICEM(samples=128).correlation
    2.0
    """

    correlation: float = 2.0
    elites: int = 12
    keep: float = 0.3
    decay: float = 1.25
    momentum: float = 0.1
    shape: Shape = "isotropic"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.elites <= self.samples:
            raise ArgumentError("elites", self.elites, f"between 1 and samples={self.samples}")
        for name in ("keep", "momentum"):
            if not 0 <= getattr(self, name) <= 1:
                raise ArgumentError(name, getattr(self, name), "a share between 0 and 1")
        if not 1 <= self.decay < float("inf"):
            raise ArgumentError("decay", self.decay, "a finite number of at least 1")
        check_shape(self.shape)

    @property
    def kept(self) -> int:
        return self.elites

    @property
    def carried(self) -> int:
        return max(1, round(self.keep * self.elites))

    def count(self, iteration: int) -> int:
        return min(self.samples, max(round(self.samples * self.decay**-iteration), 2 * self.elites))

    def update(self, search: Search) -> None:
        mean = search.kept.mean(3, keepdim=True)
        spread = spread_of(search, mean, self.shape)
        if "mean" in search.memory:
            mean = torch.lerp(mean, search.memory["mean"], self.momentum)
            spread = torch.lerp(spread, search.memory["spread"], self.momentum)
        search.memory |= {"mean": mean, "spread": spread}
        # The others have served their purpose: only a share of the elites competes with what comes.
        search.kept_cost[:, self.carried :] = torch.inf
        draw_around(search, mean, spread, self.shape)
        if search.iteration == self.iterations - 1:
            search.candidates[..., :1] = mean
