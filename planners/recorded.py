"""Dynamics whose rollouts are recorded, so that planning with few candidates does not wait for Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.planners.captured import CapturedCalls
from equiworld.planners.problem import State, parts_of_state, state_of_parts
from equiworld.recording import record
from equiworld.symmetry import Features

__all__ = ["RecordedDynamics", "rolled_out"]

_MOST = 64  # shapes: planners that draw fewer and fewer candidates have one for each iteration


class RecordedDynamics:
    """Dynamics to plan with again and again: whole rollouts are recorded by shape on the CPU, to the same bits.

    A rollout of few candidates takes a third to a half less time. The dynamics must depend on state and action alone,
    besides tensors that stay where they are: numbers written to those later count, other things that change do not.
    Dynamics that look at the numbers of a tensor, or hold weights that gradients are asked of, are called as they are;
    so is everything on other devices and where gradients are recorded.

    Args:
        dynamics: x′ = dynamics(x, a), as of `plan`.

    Raises:
        ArgumentError: it is no function.

    >>> import torch
    >>> from equiworld.planners import plan
    >>> dynamics = RecordedDynamics(lambda x, a: x + a)
    >>> found = [
    ...     plan(dynamics, lambda states, _: states.square().sum(-1), torch.ones(2), action_size=2) for _ in range(8)
    ... ]
    >>> torch.equal(found[0].actions, found[-1].actions)
    True
    """

    AFTER: ClassVar = 32
    """Rollouts of a shape before it is recorded, which takes as long as some twenty."""

    def __init__(self, dynamics: Callable[[Any, Tensor], Any]) -> None:
        if not callable(dynamics):
            raise ArgumentError("dynamics", f"a {type(dynamics).__name__}", "a function")
        self._dynamics = dynamics
        self._calls = CapturedCalls(_MOST, self._recorded, self.AFTER)

    def __call__(self, state: Any, action: Tensor) -> Any:
        return self._dynamics(state, action)

    def rollout(self, state: State, actions: Tensor) -> State:
        """States of batch shape `(H, N)` after each of actions `(H, N, size)`, from states of batch shape `(N,)`."""
        usual = type(state) in (Tensor, Features) and actions.is_cpu
        if not usual or torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"):
            return rolled_out(self._dynamics, state, actions)

        def plainly(*_: Tensor) -> State:
            return rolled_out(self._dynamics, state, actions)

        found = self._calls.call(plainly, [actions, *parts_of_state(state)])
        return state_of_parts(found) if isinstance(found, tuple) else found

    def _step(self, action: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        before = state_of_parts(parts)
        after = self._dynamics(before, action)
        if type(after) is not type(before):  # what else it holds would be lost
            raise TypeError
        return tuple(parts_of_state(after))

    def _parts(self, actions: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        return _stacked(self._step, actions, *parts)

    def _recorded(self, _: Any, given: Sequence[Tensor]) -> Callable[..., Any] | None:
        """A record of H steps, made of one of a single step: there Python takes part H times less."""
        actions, *parts = given
        step = record(self._step, [actions[0], *parts])
        return None if step is None else record(partial(_stacked, step), given, known=True, plain=self._parts)

    def __getstate__(self) -> dict[str, Any]:
        return {"_dynamics": self._dynamics}  # a copy or a file remembers nothing

    def __setstate__(self, state: dict[str, Any]) -> None:
        RecordedDynamics.__init__(self, state["_dynamics"])


def _stacked(step: Callable[..., tuple[Tensor, ...]], actions: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
    """What states consist of after each of the actions."""
    states = list[tuple[Tensor, ...]]()
    for action in actions.unbind():
        parts = step(action, *parts)
        states.append(parts)
    return tuple(torch.stack(each) for each in zip(*states, strict=True))


def rolled_out(dynamics: Callable[[Any, Tensor], Any], state: State, actions: Tensor) -> State:
    """See `RecordedDynamics.rollout`, which is taken where there is one."""
    if isinstance(dynamics, RecordedDynamics):
        return dynamics.rollout(state, actions)
    states = list[Any]()
    for action in actions.unbind():
        state = dynamics(state, action)
        states.append(state)
    return torch.stack(states) if isinstance(state, Tensor) else Features.stack(states)
