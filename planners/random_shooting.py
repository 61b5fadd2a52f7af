"""Random shooting: the plain reference."""

from __future__ import annotations

from dataclasses import dataclass

from equiworld.planners.planner import Planner
from equiworld.planners.search import Search

__all__ = ["RandomShooting"]


@dataclass(frozen=True)
class RandomShooting(Planner):
    """Draw, compare, take the best; nothing is learned from one iteration to the next.

    What any other planner has to beat with the same number of candidates.

    >>> RandomShooting(samples=128).iterations
    3
    """

    def update(self, search: Search) -> None:
        search.scatter(search.start[:, :, :1], self.spread * search.unit)
