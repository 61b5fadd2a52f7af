"""Networks of plain numbers as networks of Features."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from equiworld.nn import MLP, RegularNetwork
from equiworld.symmetry import Features, FeatureType

__all__ = ["OnFlatFeatures"]


class OnFlatFeatures(nn.Module):
    """A network on the flattened features.

    Args:
        network: from the numbers of what comes in to those of `out_type`.
        out_type: of what goes out.
    """

    def __init__(self, network: MLP | RegularNetwork, out_type: FeatureType) -> None:
        super().__init__()
        self.network, self.out_type = network, out_type

    def forward(self, features: Features) -> Features:
        return Features.unflatten(self.network(features.flatten()), self.out_type)

    def prepared(self) -> Callable[[Features], Features]:
        """`forward` for many calls in a row, with the present weights."""
        run, out_type = self.network.prepared(), self.out_type
        return lambda features: Features.unflatten(run(features.flatten()), out_type)
