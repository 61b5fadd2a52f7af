"""One rollout of many candidates: where it starts, and the states it passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from equiworld.planners.problem import Problem, State, map_state
from torch import Tensor

from equiworld.symmetry import Features

__all__ = ["Block", "Trajectory"]


@dataclass(frozen=True)
class Block:
    """Some environments and samples, and what stays the same for them in every iteration.

    Attributes:
        envs, samples: which.
        state: repeated for each sample, batch shape `(b·s,)`.
        goal: batch shape `(1, b, 1)`.
    """

    envs: slice
    samples: slice
    state: State
    goal: State | None

    @staticmethod
    def of(problem: Problem, envs: slice, samples: slice) -> Block:
        repeats = samples.stop - samples.start

        def repeated(part: Tensor) -> Tensor:
            part = part[envs]
            return part.unsqueeze(1).expand(-1, repeats, *part.shape[1:]).flatten(0, 1)

        goal = problem.goal
        if goal is not None:
            goal = map_state(lambda part: part[envs][None, :, None], goal)
        return Block(envs, samples, map_state(repeated, problem.state), goal)


class Trajectory:
    """States one after another, each copied at once, while the cache holds it, to memory that is used again.

    Where gradients are wanted the states themselves are kept: they are what the gradient flows through.

    Args:
        buffer: gives memory by name and shape.
        horizon: H.
        differentiable: whether gradients are wanted.
    """

    def __init__(self, buffer: Callable[..., Tensor], horizon: int, differentiable: bool) -> None:
        self.buffer, self.horizon = buffer, horizon
        self.states: list[State] | None = [] if differentiable else None
        self.buffers: list[Tensor] = []
        self.slots: list[tuple[Tensor, ...]] = []
        self.step = 0
        self.plain = True

    def append(self, state: State) -> None:
        """The next state, batch shape `(b·s,)`."""
        if self.states is not None:
            self.states.append(state)
            return
        self.plain = isinstance(state, Tensor)
        parts = (state,) if isinstance(state, Tensor) else (state.scalars, state.vectors, state.points)
        if not self.step:
            for index, part in enumerate(parts):
                self.buffers.append(self.buffer(f"states {index}", self.horizon, *part.shape))
                self.slots.append(self.buffers[-1].unbind())
        for slots, part in zip(self.slots, parts, strict=True):
            if part.shape[-1]:
                slots[self.step].copy_(part)
        self.step += 1

    def whole(self) -> State:
        """Batch shape `(H, b·s)`."""
        if self.states is not None:
            if isinstance(self.states[0], Tensor):
                return torch.stack(self.states)  # type: ignore[arg-type]
            return Features.stack(self.states)  # type: ignore[arg-type]
        return self.buffers[0] if self.plain else Features(*self.buffers)
