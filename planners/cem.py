"""The cross-entropy method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from equiworld.errors import ArgumentError
from equiworld.planners.planner import Planner
from equiworld.planners.search import Search
from equiworld.settings import settle_integers, settle_numbers

__all__ = ["CEM"]


@dataclass(frozen=True)
class CEM(Planner):
    """Cross-entropy method: sample around the elites, keep the best, shrink.

    With `around="mean"` candidates are drawn around the elites' mean with their spread. With `around="elites"` each is
    drawn around one elite with a spread that shrinks: different ways around an object are not averaged into one
    through it.

    Reference: Rubinstein and Kroese, The Cross-Entropy Method, 2004.

    Attributes:
        elites: candidates kept.
        around: see above.
        shrink: spread of the last iteration, as a share of the first one's, for `around="elites"`.

    >>> CEM(samples=128).horizon
    6
    """

    elites: int = 12
    around: Literal["elites", "mean"] = "elites"
    shrink: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        settle_integers(self, "elites", least=1)
        if self.elites > self.samples:
            raise ArgumentError("elites", self.elites, f"between 1 and samples={self.samples}")
        if self.around not in ("elites", "mean"):
            raise ArgumentError("around", repr(self.around), "where to sample", ("'elites'", "'mean'"))
        settle_numbers(self, "shrink", above=0.0, most=1.0)

    @property
    def n_elites(self) -> int:
        return self.elites

    def update(self, search: Search) -> None:
        if self.around == "mean":
            spread, mean = torch.std_mean(search.elites, 2, correction=0, keepdim=True)
            search.scatter(mean, spread)
        else:
            search.scatter(search.cycled_elites(), search.unit * self.shrunk(self.shrink, search.iteration))
