"""The baselines' network: a perceptron without the symmetry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from equiworld.models.networks.network import Network
from equiworld.models.networks.on_flat_features import OnFlatFeatures
from equiworld.models.state_layout import StateLayout
from equiworld.nn import MLP
from equiworld.settings import settle_integers, settle_sizes

__all__ = ["Plain"]


@dataclass(frozen=True)
class Plain(Network):
    """The same class of perceptron without the symmetry, in world axes.

    Attributes:
        hidden: sizes of the hidden layers.
        periodic: learned sine features.
    """

    hidden: tuple[int, ...] = (256, 256, 256)
    periodic: int = 128

    equivariant: ClassVar[bool] = False

    def __post_init__(self) -> None:
        settle_sizes(self, "hidden")
        settle_integers(self, "periodic", least=0)

    def build(self, layout: StateLayout, generator: torch.Generator) -> OnFlatFeatures:
        network = MLP(
            layout.in_type.size,
            layout.out_type.size,
            hidden=self.hidden,
            periodic=self.periodic,
            generator=generator,
        )
        return OnFlatFeatures(network, layout.out_type)
