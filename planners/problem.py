"""Planning problems and plans: numbers and bounds, no group and no frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.planners.captured import CapturedCalls
from equiworld.symmetry import Bound, Features
from equiworld.symmetry.bound import parts_of
from equiworld.symmetry.constants import constant
from equiworld.symmetry.limits import project

__all__ = [
    "Bound",
    "Plan",
    "Problem",
    "Propose",
    "State",
    "batch_of",
    "map_state",
    "parts_of_state",
    "state_of_parts",
]

State = Features | Tensor
"""States of B environments: Features of batch shape `(B,)`, or plain numbers `(B, n)`."""


def batch_of(state: State) -> torch.Size:
    """The batch shape of a state."""
    return state.shape[:-1] if isinstance(state, Tensor) else state.batch_shape


def map_state(function: Callable[[Tensor], Tensor], state: State) -> State:
    """Apply a function that acts on leading axes to all parts of a state."""
    return function(state) if isinstance(state, Tensor) else state.map(function)


def parts_of_state(state: State | None) -> list[Tensor]:
    """The tensors that a state or a goal consists of; none for no goal."""
    if state is None:
        return []
    return [state] if isinstance(state, Tensor) else [state.scalars, state.vectors, state.points]


def state_of_parts(parts: Sequence[Tensor]) -> State:
    """The inverse of `parts_of_state`, where there are some."""
    return Features(*parts) if len(parts) > 1 else parts[0]


class Propose(Protocol):
    """First candidates made with knowledge of the environment."""

    random_numbers: int

    def __call__(self, state: State, goal: State | None, uniform: Tensor, horizon: int) -> Tensor:
        """Actions `(B, P, H, size)` from a state and a goal of batch shape `(B)` and uniform numbers `(B, P, n)`."""


@dataclass(frozen=True)
class Problem:
    """One planning problem for each of B environments.

    Attributes:
        state: the states to plan from, batch shape `(B)`.
        predict: z′ = predict(z, actions `(N, size)`), states of batch shape `(N)` in and out.
        cost: cost(states, actions, goal) → `(…)`, of states of batch shape `(H, B, S)`, actions `(H, B, S, size)` and
            the goal with a batch shape `(1, B, 1)`; the planner sums over H.
        size: numbers in an action.
        bounds: of the parts of an action, in order; none for no limits, and noise in units of 1.
        goal: of batch shape `(B)`, or None.
        null_action: `(size,)`, where candidates start from without a warm start, and balls are about: zeros if None.
        propose: first candidates, or None.
        captured: graphs of what plans cost, of whoever owns `predict` and `cost`; None to launch each operation.
    """

    state: State
    predict: Callable[[Any, Tensor], Any]
    cost: Callable[[Any, Tensor, Any], Tensor]
    size: int
    bounds: Sequence[Bound] = ()
    goal: State | None = None
    null_action: Tensor | None = None
    propose: Propose | None = None
    captured: CapturedCalls | None = None

    def __post_init__(self) -> None:
        shape = tuple(batch_of(self.state))
        if len(shape) != 1:
            raise ArgumentError("state", f"batch shape {shape}", "batch shape (B,)")
        if self.size < 1:
            raise ArgumentError("size", self.size, "a positive number of numbers in an action")
        if self.goal is not None and batch_of(self.goal) != shape:
            raise ArgumentError("goal", f"batch shape {tuple(batch_of(self.goal))}", f"batch shape {shape}")
        object.__setattr__(self, "bounds", _sized(self.bounds, self.size))
        if self.null_action is not None:
            object.__setattr__(self, "null_action", self.null_action.to(self.like))

    @property
    def envs(self) -> int:
        """B."""
        return batch_of(self.state)[0]

    @property
    def like(self) -> Tensor:
        """A tensor of the dtype and device to plan in."""
        return self.state if isinstance(self.state, Tensor) else self.state.vectors

    @property
    def unit(self) -> Tensor:
        """A typical size of each number of an action, `(size,)`: what noise is measured in."""
        unit = self.like.new_ones(self.size)
        for where, bound in parts_of(self.bounds):
            unit[where] = constant(bound.unit, unit.dtype, unit.device)
        return unit

    def select(self, which: Tensor) -> Problem:
        """The problem of some of the environments, named by a mask or an index `(B′,)`."""

        def pick(part: State) -> State:
            return map_state(lambda tensor: tensor[which], part)

        return replace(self, state=pick(self.state), goal=None if self.goal is None else pick(self.goal))

    def blank(self, horizon: int) -> Tensor:
        """The plan to start from when there is none, `(B, H, size)`: the null action, within bounds."""
        null = self.like.new_zeros(self.size) if self.null_action is None else self.null_action.clone()
        return project(null, self.bounds, self.null_action).repeat(self.envs, horizon, 1)


@dataclass(frozen=True)
class Plan:
    """The best action sequence found for each environment.

    Attributes:
        actions: `(B, H, size)`.
        cost: `(B,)`.
        carried: `(B, K, H, size)`, what the next decision starts from once shifted by an action; the first is
            `actions`.
        iterations: how many were made; fewer than asked for if planning stopped early.
        degeneracy: `(B,)` in [0, 1], how badly the frame was fixed that was planned in; of plans by a policy.
        margin: `(B,)` in [0, 1/2], how near the observation was to a seam of the grid, in steps; likewise.
    """

    actions: Tensor
    cost: Tensor
    carried: Tensor
    iterations: int
    degeneracy: Tensor | None = None
    margin: Tensor | None = None


def _sized(bounds: Sequence[Bound], size: int) -> tuple[Bound, ...]:
    """Bounds that say how many numbers they are for, which together are those of an action."""
    if not bounds:
        return ()
    sized = tuple(
        replace(bound, size=size) if bound.size is None and len(bounds) == 1 else bound for bound in bounds
    )
    sizes = [bound.size for bound in sized]
    if None in sizes or sum(sizes) != size:  # type: ignore[arg-type]
        raise ArgumentError(
            "bounds", f"parts of {sizes} numbers", f"parts that make up the {size} of an action"
        )
    for bound in sized:
        whole = bound.size if bound.item is None else bound.item
        for name, wanted in (("low", bound.size), ("high", bound.size)):
            limits = getattr(bound, name)
            if isinstance(limits, tuple) and len(limits) != wanted:
                raise ArgumentError(f"bound.{name}", f"{len(limits)} numbers", f"one, or {wanted}")
        if bound.size % whole:  # type: ignore[operator]
            raise ArgumentError("bound.item", whole, f"a divisor of the part's {bound.size} numbers")
    return sized
