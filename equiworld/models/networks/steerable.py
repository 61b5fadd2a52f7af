"""Equivariant layer by layer."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import nn

from equiworld.groups import Representation
from equiworld.models.networks.network import Network
from equiworld.models.networks.on_flat_features import OnFlatFeatures
from equiworld.models.state_layout import StateLayout
from equiworld.nn import LabelledSteerableNetwork, RegularNetwork, SteerableNetwork
from equiworld.settings import settle_integers
from equiworld.symmetry import Symmetry
from equiworld.symmetry.cosets import needs_cosets

__all__ = ["Steerable"]


@dataclass(frozen=True)
class Steerable(Network):
    """Scalars and vectors through equivariant layers: exact for any group, reflections included.

    Attributes:
        scalars: hidden scalar channels.
        vectors: hidden vector channels.
        depth: residual blocks.
    """

    scalars: int = 64
    vectors: int = 32
    depth: int = 4

    def __post_init__(self) -> None:
        settle_integers(self, "scalars", "vectors", "depth", least=0)

    def carries(self, symmetry: Symmetry) -> bool:
        return needs_cosets(symmetry) and not symmetry.group.finite

    def ties_labels(self, symmetry: Symmetry) -> bool:
        return symmetry.group.axis is not None or self.carries(symmetry)

    def build(self, layout: StateLayout, generator: torch.Generator) -> nn.Module:
        group, sizes = layout.symmetry.group, asdict(self)
        if not self.ties_labels(layout.symmetry):
            return SteerableNetwork(layout.in_type, layout.out_type, group, generator=generator, **sizes)
        inside, outside = (
            tuple(
                Representation(group.labels, layout.label_images[f"{side}_{kind}"])
                for kind in ("scalar", "vector")
            )
            for side in ("in", "out")
        )
        if not layout.in_type.vectors:
            hidden = (self.scalars,) * self.depth
            network = RegularNetwork(inside[0], outside[0], hidden=hidden, generator=generator)
            return OnFlatFeatures(network, layout.out_type)
        return LabelledSteerableNetwork(
            layout.in_type,
            layout.out_type,
            group,
            in_images=(inside[0], inside[1]),
            out_images=(outside[0], outside[1]),
            generator=generator,
            **sizes,
        )
