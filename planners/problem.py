"""What a planner is given: dynamics, cost, bounds and a frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.nn import Frame
from equiworld.symmetry import Features

__all__ = ["Bound", "Plan", "Problem", "Propose"]


class Propose(Protocol):
    """First candidates made with knowledge of the environment.

    It must be equivariant: `uniform` may choose what the state itself names, never a direction of the world.
    """

    random_numbers: int

    def __call__(self, state: Features, uniform: Tensor, horizon: int) -> Tensor:
        """Actions `(B, P, H, size)` from a state of batch shape `(B)` and uniform numbers `(B, P, n)`."""


@dataclass(frozen=True)
class Bound:
    """Which actions are allowed.

    Attributes:
        radius: longest vector, of each vector of an action. Radial projection commutes with rotations.
        low, high: a box, `(size,)`. Clamping to it does not commute with rotations.
    """

    radius: float | None = None
    low: Tensor | None = None
    high: Tensor | None = None

    @staticmethod
    def of(description: dict[str, Any], dtype: torch.dtype) -> Bound:
        """From a model's `action_bound`."""
        if "radius" in description:
            return Bound(radius=float(description["radius"]))
        if "low" in description:
            low, high = (torch.tensor(description[key], dtype=dtype) for key in ("low", "high"))
            return Bound(low=low, high=high)
        return Bound()

    def project(self, actions: Tensor, dim: int) -> Tensor:
        """The nearest allowed actions, `(…, size)`."""
        if self.radius is not None:
            arrows = actions.unflatten(-1, (-1, dim))
            length = arrows.square().sum(-1, keepdim=True).sqrt()
            return (arrows * (self.radius / length.clamp(min=self.radius))).flatten(-2)
        if self.low is not None and self.high is not None:
            return torch.minimum(torch.maximum(actions, self.low), self.high)
        return actions

    def length(self, dim: int) -> float:
        """A typical size of an action, the unit of the planners' spreads."""
        if self.radius is not None:
            return self.radius
        if self.low is not None and self.high is not None:
            return float((self.high - self.low).min()) / 2
        return 1.0


@dataclass(frozen=True)
class Problem:
    """One planning problem for each of B environments.

    Attributes:
        state: the states to plan from, batch shape `(B)`.
        predict: z′ = predict(z, actions `(…, size)`), any batch shape.
        cost: costs `(…)` of states of batch shape `(H, B, S)`, summed over H by the planner.
        frame: of each environment; noise is drawn in it. The identity frame makes a stock planner.
        bound: of the actions.
        size: numbers in an action.
        rest: where candidates start from without a warm start, `(B, size)`: for actions that are points, a point
            that moves with the world; zeros if None, for vectors.
        propose: first candidates, or None.
    """

    state: Features
    predict: Callable[[Features, Tensor], Features]
    cost: Callable[[Features], Tensor]
    frame: Frame
    bound: Bound
    size: int
    rest: Tensor | None = None
    propose: Propose | None = None

    def __post_init__(self) -> None:
        if len(self.state.batch_shape) != 1:
            raise ArgumentError("state", f"batch shape {tuple(self.state.batch_shape)}", "batch shape (B,)")
        if self.size % self.dim:
            raise ArgumentError("size", self.size, f"a multiple of the dimension {self.dim}")

    @property
    def dim(self) -> int:
        """d."""
        return self.frame.origin.shape[-1]

    @property
    def envs(self) -> int:
        """B."""
        return self.state.batch_shape[0]

    def blank(self, horizon: int) -> Tensor:
        """The plan to start from when there is none: `rest` at every step, `(B, H, size)`."""
        rest = self.frame.origin.new_zeros(self.envs, self.size) if self.rest is None else self.rest
        return rest[:, None].repeat(1, horizon, 1)

    def to_world(self, arrows: Tensor) -> Tensor:
        """Vectors `(B, S, H, size)` given in the frame, in world axes."""
        rotation = self.frame.rotation[:, None, None]
        return (arrows.unflatten(-1, (-1, self.dim)) @ rotation.transpose(-1, -2)).flatten(-2)


@dataclass(frozen=True)
class Plan:
    """The best action sequence found for each environment.

    Attributes:
        actions: `(B, H, size)`, in world axes.
        cost: `(B,)`.
        degeneracy: `(B,)` of the frame; near 1 the plan need not turn with the world.
    """

    actions: Tensor
    cost: Tensor
    degeneracy: Tensor
