"""The canonical family: any network, in the frame of the body."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from equiworld.errors import ArgumentError
from equiworld.models.registry import register_family
from equiworld.models.state import StateModel
from equiworld.nn import (
    CanonicalNetwork,
    Frame,
    frame_from_arrows,
    frame_from_axes,
    frame_from_heading,
)
from equiworld.symmetry import Features, Symmetry
from equiworld.symmetry.orientations import first_rotation

__all__ = ["CanonicalStateModel"]


@register_family
class CanonicalStateModel(StateModel):
    """A perceptron in the frame of the body: exactly equivariant under rotations and translations.

    Args:
        symmetry: of the environment; its group must have no reflections.
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
        needed = self.symmetry.dim - 1
        if self.in_type.vectors < needed:
            raise ArgumentError(
                "symmetry",
                f"{self.in_type.vectors} vectors and differences of points",
                f"at least {needed} to make a frame from; or another family",
            )
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
        """The body's: its axes or its heading; without either, from the first vectors that come in."""
        heading, axes = self.symmetry.heading, first_rotation(self.symmetry)
        points = self.state_type.points - len(self.left_out)
        if axes is not None:
            # Axes, like headings, are of length 1, and their scale is 1.
            return frame_from_axes(inputs.vectors[..., points + axes.start : points + axes.stop])
        if self.symmetry.dim == 3:
            return frame_from_arrows(inputs.vectors)
        if heading is None:
            return frame_from_heading(inputs.vectors[..., 0])
        return frame_from_heading(inputs.vectors[..., points + self.channels[heading].start], unit=True)
