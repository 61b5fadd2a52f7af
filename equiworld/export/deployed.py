"""A policy as one torch module, its door included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from equiworld.errors import ArgumentError
from equiworld.export.door import TorchDoor, put_together
from equiworld.export.inner import Mean, inner_module, kept
from equiworld.sb3 import Symmetrised
from equiworld.symmetry.limits import Limits

__all__ = ["DeployedPolicy"]


class DeployedPolicy(nn.Module):
    """What a policy decides, in torch operations: observations → action, and how well its frame was fixed.

    Args:
        policy: a `Symmetrised` policy, whose door comes with it; or a plain one.
        keys: of the observation, in the order in which its arrays are given.
        example: an observation, one or a batch.

    Attributes:
        outputs: names of what it returns.

    Raises:
        ArgumentError: no graph of the policy is known; or its frames are drawn.
    """

    def __init__(self, policy: Any, keys: Sequence[str], example: Any) -> None:
        super().__init__()
        self.keys, self.door, self.limits = tuple(keys), None, Limits()
        self.outputs: tuple[str, ...] = ("action",)
        if isinstance(policy, Symmetrised):
            if policy.how == "random":
                raise ArgumentError("policy", "one with how='random'", "how='representative' or 'average'")
            self.door, self.limits = TorchDoor(policy.door, example), policy.limits
            self.inner = inner_module(policy.policy)
            if policy.how == "average":
                self.inner = Mean(self.inner, self.door.symmetry)
            self.outputs = ("action", "degenerate", "seam_margin")
        else:
            self.inner = inner_module(policy)

    def forward(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        """Arrays `(B, size)` of the observation → actions `(B, size)`; degenerate `(B,)`; seam_margin `(B,)`."""
        observation: Any = (
            arrays[0] if self.keys == ("observation",) else dict(zip(self.keys, arrays, strict=True))
        )
        if self.door is None:
            return (self.inner(observation),)
        inside, way = self.door(
            {name: each.to(torch.float64) for name, each in observation.items()}
            if isinstance(observation, dict)
            else observation.to(torch.float64)
        )
        shown = put_together(self.door.symmetry, inside)
        action = self.door.leave(self.inner(shown["observation"] if self.door.symmetry.flat else shown), way)
        return kept(action, self.limits), way.degenerate, way.margin
