"""Any network, in the frame of the body."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch

from equiworld.groups import Group
from equiworld.models.networks.network import Network
from equiworld.models.state_layout import StateLayout
from equiworld.nn import CanonicalNetwork
from equiworld.settings import settle_integers, settle_sizes
from equiworld.symmetry import Features, Frame, frame_of

__all__ = ["Canonical"]


@dataclass(frozen=True)
class Canonical(Network):
    """A perceptron in the frame of the body, or of whatever arrows there are: exactly equivariant.

    Attributes:
        hidden: sizes of the hidden layers.
        periodic: learned sine features in the frame, for the sharp edges of contact.
    """

    hidden: tuple[int, ...] = (128, 128, 128)
    periodic: int = 64

    def __post_init__(self) -> None:
        settle_sizes(self, "hidden")
        settle_integers(self, "periodic", least=0)

    def build(self, layout: StateLayout, generator: torch.Generator) -> CanonicalNetwork:
        group = layout.symmetry.group
        return CanonicalNetwork(
            layout.in_type,
            layout.out_type,
            group,
            frame_of=partial(_body_frame, group=group, pose=layout.pose),
            hidden=self.hidden,
            periodic=self.periodic,
            generator=generator,
        )


def _body_frame(inputs: Features, group: Group, pose: slice | None) -> Frame:
    """The body's: its axes or its heading; without either, of what comes in, the action last."""
    return frame_of(inputs.vectors, group, pose=pose)
