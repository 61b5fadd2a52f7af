"""The family for finite groups: weights tied over labels, so that joints and bodies that are alike share them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from equiworld.errors import ArgumentError
from equiworld.groups import Representation
from equiworld.models.labels import channel_images, turned
from equiworld.models.registry import register_family
from equiworld.models.state import StateModel
from equiworld.nn import RegularNetwork
from equiworld.symmetry import Features, FeatureType, Symmetry
from equiworld.symmetry.images import block_diagonal

__all__ = ["OfFeatures", "RegularStateModel"]


@register_family
class RegularStateModel(StateModel):
    """A perceptron whose hidden layers are regular representations of a finite group: joints, mirrors, quarter turns.

    Its weights are tied along orbits and materialised, so that a prediction costs what a plain perceptron's does.

    Args:
        symmetry: of the environment, whose group is finite.
        env_id: the environment's id.
        seed: of the initial weights.
        hidden: numbers in the hidden layers, rounded up to whole copies of the regular representation.

    Raises:
        ArgumentError: the group has infinitely many elements.
    """

    family = "state-regular"
    equivariant = True
    of_finite_groups = True

    @classmethod
    def carries(cls, symmetry: Symmetry) -> bool:
        return symmetry.group.finite

    def __init__(
        self,
        symmetry: Symmetry,
        env_id: str = "unregistered",
        seed: int = 0,
        hidden: Sequence[int] = (128, 128, 128),
    ) -> None:
        if not symmetry.group.finite:
            expected = "a finite group; families 'state' and 'state-steerable' take the others"
            raise ArgumentError("symmetry", repr(symmetry.group), expected)
        self.hidden = tuple(hidden)
        super().__init__(symmetry, env_id, {"seed": seed, "hidden": list(hidden)})

    def _network(self, generator: torch.Generator) -> nn.Module:
        group = self.symmetry.group
        found = self._channel_images = channel_images(self)
        turns = group.section().matrix
        rep_in, rep_out = (
            Representation(
                group.labels,
                block_diagonal([found[f"{side}_scalar"], turned(found[f"{side}_vector"], turns)]),
            )
            for side in ("in", "out")
        )
        network = RegularNetwork(rep_in, rep_out, hidden=self.hidden, generator=generator)
        return OfFeatures(network, self.out_type)


class OfFeatures(nn.Module):
    """A network of flat numbers as one of Features."""

    def __init__(self, network: RegularNetwork, out_type: FeatureType) -> None:
        super().__init__()
        self.network, self.out_type = network, out_type

    def forward(self, features: Features) -> Features:
        return Features.unflatten(self.network(features.flatten()), self.out_type)

    def prepared(self) -> Callable[[Features], Features]:
        """`forward` for many calls in a row, with the weights that there are now."""
        run, out_type = self.network.prepared(), self.out_type
        return lambda features: Features.unflatten(run(features.flatten()), out_type)
