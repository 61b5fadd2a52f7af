"""Weights tied over a finite group's labels, so that joints and bodies that are alike share them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from equiworld.errors import ArgumentError
from equiworld.groups import Representation
from equiworld.models.labels import turned
from equiworld.models.networks.network import Network
from equiworld.models.networks.on_flat_features import OnFlatFeatures
from equiworld.models.state_layout import StateLayout
from equiworld.nn import RegularNetwork
from equiworld.settings import settle_sizes
from equiworld.symmetry import Symmetry
from equiworld.symmetry.images import block_diagonal

__all__ = ["Regular"]


@dataclass(frozen=True)
class Regular(Network):
    """A perceptron whose hidden layers are regular representations of a finite group: joints, mirrors, quarter turns.

    Its weights are tied along orbits and materialised, so that a prediction costs what a plain perceptron's does.

    Attributes:
        hidden: numbers in the hidden layers, rounded up to whole copies of the regular representation.
    """

    hidden: tuple[int, ...] = (128, 128, 128)

    of_finite_groups: ClassVar[bool] = True

    def __post_init__(self) -> None:
        settle_sizes(self, "hidden")

    def carries(self, symmetry: Symmetry) -> bool:
        return symmetry.group.finite

    def ties_labels(self, symmetry: Symmetry) -> bool:
        return True

    def build(self, layout: StateLayout, generator: torch.Generator) -> nn.Module:
        group = layout.symmetry.group
        if not group.finite:
            expected = "a finite group; families 'state' and 'state-steerable' take the others"
            raise ArgumentError("symmetry", repr(group), expected)
        found, turns = layout.label_images, group.section().matrix
        rep_in, rep_out = (
            Representation(
                group.labels,
                block_diagonal([found[f"{side}_scalar"], turned(found[f"{side}_vector"], turns)]),
            )
            for side in ("in", "out")
        )
        network = RegularNetwork(rep_in, rep_out, hidden=self.hidden, generator=generator)
        return OnFlatFeatures(network, layout.out_type)
