"""The cross-entropy method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from equiworld.planners.planner import Planner
from equiworld.planners.search import Search
from equiworld.planners.spread import Shape, check_shape, draw_around, spread_of

from equiworld.errors import ArgumentError

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
        shape: of the spread, for `around="mean"`: "isotropic", "diagonal" in the frame, or "full".

    >>> CEM(samples=128).horizon
    6
    """

    elites: int = 12
    around: Literal["elites", "mean"] = "elites"
    shrink: float = 0.25
    shape: Shape = "isotropic"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.elites <= self.samples:
            raise ArgumentError("elites", self.elites, f"between 1 and samples={self.samples}")
        if self.around not in ("elites", "mean"):
            raise ArgumentError("around", repr(self.around), "where to sample", ("'elites'", "'mean'"))
        if not 0 < self.shrink <= 1:
            raise ArgumentError("shrink", self.shrink, "a share above 0, up to 1")
        check_shape(self.shape)

    @property
    def kept(self) -> int:
        return self.elites

    def update(self, search: Search) -> None:
        if self.around == "mean":
            mean = search.kept.mean(3, keepdim=True)
            draw_around(search, mean, spread_of(search, mean, self.shape), self.shape)
            return
        search.scatter(search.in_turn(), search.length * self.shrunk(self.shrink, search.iteration))
