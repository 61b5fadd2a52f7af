"""What decides, as a torch module from an observation to an action."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from equiworld.errors import ArgumentError
from equiworld.export.door import put_together, taken_apart
from equiworld.export.moving import Element, Mover
from equiworld.sb3.modules import ModulePolicy
from equiworld.symmetry import Symmetry
from equiworld.symmetry.limits import Limits, project

__all__ = ["Mean", "inner_module", "kept"]

Observed = Tensor | Mapping[str, Tensor]


def inner_module(policy: Any) -> nn.Module:
    """A policy's network, with what its `predict` does to actions; it takes float64.

    Args:
        policy: a `ModulePolicy`; or an algorithm or policy of stable-baselines3, by what it has: a module with
            `_predict`, an action space, and `squash_output`.

    Raises:
        ArgumentError: another kind of policy.
    """
    if isinstance(policy, ModulePolicy):
        return _OfModule(policy)
    found = getattr(policy, "policy", policy)
    if isinstance(found, nn.Module) and callable(getattr(found, "_predict", None)):
        return _OfStableBaselines(found)
    got = type(policy).__name__
    raise ArgumentError(
        "policy",
        f"a {got}, of which no graph is known",
        "a torch module, a policy of stable-baselines3, or one of them behind symmetrise; of a planner the world model "
        "can be exported",
    )


class _OfModule(nn.Module):
    """A module, asked in its own dtype."""

    def __init__(self, policy: ModulePolicy) -> None:
        super().__init__()
        self.module, self.dtype = policy.module, policy.dtype

    def forward(self, observation: Observed) -> Tensor:
        seen = (
            observation.to(self.dtype)
            if isinstance(observation, Tensor)
            else {name: each.to(self.dtype) for name, each in observation.items()}
        )
        found = self.module(seen)
        return found if isinstance(found, Tensor) else found.mode


class _OfStableBaselines(nn.Module):
    """What `BasePolicy.predict` does: the deterministic action, unscaled if it was squashed, clipped if not."""

    low: Tensor
    high: Tensor

    def __init__(self, policy: Any) -> None:
        super().__init__()
        self.policy, self.squashed = policy, bool(policy.squash_output)
        # Of policies that are equivariant themselves, which shorten vectors instead of clipping them to a box.
        self.limits = getattr(policy, "limits", None)
        space = policy.action_space
        for name in ("low", "high"):
            if not hasattr(space, name):
                raise ArgumentError("policy", f"actions of {space}", "a Box of actions")
            self.register_buffer(name, torch.as_tensor(getattr(space, name).ravel()), persistent=False)

    def forward(self, observation: Observed) -> Tensor:
        action = self.policy._predict(observation, deterministic=True).flatten(1)
        if isinstance(self.limits, Limits):
            return kept(action.to(torch.float64), self.limits)
        if self.squashed:
            return self.low + 0.5 * (action + 1.0) * (self.high - self.low)
        return action.clamp(self.low.to(action.dtype), self.high.to(action.dtype))


def kept(action: Tensor, limits: Limits) -> Tensor:
    """Actions `(B, size)`, float64, within an action space and of its dtype: see `Limits.keep`."""
    action, space = project(action.clone(), limits.bounds), limits.space
    if space.low is not None and space.high is not None:
        low, high = (torch.tensor(side, dtype=torch.float64) for side in (space.low, space.high))
        action = torch.minimum(torch.maximum(action, low), high)
    return action.to(getattr(torch, space.dtype))


class Mean(nn.Module):
    """The mean over a finite group, as `how="average"` of `symmetrise` has it."""

    def __init__(self, inner: nn.Module, symmetry: Symmetry) -> None:
        super().__init__()
        self.inner, self.symmetry = inner, symmetry
        group, centre = symmetry.group, symmetry.centre
        self.act = Mover(symmetry.action, group, centre)
        fields = symmetry.observation.values()
        self.movers = nn.ModuleList([Mover(field, group, centre) for field in fields])
        elements = group.elements()
        self.count = len(elements)
        self._there, self._back = Element.of(elements), Element.of(elements.inverse())

    def forward(self, observation: Observed) -> Tensor:
        arrays = taken_apart(self.symmetry, observation)
        total: Tensor | None = None
        for k in range(self.count):
            moved = {
                name: mover(_at(self._back, k), array)
                for (name, array), mover in zip(arrays.items(), self.movers, strict=True)
            }
            shown = put_together(self.symmetry, moved)
            seen = shown["observation"] if self.symmetry.flat else shown
            action = self.act(_at(self._there, k), self.inner(seen).to(torch.float64))
            total = action if total is None else total + action
        assert total is not None
        return total / self.count


def _at(element: Element, index: int) -> Element:
    return Element(element.matrix[index], element.shift[index], element.label[index])
