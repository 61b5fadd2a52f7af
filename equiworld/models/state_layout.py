"""Which channels of a state and an action a network of displacements sees, and which it gives."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.groups.arrays import Array
from equiworld.models.labels import block_images, through
from equiworld.nn.constant import Constant
from equiworld.symmetry import Channel, Features, FeatureType, Field, Heading, Rotation, Symmetry
from equiworld.symmetry.bodies import clouds_in
from equiworld.symmetry.images import block_diagonal
from equiworld.symmetry.observing import channels_of

__all__ = ["StateLayout"]


class StateLayout:
    """The channels of a typed state and its actions, as a network of displacements sees them: one row of vectors.

    Args:
        symmetry: of states and actions.
        centred: see points from the reference point, or from their mean; without translations, and for baselines, they
            are seen from the scene's centre.

    Attributes:
        state_type, action_type: of what comes in.
        in_type, out_type: of what the network sees and gives; points are vectors there.
        reference: the channels that points are seen from.
        left_out: the channel that the network does not see: that of the reference, which is zero seen from itself.
        raised: whether the last number that comes in is the height, from the centre along the group's axis, of what
            points are seen from.
        headings, rotations: channels of the state's vectors that have length 1, and slices of three that are axes.
        units_in, units_out: vectors of length 1 among those that come in and go out.
        body: the channels of the state's vectors that are the axes of a body, or its heading; None if none are.
        pose: which of the vectors that come in they are.
        places: which of them are points.

    Raises:
        ArgumentError: a state with points without an order.
    """

    def __init__(self, symmetry: Symmetry, centred: bool = True) -> None:
        for name in symmetry.state:
            if clouds_in(symmetry.observation[name]):
                raise ArgumentError(
                    "symmetry",
                    f"a state with {name!r}, points without an order",
                    "fields that keep their order; family 'latent' takes clouds, as does a pose instead of one",
                )
        self.symmetry = symmetry
        # Without translations the centre is a place like no other, and points are vectors from it.
        self.centred = centred and symmetry.group.has_translations
        self.state_type = state = symmetry.feature_type()
        self.action_type = action = symmetry.action.feature_type(symmetry.dim)
        declared = symmetry.channels().get(symmetry.reference or "")
        self.reference = [] if declared is None else list(range(declared.start, declared.stop))
        # A single reference seen from itself is zero: it is left out. Several are seen from their mean.
        self.left_out = self.reference if len(self.reference) == 1 and self.centred else []
        group, arrows = symmetry.group, state.points + state.vectors - len(self.left_out)
        # No element shifts along the axis: how high the reference is, is for the model to know.
        across = group.axis is not None and group.shift_dim < group.dim
        self.raised = across and self.centred and state.points > 0
        self._up = Constant(torch.tensor(group.axis.direction if group.axis else (), dtype=torch.float64))
        self.in_type = FeatureType(
            symmetry.dim,
            state.scalars + action.scalars + self.raised,
            arrows + action.vectors + action.points,
        )
        self.out_type = FeatureType(symmetry.dim, state.scalars, state.points + state.vectors)
        self.headings, axes = self._vectors_of(Heading), self._vectors_of(Rotation)
        self.rotations = [slice(first, first + 3) for first in axes[::3]]
        self.units_out = [state.points + index for index in self.headings + axes]
        self.units_in = [self._seen_at(index) for index in self.units_out]
        self.body = self._body()
        start = None if self.body is None else self._seen_at(state.points + self.body.start)
        self.pose = None if start is None else slice(start, start + (3 if symmetry.dim == 3 else 1))
        placed = state.points - len(self.left_out)
        self.places = [*range(placed), *range(arrows + action.vectors, self.in_type.vectors)]

    def relative(self) -> Tensor:
        """Weights `(C, C_in)` that subtract the reference from the points and leave out what is zero then."""
        points, vectors = self.state_type.points, self.state_type.vectors + self.action_type.vectors
        weights = torch.eye(points + vectors + self.action_type.points, dtype=torch.float32)
        if self.centred and self.reference:
            placed = [*range(points), *range(points + vectors, len(weights))]
            for one in self.reference:
                weights[one, placed] -= 1.0 / len(self.reference)
        return weights[:, [i for i in range(len(weights)) if i not in self.left_out]]

    def about_middle(self, arrows: Tensor) -> Tensor:
        """What comes in `(…, d, C)`, points relative to their mean where no reference is declared."""
        points = self.state_type.points
        if not self.centred or self.reference or not points:
            return arrows
        others = points + self.state_type.vectors + self.action_type.vectors
        middle = self.origin(arrows[..., :points])
        parts = [arrows[..., :points] - middle, arrows[..., points:others], arrows[..., others:] - middle]
        return torch.cat(parts, -1)

    def origin(self, points: Tensor) -> Tensor:
        """What the state's points `(…, d, n)` are seen from: the reference, or their mean, `(…, d, 1)`."""
        return (points[..., self.reference] if self.reference else points).mean(-1, keepdim=True)

    def _seen_at(self, channel: int) -> int:
        """Where a channel of the state's points and vectors comes in."""
        return channel - sum(index < channel for index in self.left_out)

    def numbers(self, z: Features, action: Features) -> Tensor:
        """The numbers that come in, `(…, C)`."""
        numbers = [z.scalars, action.scalars]
        if self.raised:
            numbers.append(self._up.like(z.points) @ self.origin(z.points))
        return torch.cat(numbers, -1)

    @cached_property
    def label_images(self) -> dict[str, Array]:
        """What a group's labels do to channels, `(k, m, m)`: "in_scalar", "in_vector", "out_scalar", "out_vector".

        Raises:
            ArgumentError: labels move the reference.
        """
        symmetry = self.symmetry
        state = block_images([symmetry.observation[name] for name in symmetry.state], symmetry)
        action = block_images([symmetry.action], symmetry)
        arrows = block_diagonal([state["points"], state["vectors"], action["vectors"], action["points"]])
        height = np.ones((symmetry.group.labels.order, int(self.raised), int(self.raised)))
        return {
            "in_scalar": block_diagonal([state["scalars"], action["scalars"], height]),
            "in_vector": through(self.relative().double().numpy(), arrows),
            "out_scalar": state["scalars"],
            "out_vector": block_diagonal([state["points"], state["vectors"]]),
        }

    def _vectors_of(self, kind: type[Field]) -> list[int]:
        """The vector channels of the state's fields of this kind."""
        # Both axes of a body that labels turn against itself are shown: neither is a heading alone.
        found = [
            channel
            for _, leaf, channel in channels_of(self.symmetry, self.symmetry.state)
            if isinstance(leaf, kind) and not (isinstance(leaf, Heading) and leaf.body)
        ]
        return [index for channel in found for index in range(channel.start, channel.stop)]

    def _body(self) -> Channel | None:
        """A body's heading, or its first orientation in space."""
        for name, leaf, channel in channels_of(self.symmetry, self.symmetry.state):
            if isinstance(leaf, Rotation) or name == self.symmetry.heading:
                return channel
        return None
