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
from equiworld.symmetry import Features, FeatureType, Field, Heading, Rotation, Symmetry
from equiworld.symmetry.bodies import clouds_in
from equiworld.symmetry.images import block_diagonal
from equiworld.symmetry.observing import channels_of
from equiworld.symmetry.surfaces import Surfaces

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
        surfaces: walls and tables of the state, each with the channels of its points and of its vectors.
        placed: the channels of points that are no surface's.
        standing: the channels of surfaces among those that go out.
        left_out: channels that the network does not see: of the reference, the one that is zero seen from itself; of
            surfaces all but as many as say what is seen of them.
        raised: whether the last number that comes in is the height, from the centre along the group's axis, of what
            points are seen from.
        headings, rotations: channels of the state's vectors that have length 1, and slices of three that are axes.
        units_in, units_out: vectors of length 1 among those that come in and go out.
        pose: which of the vectors that come in are the axes of a body; None if none are.
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
        self._find_surfaces()
        # A single reference seen from itself is zero: it is left out. Several are seen from their mean.
        alone = self.reference if len(self.reference) == 1 and self.centred else []
        self.left_out = sorted([*alone, *self._unseen])
        group, arrows = symmetry.group, state.points + state.vectors - len(self.left_out)
        # No element shifts along the axis: how high the reference is, is for the model to know.
        across = group.axis is not None and group.shift_dim < group.dim
        self.raised = across and self.centred and len(self.placed) > 0
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
        self.pose = self._pose()
        placed = state.points - len(self.left_out)
        self.places = [*range(placed), *range(arrows + action.vectors, self.in_type.vectors)]

    def relative(self) -> Tensor:
        """Weights `(C, C_in)` that subtract the reference from the points and leave out what is zero then."""
        points, vectors = self.state_type.points, self.state_type.vectors + self.action_type.vectors
        weights = torch.eye(points + vectors + self.action_type.points, dtype=torch.float32)
        if self.centred and self.reference:
            placed = [*self.placed, *range(points + vectors, len(weights))]
            for one in self.reference:
                weights[one, placed] -= 1.0 / len(self.reference)
        return weights[:, [i for i in range(len(weights)) if i not in self.left_out]]

    def about_middle(self, arrows: Tensor) -> Tensor:
        """What comes in `(…, d, C)`, points relative to their mean where no reference is declared.

        The first channels of surfaces hold what is seen of them: see `Surfaces`.
        """
        points = self.state_type.points
        arrows = self._met(arrows) if self.surfaces else arrows
        if not self.centred or self.reference or not self.placed:
            return arrows
        others = points + self.state_type.vectors + self.action_type.vectors
        middle = self._own(arrows).mean(-1, keepdim=True)
        if self.surfaces:
            moving = arrows.new_zeros(arrows.shape[-1])
            moving[[*self.placed, *range(others, arrows.shape[-1])]] = 1.0
            return arrows - middle * moving
        parts = [arrows[..., :points] - middle, arrows[..., points:others], arrows[..., others:] - middle]
        return torch.cat(parts, -1)

    def _own(self, points: Tensor) -> Tensor:
        """Of the points that come in `(…, d, C)` those that are no surface's."""
        return points[..., self.placed] if self.surfaces else points[..., : self.state_type.points]

    def _met(self, arrows: Tensor) -> Tensor:
        """What comes in, with what is seen of the surfaces in place of their points."""
        seen, points = arrows.clone(), self.state_type.points
        origin = (arrows[..., self.reference] if self.reference else self._own(arrows)).mean(-1, keepdim=True)
        for field, where, directions in self.surfaces:
            own = arrows[..., where], arrows[..., points + directions.start : points + directions.stop]
            found = field.seen(*own, origin, self.symmetry.length_scale)
            seen[..., where.start : where.start + field.channels] = found
        return seen

    def _find_surfaces(self) -> None:
        """Where surfaces lie among the channels, and which of theirs the network does not see."""
        self.surfaces: list[tuple[Surfaces, slice, slice]] = []
        self._unseen, self.standing = list[int](), list[int]()
        taken, starts = set[int](), {"points": 0, "vectors": 0}
        for name in self.symmetry.state:
            field = self.symmetry.observation[name]
            kind = field.feature_type(self.symmetry.dim)
            points, vectors = (
                slice(starts[each], starts[each] + getattr(kind, each)) for each in ("points", "vectors")
            )
            starts = {"points": points.stop, "vectors": vectors.stop}
            if isinstance(field, Surfaces):
                self.surfaces.append((field, points, vectors))
                taken |= set(range(points.start, points.stop))
                self._unseen += range(points.start + field.channels, points.stop)
                self._unseen += (
                    self.state_type.points + index for index in range(vectors.start, vectors.stop)
                )
                self.standing += range(points.start, points.stop)
                self.standing += (self.state_type.points + i for i in range(vectors.start, vectors.stop))
        self.placed = [index for index in range(self.state_type.points) if index not in taken]
        if self.surfaces and not self.placed and self.symmetry.group.has_translations:
            raise ArgumentError(
                "symmetry", f"surfaces in {self.symmetry.state} and no point", "a point to see them from"
            )

    def _seen_at(self, channel: int) -> int:
        """Where a channel of the state's points and vectors comes in."""
        return channel - sum(index < channel for index in self.left_out)

    def numbers(self, z: Features, action: Features) -> Tensor:
        """The numbers that come in, `(…, C)`."""
        numbers = [z.scalars, action.scalars]
        if self.raised:
            origin = z.points[..., self.reference] if self.reference else self._own(z.points)
            numbers.append(self._up.like(z.points) @ origin.mean(-1, keepdim=True))
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

    def _pose(self) -> slice | None:
        """A body's heading, or its first orientation in space."""
        for name, leaf, channel in channels_of(self.symmetry, self.symmetry.state):
            if isinstance(leaf, Rotation) or name == self.symmetry.heading:
                start = self._seen_at(self.state_type.points + channel.start)
                return slice(start, start + (3 if self.symmetry.dim == 3 else 1))
        return None
