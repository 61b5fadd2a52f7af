"""The cross-entropy method with an isotropic spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from equiworld.planners.planner import Planner, Population
from equiworld.planners.problem import Problem
from torch import Tensor

from equiworld.errors import ArgumentError

__all__ = ["CEM"]


@dataclass(frozen=True)
class CEM(Planner):
    """Cross-entropy method: sample around the elites, keep the best, shrink.

    With `around="mean"` candidates are drawn around the elites' mean with their spread, averaged over directions:
    a spread per world axis would not turn with the world. With `around="elites"` each is drawn around one elite:
    different ways around an object are not averaged into one through it.

    Reference: Rubinstein and Kroese, The Cross-Entropy Method, 2004.

    Attributes:
        elites: candidates kept.
        around: see above.
        shrink: factor on the spread in each iteration, for `around="elites"`.

    >>> CEM(samples=128).horizon
    6
    """

    elites: int = 12
    around: Literal["elites", "mean"] = "elites"
    shrink: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.elites <= self.samples:
            raise ArgumentError("elites", self.elites, f"between 1 and samples={self.samples}")
        if self.around not in ("elites", "mean"):
            raise ArgumentError("around", repr(self.around), "where to sample", ("'elites'", "'mean'"))

    def keep(self, population: Population) -> Population:
        return population.best(self.elites)

    def update(self, problem: Problem, population: Population, iteration: int, noise: Tensor) -> Tensor:
        # A rejected candidate is no elite, however few there are: the best stands in for it.
        rejected = torch.isinf(population.cost)[..., None, None]
        elites = torch.where(rejected, population.actions[:, :1], population.actions)
        if self.around == "elites":
            index = torch.arange(self.samples) % elites.shape[1]
            scale = self.spread * problem.bound.length(problem.dim) * self.shrink**iteration
            return elites[:, index] + scale * noise
        mean = elites.mean(1, keepdim=True)
        variance = (elites - mean).square().mean((1, 3), keepdim=True)
        return mean + variance.sqrt() * noise
