"""Planning by the gradient of the cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from equiworld.planners.planner import Planner
from equiworld.planners.search import Search
from equiworld.settings import settle_numbers

__all__ = ["GradientPlanner"]


@dataclass(frozen=True)
class GradientPlanner(Planner):
    """First-order steps from several starts: Adam on the actions.

    m ← β₁ m + (1−β₁) g;  v ← β₂ v + (1−β₂) g²;  a ← a − η m̂ / (√v̂ + ε)

    Reference: Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015.

    Attributes:
        learning_rate: η of the first step, in units of each part's bound.
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
        settle_numbers(self, "learning_rate", "shrink", above=0.0)
        settle_numbers(self, "momentum", "second_momentum", least=0.0, below=1.0)

    def update(self, search: Search) -> None:
        gradient = search.gradient
        # A candidate whose cost is not finite has no way down.
        usable = torch.isfinite(gradient).all(3).all(0) & torch.isfinite(search.cost)
        gradient = torch.where(usable[..., None], gradient, 0.0)
        first = search.memory.setdefault("first", torch.zeros_like(gradient))
        second = search.memory.setdefault("second", torch.zeros_like(gradient))
        first.lerp_(gradient, 1 - self.momentum)
        second.lerp_(gradient.square(), 1 - self.second_momentum)
        step = search.iteration
        length = (second / (1 - self.second_momentum**step)).sqrt()
        # A number that hardly matters has a gradient of rounding errors, with no direction worth following.
        least = 1e-6 * length.amax((0, 3), keepdim=True).clamp(min=torch.finfo(length.dtype).tiny)
        descent = first / (1 - self.momentum**step) / (length + least)
        search.candidates.sub_(self.learning_rate * self.shrink ** (step - 1) * search.unit * descent)
