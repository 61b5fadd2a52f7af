"""What a planner is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.nn import Frame
from equiworld.symmetry import Features

__all__ = ["Bound", "Plan", "Problem", "Propose", "State", "batch_of", "map_state"]

State = Features | Tensor
"""States of B environments: Features of batch shape `(B,)`, or plain numbers `(B, n)`."""


def batch_of(state: State) -> torch.Size:
    """The batch shape of a state."""
    return state.shape[:-1] if isinstance(state, Tensor) else state.batch_shape


def map_state(function: Callable[[Tensor], Tensor], state: State) -> State:
    """Apply a function that acts on leading axes to all parts of a state."""
    return function(state) if isinstance(state, Tensor) else state.map(function)


class Propose(Protocol):
    """First candidates made with knowledge of the environment.

    It must be equivariant: `uniform` may choose what the state itself names, never a direction of the world.
    """

    random_numbers: int

    def __call__(self, state: State, goal: State | None, uniform: Tensor, horizon: int) -> Tensor:
        """Actions `(B, P, H, size)` from a state and a goal of batch shape `(B)` and uniform numbers `(B, P, n)`."""


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
            length = torch.linalg.vector_norm(arrows, dim=-1, keepdim=True)
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
        predict: z′ = predict(z, actions `(N, size)`), states of batch shape `(N)` in and out.
        cost: cost(states, actions, goal) → `(…)`, of states of batch shape `(H, B, S)`, actions `(H, B, S, size)` and
            the goal with a batch shape `(1, B, 1)`; the planner sums over H.
        size: numbers in an action.
        dim: numbers in each vector of an action; an action is `size / dim` of them.
        frame: of each environment; noise is drawn in it. None for the world's own axes, as stock planners do.
        bound: of the actions.
        goal: of batch shape `(B)`, or None.
        rest: where candidates start from without a warm start, `(B, size)`: for actions that are points, a point
            that moves with the world; zeros if None, for vectors.
        propose: first candidates, or None.
    """

    state: State
    predict: Callable[[Any, Tensor], Any]
    cost: Callable[[Any, Tensor, Any], Tensor]
    size: int
    dim: int
    frame: Frame | None = None
    bound: Bound = Bound()
    goal: State | None = None
    rest: Tensor | None = None
    propose: Propose | None = None

    def __post_init__(self) -> None:
        shape = tuple(batch_of(self.state))
        if len(shape) != 1:
            raise ArgumentError("state", f"batch shape {shape}", "batch shape (B,)")
        if self.size < 1 or self.size % self.dim:
            raise ArgumentError("size", self.size, f"a multiple of the dimension {self.dim}")
        if self.frame is not None and self.frame.origin.shape != (*shape, self.dim):
            expected = f"one for each of {shape[0]} environments, of dimension {self.dim}"
            raise ArgumentError("frame", f"origin of shape {tuple(self.frame.origin.shape)}", expected)
        if self.goal is not None and batch_of(self.goal) != shape:
            raise ArgumentError("goal", f"batch shape {tuple(batch_of(self.goal))}", f"batch shape {shape}")

    @property
    def envs(self) -> int:
        """B."""
        return batch_of(self.state)[0]

    @property
    def like(self) -> Tensor:
        """A tensor of the dtype and device to plan in."""
        return self.state if isinstance(self.state, Tensor) else self.state.vectors

    @property
    def degeneracy(self) -> Tensor:
        """Of each environment's frame, `(B,)`; 0 without frames."""
        return self.like.new_zeros(self.envs) if self.frame is None else self.frame.degeneracy

    def select(self, which: Tensor) -> Problem:
        """The problem of some of the environments, named by a mask or an index `(B′,)`."""

        def pick(part: State) -> State:
            return map_state(lambda tensor: tensor[which], part)

        return replace(
            self,
            state=pick(self.state),
            goal=None if self.goal is None else pick(self.goal),
            frame=None if self.frame is None else self.frame[which],
            rest=None if self.rest is None else self.rest[which],
        )

    def blank(self, horizon: int) -> Tensor:
        """The plan to start from when there is none: `rest` at every step, `(B, H, size)`."""
        rest = self.like.new_zeros(self.envs, self.size) if self.rest is None else self.rest
        return rest[:, None].repeat(1, horizon, 1)


@dataclass(frozen=True)
class Plan:
    """The best action sequence found for each environment.

    Attributes:
        actions: `(B, H, size)`, in world axes.
        cost: `(B,)`.
        degeneracy: `(B,)` of the frame; near 1 the plan need not turn with the world.
        carried: `(B, K, H, size)`, what the next decision starts from once shifted by an action; the first is
            `actions`.
        iterations: how many were made; fewer than asked for if planning stopped early.
    """

    actions: Tensor
    cost: Tensor
    degeneracy: Tensor
    carried: Tensor
    iterations: int
