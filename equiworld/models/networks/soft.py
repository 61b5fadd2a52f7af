"""An equivariant network beside a free one, whose use is penalised: the symmetry as a preference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from equiworld.models.networks.canonical import Canonical
from equiworld.models.networks.network import Network
from equiworld.models.networks.on_flat_features import OnFlatFeatures
from equiworld.models.networks.plain import Plain
from equiworld.models.state_layout import StateLayout
from equiworld.nn import CanonicalNetwork
from equiworld.settings import settle_integers, settle_numbers, settle_sizes
from equiworld.symmetry import Features

__all__ = ["Soft", "SoftNetwork"]


class SoftNetwork(nn.Module):
    """F(z) = exact(z) + free(z), of which the free path costs `weight` times its mean square.

    Args:
        exact: commutes with the group.
        free: from and to the same types, without the symmetry.
        weight: of the penalty.
    """

    def __init__(self, exact: CanonicalNetwork, free: OnFlatFeatures, weight: float) -> None:
        super().__init__()
        self.exact, self.free, self.weight = exact, free, weight

    def forward(self, features: Features) -> Features:
        """Map features of any batch shape."""
        return _added(self.exact(features), self.free(features))

    def prepared(self) -> Callable[[Features], Features]:
        """`forward` for many calls in a row, with the present weights."""
        exact, free = self.exact.prepared(), self.free.prepared()
        return lambda features: _added(exact(features), free(features))

    def penalty(self, features: Features) -> Tensor:
        """`weight` times the mean square of what the free path says, over examples and channels; a scalar."""
        free = self.free(features)
        squared = torch.cat([free.scalars.square(), free.vectors.square().sum(-2)], -1)
        return self.weight * squared.mean()


@dataclass(frozen=True)
class Soft(Network):
    """The canonical network and a plain one in world axes, added: a residual pathway prior.

    Training adds to the loss the mean square of the free path's displacements, in units of each channel's spread,
    times `penalty`: with much of it the symmetry is all but kept, with none the free path is as good as the exact one.
    `Dynamics.free_share` says how much of the displacements the free path gives.

    Reference: Finzi, Benton and Wilson, Residual pathway priors for soft equivariance constraints, NeurIPS 2021; there
    the prior is on the weights of each layer's free part.

    Attributes:
        hidden: sizes of the hidden layers of each path.
        periodic: learned sine features of each path.
        penalty: weight of the free path's mean square in the loss.
    """

    hidden: tuple[int, ...] = (128, 128, 128)
    periodic: int = 64
    penalty: float = 0.1

    equivariant: ClassVar[bool] = False

    def __post_init__(self) -> None:
        settle_sizes(self, "hidden")
        settle_integers(self, "periodic", least=0)
        settle_numbers(self, "penalty", least=0.0)

    def build(self, layout: StateLayout, generator: torch.Generator) -> nn.Module:
        exact = Canonical(self.hidden, self.periodic).build(layout, generator)
        free = Plain(self.hidden, self.periodic).build(layout, generator)
        return SoftNetwork(exact, free, self.penalty)


def _added(one: Features, other: Features) -> Features:
    return Features(one.scalars + other.scalars, one.vectors + other.vectors, one.points + other.points)
