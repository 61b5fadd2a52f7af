"""World models that predict the typed state itself: one body, several networks inside."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from equiworld.arguments import instance
from equiworld.errors import ArgumentError, CheckpointError
from equiworld.groups.arrays import Array
from equiworld.models.labels import nearest_rotation, share_scales
from equiworld.models.world_model import WorldModel
from equiworld.nn import orthonormal
from equiworld.symmetry import Cloud, Features, FeatureType, Field, Heading, Rotation, Symmetry, Vector
from equiworld.symmetry.observing import channels_of

__all__ = ["StateModel"]

_ROUNDING = 1e-9
"""Relative: numbers that vary by less are taken to stay."""


class StateModel(WorldModel):
    """z′ = z + D·network(relative(z), a): displacements of a typed state.

    Every state model is this, whatever its symmetry: points enter relative to the reference point (or, for the
    plain baseline, to the centre of the scene), each channel scaled by one length; a network returns a
    displacement for each channel of the state. Headings and the axes of rotations, unit vectors in Features, are
    made orthonormal afterwards.
    Channels whose displacement is, on the training data, a fixed linear combination of the vectors that come
    in (a robot under PD control) are left to that combination: it is equivariant and exact.
    """

    centred: bool = True
    in_scalar_mean: Tensor
    in_scalar_scale: Tensor
    in_vector_scale: Tensor
    out_scalar_scale: Tensor
    out_vector_scale: Tensor
    linear: Tensor
    relative: Tensor
    is_heading: Tensor
    is_other: Tensor

    def __init__(self, symmetry: Symmetry, env_id: str, settings: dict[str, Any]) -> None:
        super().__init__(symmetry, env_id, settings)
        # Without translations the centre is a place like no other, and points are vectors from it.
        self.centred = type(self).centred and symmetry.group.has_translations
        for name in symmetry.state:
            if isinstance(symmetry.observation[name], Cloud):
                raise ArgumentError(
                    "symmetry",
                    f"a state with {name!r}, points without an order",
                    "fields that keep their order; family 'latent' takes clouds, as does a pose instead of one",
                )
        self.state_type = symmetry.feature_type()
        self.channels = symmetry.channels()
        action = symmetry.action.feature_type(symmetry.dim)
        state = self.state_type
        declared = self.channels.get(symmetry.reference or "")
        self.reference = [] if declared is None else list(range(declared.start, declared.stop))
        # A single reference seen from itself is zero: it is left out. Several are seen from their mean.
        self.left_out = self.reference if len(self.reference) == 1 and self.centred else []
        self._acting_vectors = action.vectors
        arrows = state.points - len(self.left_out) + state.vectors
        self.in_type = FeatureType(
            symmetry.dim, state.scalars + action.scalars, arrows + action.vectors + action.points
        )
        self.out_type = FeatureType(symmetry.dim, state.scalars, state.points + state.vectors)
        self.headings, axes = self._indices(Heading), self._indices(Rotation)
        self.rotations = [slice(first, first + 3) for first in axes[::3]]
        units = [state.points + index for index in self.headings + axes]
        self.in_units = [index + arrows - self.out_type.vectors for index in units]
        self.pose = self._pose()
        self.huber = 0.1
        kinds = {"in": self.in_type, "out": self.out_type}
        for name, kind in kinds.items():
            # Until training data says better, lengths are of the order of the scene's; directions have length 1.
            lengths = torch.full((kind.vectors,), symmetry.length_scale, dtype=torch.float32)
            lengths[self.in_units if name == "in" else units] = 1.0
            if name == "out":
                # Axes that are turned a little are nearly orthonormal, and Gram–Schmidt of those well-conditioned.
                lengths[units[len(self.headings) :]] = 0.1
            self.register_buffer(f"{name}_scalar_scale", torch.ones(kind.scalars, dtype=torch.float32))
            self.register_buffer(f"{name}_vector_scale", lengths)
        self.register_buffer("in_scalar_mean", torch.zeros(self.in_type.scalars, dtype=torch.float32))
        self.register_buffer(
            "linear", torch.zeros(self.out_type.vectors, self.in_type.vectors, dtype=torch.float32)
        )
        self.register_buffer("relative", self._relative(), persistent=False)
        is_heading = torch.zeros(state.vectors, dtype=torch.float32)
        is_heading[self.headings] = 1.0
        self.register_buffer("is_heading", is_heading, persistent=False)
        self.register_buffer("is_other", 1.0 - is_heading, persistent=False)
        self._channel_images: dict[str, Array] | None = None
        self.network = self._network(torch.Generator().manual_seed(settings["seed"]))

    @abstractmethod
    def _network(self, generator: torch.Generator) -> nn.Module:
        """The map from features of `in_type` to displacements of `out_type`."""

    def predict(self, z: Features, action: Features | Tensor) -> Features:
        acted = self.action_features(action)
        self._check_pair(z, acted)
        return self.stepper()(z, acted)

    def _check_pair(self, z: Features, action: Features) -> None:
        """Refuse what is no state of this model, or no action for each of its states."""
        instance("z", z, Features)
        acting = self.symmetry.action.feature_type(self.symmetry.dim)
        for name, given, kind in (("z", z, self.state_type), ("action", action, acting)):
            if given.type != kind:
                raise ArgumentError(name, given.type, f"features of type {kind}")
        if z.batch_shape != action.batch_shape:
            got, states = (f"batch shape {tuple(each.batch_shape)}" for each in (action, z))
            raise ArgumentError("action", got, f"{states}, that of the states")
        if torch.promote_types(z.dtype, action.dtype) != self.dtype:
            raise ArgumentError(
                "z", f"{z.dtype}, with actions of {action.dtype}", f"{self.dtype}, as the model"
            )

    def stepper(self) -> Callable[[Features, Features | Tensor], Features]:
        prepare = getattr(self.network, "prepared", None)
        network = self.network if prepare is None else prepare()
        relative = self.relative.to(self.in_vector_scale.dtype)
        # What the network sees beside what is known without it, in one product.
        both = torch.cat([relative / self.in_vector_scale, relative @ self.linear.T], -1)
        out_scale, out_scalar_scale, count = (
            self.out_vector_scale,
            self.out_scalar_scale,
            self.in_type.vectors,
        )
        points, arrows, dim = (
            self.state_type.points,
            self.state_type.points + self.state_type.vectors,
            self.symmetry.dim,
        )
        pushed = type(self.symmetry.action) is Vector and not self.in_type.scalars

        def step(z: Features, action: Features | Tensor) -> Features:
            if pushed and isinstance(
                action, Tensor
            ):  # at every step of every plan: nothing is made that is empty
                acting = action.unflatten(-1, (-1, dim)).mT
                scalars = z.scalars
            else:
                acted = self.action_features(action)
                acting = torch.cat([acted.vectors, acted.points], -1)
                scalars = self._scaled_scalars(torch.cat([z.scalars, acted.scalars], -1))
            before = torch.cat([z.points, z.vectors, acting] if points else [z.vectors, acting], -1)
            seen = self._about_middle(before) @ both
            vectors = seen[..., :count]
            found = network(Features(scalars, vectors, vectors[..., :0]))
            moved = torch.addcmul(before[..., :arrows] + seen[..., count:], found.vectors, out_scale)
            after, numbers = self._orthonormal(moved[..., points:]), z.scalars
            if numbers.shape[-1]:
                numbers = numbers + found.scalars * out_scalar_scale
            return Features(numbers, after, moved[..., :points])

        return step

    def _about_middle(self, arrows: Tensor) -> Tensor:
        """What comes in, points relative to their mean where there is no reference that they are seen from."""
        points = self.state_type.points
        if not self.centred or self.reference or not points:
            return arrows
        middle = arrows[..., :points].mean(-1, keepdim=True)
        others = points + self.state_type.vectors + self._acting_vectors
        parts = [arrows[..., :points] - middle, arrows[..., points:others], arrows[..., others:] - middle]
        return torch.cat(parts, -1)

    def _orthonormal(self, vectors: Tensor) -> Tensor:
        """Headings of length 1 again, and the axes of rotations orthonormal."""
        if self.headings:
            # `vector_norm` across rows takes four times as long; squares are clamped, so that no root has no slope.
            length = vectors.square().sum(-2, keepdim=True).clamp(min=1e-24).sqrt()
            vectors = vectors / torch.addcmul(self.is_other, length, self.is_heading)
        for axes in self.rotations:
            # Gram–Schmidt prefers the first axis, which labels may exchange with another.
            whole = (orthonormal if self._channel_images is None else nearest_rotation)(vectors[..., axes])
            vectors = torch.cat([vectors[..., : axes.start], whole, vectors[..., axes.stop :]], -1)
        return vectors

    def loss(self, z: Features, action: Features, target: Features) -> Tensor:
        """Pseudo-Huber loss of each displacement's error length, in units of that channel's spread.

        √(|e|²/β² + 1) − 1 depends on |e| alone, so no direction is preferred; large errors, where a corner
        catches or slips, count linearly.
        """
        inputs = self._inputs(z, action)
        step = self.network(self._scaled(inputs))
        wanted = self._displacement(z, target)
        left = wanted.vectors - inputs.vectors @ self.linear.T
        learned = self.out_vector_scale > 0
        error = (step.vectors - left / torch.where(learned, self.out_vector_scale, 1.0)) * learned
        squared = [error.square().sum(-2)]
        if self.out_type.scalars:
            moves = self.out_scalar_scale > 0
            scalars = step.scalars - wanted.scalars / torch.where(moves, self.out_scalar_scale, 1.0)
            squared.append((scalars * moves).square())
        beta = self.huber
        return beta * (torch.sqrt(torch.cat(squared, -1) / beta**2 + 1) - 1).sum(-1).mean()

    def check_old_format(self) -> None:
        if type(self).centred and not self.centred and self.state_type.points:
            raise CheckpointError(
                f"this model of release 0.1.0 saw points from their mean; under {self.symmetry.group!r}, which has no "
                "translations, they are seen from the centre now: train it anew, or use equiworld 0.1.0"
            )

    def fit_scales(self, z: Features, action: Features, target: Features) -> None:
        """One length for each channel from the training data, and the linear combinations that are exact."""
        with torch.no_grad():
            z, action, target = (part.to(torch.float64) for part in (z, action, target))
            inputs, wanted = self._inputs(z, action), self._displacement(z, target)
            # Rows are the axes of all examples: weights that serve every axis alike are equivariant.
            rows = inputs.vectors.transpose(-1, -2).movedim(-1, 0).flatten(0, 1)
            goal = wanted.vectors.transpose(-1, -2).movedim(-1, 0).flatten(0, 1)
            scale = rows.square().mean(0).sqrt()
            scale = _positive(scale, scale.max() if scale.numel() else scale)
            # Not torch's default driver: it pivots by uninitialised memory, and its last bits vary from call to call.
            weights = torch.linalg.lstsq(rows / scale, goal, driver="gelsd").solution / scale[:, None]
            spread = goal.square().mean(0).sqrt()
            rest = (goal - rows @ weights).square().mean(0).sqrt()
            exact = rest <= 1e-5 * spread
            dim = self.symmetry.dim**0.5
            self.linear.copy_((weights * exact).T)
            self.in_vector_scale.copy_(scale * dim)
            self.in_vector_scale[self.in_units] = 1.0  # not 1 up to rounding: frames rely on it
            self.out_vector_scale.copy_(torch.where(exact, 0.0, _positive(spread) * dim))
            self.in_scalar_mean.copy_(inputs.scalars.mean(0))
            offset = inputs.scalars - self.in_scalar_mean
            size = inputs.scalars.abs().amax(0)
            self.in_scalar_scale.copy_(_positive(offset.square().mean(0).sqrt(), size))
            moved, size = wanted.scalars.square().mean(0).sqrt(), z.scalars.abs().amax(0)
            self.out_scalar_scale.copy_(torch.where(moved > _ROUNDING * size, moved, 0.0))  # 0: it stays
        if self._channel_images is not None:
            share_scales(self, self._channel_images)

    def _indices(self, kind: type[Field]) -> list[int]:
        """The vector channels of the state's fields of this kind."""
        symmetry = self.symmetry
        leaves = channels_of(symmetry, symmetry.state)
        # Both axes of a body that labels turn against itself are shown: neither is a heading alone.
        found = [
            channel
            for _, leaf, channel in leaves
            if isinstance(leaf, kind) and not (isinstance(leaf, Heading) and leaf.body)
        ]
        return [index for channel in found for index in range(channel.start, channel.stop)]

    def _pose(self) -> slice | None:
        """Which of the vectors that come in are the axes of a body: its heading, or its first orientation in space."""
        first = self.state_type.points - len(self.left_out)
        for name, leaf, channel in channels_of(self.symmetry, self.symmetry.state):
            if isinstance(leaf, Rotation) or name == self.symmetry.heading:
                start = first + channel.start
                return slice(start, start + (3 if self.symmetry.dim == 3 else 1))
        return None

    def _inputs(self, z: Features, action: Features) -> Features:
        """Scalars, and all vectors and points relative to the reference, as one row of vectors."""
        arrows = self._about_middle(torch.cat([z.points, z.vectors, action.vectors, action.points], -1))
        vectors = arrows @ self.relative.to(z.dtype)
        scalars = torch.cat([z.scalars, action.scalars], -1)
        return Features(scalars, vectors, vectors[..., :0])

    def _relative(self) -> Tensor:
        """Weights `(C, C_in)` that subtract the reference from the points and leave out what is zero then."""
        action = self.symmetry.action.feature_type(self.symmetry.dim)
        points, vectors = self.state_type.points, self.state_type.vectors + action.vectors
        weights = torch.eye(points + vectors + action.points, dtype=torch.float32)
        if not self.centred or not self.reference:
            return weights
        placed = [*range(points), *range(points + vectors, len(weights))]
        for one in self.reference:
            weights[one, placed] -= 1.0 / len(self.reference)
        return weights[:, [i for i in range(len(weights)) if i not in self.left_out]]

    def _scaled(self, inputs: Features) -> Features:
        return Features(
            self._scaled_scalars(inputs.scalars), inputs.vectors / self.in_vector_scale, inputs.points
        )

    def _scaled_scalars(self, scalars: Tensor) -> Tensor:
        return (scalars - self.in_scalar_mean) / self.in_scalar_scale if scalars.shape[-1] else scalars

    def _displacement(self, z: Features, target: Features) -> Features:
        arrows = torch.cat([target.points - z.points, target.vectors - z.vectors], -1)
        return Features(target.scalars - z.scalars, arrows, arrows[..., :0])


def _positive(scale: Tensor, size: Tensor | float = 0.0) -> Tensor:
    """A scale to divide by; 1 for what varies by no more than rounding of numbers of that size."""
    return torch.where(scale > _ROUNDING * size, scale, 1.0)
