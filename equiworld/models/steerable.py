"""The steerable family: equivariant layer by layer."""

from __future__ import annotations

import torch
from torch import nn

from equiworld.groups import Representation
from equiworld.models.labels import channel_images
from equiworld.models.registry import register_family
from equiworld.models.regular import OfFeatures
from equiworld.models.state import StateModel
from equiworld.nn import LabelledSteerableNetwork, RegularNetwork, SteerableNetwork
from equiworld.symmetry import Symmetry
from equiworld.symmetry.cosets import needs_cosets

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

    @classmethod
    def carries(cls, symmetry: Symmetry) -> bool:
        return needs_cosets(symmetry) and not symmetry.group.finite

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
        if group.axis is not None or self.carries(self.symmetry):
            return self._labelled(generator)
        return SteerableNetwork(self.in_type, self.out_type, group, generator=generator, **self.widths)

    def _labelled(self, generator: torch.Generator) -> nn.Module:
        """Where labels mix channels, or an axis is kept."""
        group = self.symmetry.group
        found = self._channel_images = channel_images(self)
        inside, outside = (
            tuple(Representation(group.labels, found[f"{side}_{kind}"]) for kind in ("scalar", "vector"))
            for side in ("in", "out")
        )
        if not self.in_type.vectors:
            hidden = (self.widths["scalars"],) * self.widths["depth"]
            return OfFeatures(
                RegularNetwork(inside[0], outside[0], hidden=hidden, generator=generator), self.out_type
            )
        return LabelledSteerableNetwork(
            self.in_type,
            self.out_type,
            group,
            in_images=(inside[0], inside[1]),
            out_images=(outside[0], outside[1]),
            generator=generator,
            **self.widths,
        )
