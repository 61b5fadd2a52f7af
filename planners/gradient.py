"""Planning by the gradient of the cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from equiworld.planners.planner import Planner
from equiworld.planners.search import Search

from equiworld.errors import ArgumentError

__all__ = ["GradientPlanner"]


@dataclass(frozen=True)
class GradientPlanner(Planner):
    """First-order steps from several starts, each vector's step normalised by that vector's own length.

    m ← β₁ m + (1−β₁) g;  v ← β₂ v + (1−β₂) |g|²;  a ← a − η m̂ / (√v̂ + ε)

    where |g| is the length of a whole vector. Adam as it is divides each coordinate by its own size, and that does not
    turn with the world.

    Reference: Ling et al., VectorAdam for rotation equivariant geometry optimization, NeurIPS 2022.

    Attributes:
        learning_rate: η of the first step, as a share of the longest action.
        shrink: factor on the rate in each further iteration.
        momentum: β₁.
        second_momentum: β₂.

    >>> GradientPlanner().samples
    16
    """

    differentiates: ClassVar[bool] = True

    samples: int = 16
    iterations: int = 10
    learning_rate: float = 0.1
    shrink: float = 0.9
    momentum: float = 0.8
    second_momentum: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("learning_rate", "shrink"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ArgumentError(name, getattr(self, name), "a positive number")
        for name in ("momentum", "second_momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise ArgumentError(name, getattr(self, name), "a number from 0 to below 1")

    def update(self, search: Search) -> None:
        gradient = search.gradient
        if "first" not in search.memory:
            search.memory["first"] = torch.zeros_like(gradient)
            search.memory["second"] = torch.zeros_like(self._squared(search, gradient))
        first, second = search.memory["first"], search.memory["second"]
        # A candidate whose cost is not finite has no way down.
        usable = torch.isfinite(gradient).all(2).all(0) & torch.isfinite(search.cost)
        gradient = torch.where(usable[:, None], gradient, 0.0)
        first.mul_(self.momentum).add_(gradient, alpha=1 - self.momentum)
        second.mul_(self.second_momentum).add_(
            self._squared(search, gradient), alpha=1 - self.second_momentum
        )
        step = search.iteration
        length = (second / (1 - self.second_momentum**step)).sqrt()
        # A vector that hardly matters has a gradient of rounding errors, with no direction worth following.
        least = 1e-6 * length.amax((0, 2, 3), keepdim=True)
        descent = (first / (1 - self.momentum**step)).unflatten(2, (-1, search.problem.dim))
        descent = descent / (length + least).clamp(min=torch.finfo(length.dtype).tiny)
        rate = self.learning_rate * search.length * self.shrink ** (step - 1)
        search.candidates.sub_(descent.flatten(2, 3), alpha=rate)

    @staticmethod
    def _squared(search: Search, gradient: torch.Tensor) -> torch.Tensor:
        """Squared lengths of the vectors, `(H, B, arrows, 1, n)`."""
        return gradient.unflatten(2, (-1, search.problem.dim)).square().sum(3, keepdim=True)
