"""The canonical family: any network, in the frame of the body."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from equiworld.models.registry import register_family
from equiworld.models.state import StateModel
from equiworld.nn import CanonicalNetwork
from equiworld.symmetry import Features, Frame, Symmetry, frame_of

__all__ = ["CanonicalStateModel"]


@register_family
class CanonicalStateModel(StateModel):
    """A perceptron in the frame of the body, or of whatever arrows there are: exactly equivariant.

    Args:
        symmetry: of the environment.
        env_id: the environment's id.
        seed: of the initial weights.
        hidden: sizes of the hidden layers.
        periodic: learned sine features in the frame, for the sharp edges of contact.
    """

    family = "state"
    equivariant = True

    def __init__(
        self,
        symmetry: Symmetry,
        env_id: str = "unregistered",
        seed: int = 0,
        hidden: Sequence[int] = (128, 128, 128),
        periodic: int = 64,
    ) -> None:
        self.hidden, self.periodic = tuple(hidden), periodic
        super().__init__(symmetry, env_id, {"seed": seed, "hidden": list(hidden), "periodic": periodic})

    def _network(self, generator: torch.Generator) -> nn.Module:
        return CanonicalNetwork(
            self.in_type,
            self.out_type,
            self.symmetry.group,
            frame_of=self._frame,
            hidden=self.hidden,
            periodic=self.periodic,
            generator=generator,
        )

    def _frame(self, inputs: Features) -> Frame:
        """The body's: its axes or its heading; without either, of what comes in, the action last."""
        return frame_of(inputs.vectors, self.symmetry.group, pose=self.pose)
