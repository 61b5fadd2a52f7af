"""The one interface behind which planners are compared."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor

from equiworld.planners.peers.world import Budget, World

__all__ = ["Contender"]


class Contender(ABC):
    """A planner of some library, made for a world and a budget.

    Args:
        world: to plan in.
        budget: to keep to.
        planner: which of the library's.

    Attributes:
        settings: what the planner was given beyond world and budget, for the result file.
    """

    library: ClassVar[str]
    """The distribution whose planner it is."""

    version: ClassVar[str]
    """That it is adapted to, as pinned in constraints.txt."""

    def __init__(self, world: World, budget: Budget, planner: str) -> None:
        self.world, self.budget, self.planner = world, budget, planner
        self.settings: dict[str, Any] = {}

    @classmethod
    def load(cls) -> Any:
        """Import the library, or raise; what it returns is the adapter's own affair."""
        return None

    @abstractmethod
    def plan(self, state: Tensor, seed: int) -> Tensor:
        """Decide, from nothing but the state: `(B, n)` to plans `(B, H, size)`; the same for the same seed."""

    def warm_up(self, state: Tensor) -> None:  # noqa: B027
        """What is made once for states of this shape, untimed, before decisions are timed; nothing by default."""

    def decide(self, state: Tensor, seed: int) -> object:
        """What is timed: as `plan`, without what an adapter adds to find out the whole plan."""
        return self.plan(state, seed)
