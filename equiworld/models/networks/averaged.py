"""A plain network averaged over elements of the group, as it is after training or while it trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from equiworld.models.networks.network import Network
from equiworld.models.networks.on_flat_features import OnFlatFeatures
from equiworld.models.networks.plain import Plain
from equiworld.models.state_layout import StateLayout
from equiworld.nn.constant import Constant
from equiworld.settings import settle_integers, settle_sizes
from equiworld.symmetry import Features

__all__ = ["Averaged", "AveragedNetwork"]


class AveragedNetwork(nn.Module):
    """F̄(z) = 1/n Σᵢ gᵢ⁻¹ · F(gᵢ · z): the mean over n elements of what a network says, each turned back.

    It commutes with the gᵢ where they form a group, and with all of a continuous group in the limit n → ∞ alone.

    Args:
        network: F, any that maps vectors and invariant scalars to such.
        turns: the matrices of the gᵢ, `(n, d, d)`, float64.

    Reference: Murphy et al., Janossy pooling, ICLR 2019, for the average over a part of a group; Puny et al., Frame
    averaging for invariant and equivariant network design, ICLR 2022.
    """

    def __init__(self, network: OnFlatFeatures, turns: Tensor) -> None:
        super().__init__()
        self.network, self._turns = network, Constant(turns)

    def forward(self, features: Features) -> Features:
        """Map features of batch shape `(…)`, their points none."""
        return self._averaged(self.network, features)

    def prepared(self) -> Callable[[Features], Features]:
        """`forward` for many calls in a row, with the present weights."""
        run = self.network.prepared()
        return lambda features: self._averaged(run, features)

    def _averaged(self, run: Callable[[Features], Features], features: Features) -> Features:
        turns, scalars = self._turns.like(features.vectors), features.scalars
        turns = turns.view(len(turns), *(1,) * (features.vectors.ndim - 2), *turns.shape[1:])
        vectors = turns @ features.vectors
        found = run(Features(scalars.expand(len(turns), *scalars.shape), vectors, vectors[..., :0]))
        back = (turns.mT @ found.vectors).mean(0)
        return Features(found.scalars.mean(0), back, back[..., :0])


@dataclass(frozen=True)
class Averaged(Network):
    """The plain network averaged over elements that cover the group's rotations and reflections evenly.

    In the plane they are a cyclic or dihedral group, about the centre that points are seen from, and the network is
    exact for that finite group alone; in space they are spread by a super-Fibonacci spiral and are no group. So it
    does not claim to be equivariant, not even where the declared group is finite and all of it is averaged over.

    Attributes:
        hidden: sizes of the hidden layers.
        periodic: learned sine features.
        elements: n of them, half of them reflections where the group has these; a prediction costs n plain ones.
    """

    hidden: tuple[int, ...] = (256, 256, 256)
    periodic: int = 128
    elements: int = 8

    equivariant: ClassVar[bool] = False

    def __post_init__(self) -> None:
        settle_sizes(self, "hidden")
        settle_integers(self, "periodic", least=0)
        settle_integers(self, "elements", least=1)

    def build(self, layout: StateLayout, generator: torch.Generator) -> nn.Module:
        return self.over(Plain(self.hidden, self.periodic).build(layout, generator), layout)

    def over(self, network: OnFlatFeatures, layout: StateLayout) -> AveragedNetwork:
        """The average of a plain network that may be trained already."""
        return AveragedNetwork(network, torch.from_numpy(layout.symmetry.group.grid(self.elements).matrix))
