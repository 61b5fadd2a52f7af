"""The steerable family: equivariant layer by layer."""

from __future__ import annotations

import torch
from torch import nn

from equiworld.models.registry import register_family
from equiworld.models.state import StateModel
from equiworld.nn import SteerableNetwork
from equiworld.symmetry import Symmetry

__all__ = ["SteerableStateModel"]


@register_family
class SteerableStateModel(StateModel):
    """Scalars and vectors through equivariant layers: exact for any group, reflections included.

    Args:
        symmetry: of the environment.
        env_id: the environment's id.
        seed: of the initial weights.
        scalars: hidden scalar channels.
        vectors: hidden vector channels.
        depth: residual blocks.
    """

    family = "state-steerable"
    equivariant = True

    def __init__(
        self,
        symmetry: Symmetry,
        env_id: str = "unregistered",
        seed: int = 0,
        scalars: int = 64,
        vectors: int = 32,
        depth: int = 4,
    ) -> None:
        self.widths = {"scalars": scalars, "vectors": vectors, "depth": depth}
        super().__init__(symmetry, env_id, {"seed": seed, **self.widths})

    def _network(self, generator: torch.Generator) -> nn.Module:
        group = self.symmetry.group
        return SteerableNetwork(self.in_type, self.out_type, group, generator=generator, **self.widths)
