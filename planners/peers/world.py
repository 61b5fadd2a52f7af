"""What every contender is given: a world on plain numbers, and how much it may try."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from equiworld.errors import ArgumentError

__all__ = ["Budget", "World"]


@dataclass(frozen=True)
class World:
    """Dynamics and a cost, as every planner takes them; a goal, if there is one, is part of the state.

    The cost of a plan is the sum over t = 1 … H of cost(x_t, a_t) with x_t = dynamics(x_{t−1}, a_t).

    Attributes:
        name: for tables.
        state_size: n.
        action_size: numbers in an action.
        dynamics: `(N, n)` and `(N, size)` to `(N, n)`, no gradient recorded for its parameters.
        cost: states `(…, n)` and actions `(…, size)` to `(…,)`.
    """

    name: str
    state_size: int
    action_size: int
    dynamics: Callable[[Tensor, Tensor], Tensor]
    cost: Callable[[Tensor, Tensor], Tensor]

    def plan_cost(self, state: Tensor, actions: Tensor) -> Tensor:
        """What plans cost: states `(N, n)` and plans `(N, H, size)` to `(N,)`."""
        states = []
        for action in actions.unbind(1):
            state = self.dynamics(state, action)
            states.append(state)
        return self.cost(torch.stack(states), actions.transpose(0, 1)).sum(0)


@dataclass(frozen=True)
class Budget:
    """How much a contender may try for one decision.

    Attributes:
        samples: candidates an iteration.
        horizon: H, actions in a candidate.
        iterations: rounds of candidates.
        spread: standard deviation of the first noise, in units of the action.
    """

    samples: int = 300
    horizon: int = 10
    iterations: int = 10
    spread: float = 1.0

    def __post_init__(self) -> None:
        for name in ("samples", "horizon", "iterations"):
            if getattr(self, name) < 1:
                raise ArgumentError(name, getattr(self, name), "a positive integer")

    @property
    def candidates(self) -> int:
        """All candidates of a decision; each takes H evaluations of the dynamics."""
        return self.samples * self.iterations

    def share(self, of: float) -> int:
        """A share of the samples, at least two: elites, for their spread to be defined."""
        return min(self.samples, max(2, round(of * self.samples)))
