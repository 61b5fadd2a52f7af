"""How an action moves a typed state: displacements, by any network."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from equiworld.arguments import instance, reals
from equiworld.errors import ArgumentError
from equiworld.models.labels import nearest_rotation, orbits
from equiworld.models.networks import Network
from equiworld.models.state_layout import StateLayout
from equiworld.nn import orthonormal
from equiworld.symmetry import Features, FeatureType, Symmetry, Vector
from equiworld.symmetry.tensors import features_of_action

__all__ = ["Dynamics"]

_ROUNDING = 1e-9
"""Relative: numbers that vary by less are taken to stay."""


class Dynamics(nn.Module):
    """z′ = z + D·network(relative(z), a): displacements of a typed state.

    Points enter relative to the reference point (or, for the plain baseline, to the centre of the scene), each channel
    scaled by one length; under a group about an axis that does not shift along it, the reference's height enters as a
    number. The network returns a displacement for each channel of the state. Headings and the axes of
    rotations, unit vectors in Features, are made orthonormal afterwards.
    Channels whose displacement is, on the training data, a fixed linear combination of the vectors that come
    in (a robot under PD control) are left to that combination: it is equivariant and exact.

    Args:
        symmetry: of states and actions.
        network: settings of the network.
        centred: whether points are seen from the reference point.
        generator: of the initial weights.
    """

    in_scalar_mean: Tensor
    in_scalar_scale: Tensor
    in_vector_scale: Tensor
    out_scalar_scale: Tensor
    out_vector_scale: Tensor
    linear: Tensor
    relative: Tensor
    is_heading: Tensor
    is_other: Tensor

    def __init__(
        self, symmetry: Symmetry, network: Network, centred: bool, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.layout = layout = StateLayout(symmetry, centred)
        self.symmetry = symmetry
        for name, kind, units in (
            ("in", layout.in_type, layout.units_in),
            ("out", layout.out_type, layout.units_out),
        ):
            # Until training data says better, lengths are of the order of the scene's; directions have length 1.
            lengths = torch.full((kind.vectors,), symmetry.length_scale, dtype=torch.float32)
            lengths[units] = 1.0
            if name == "out":
                # Axes that are turned a little are nearly orthonormal, and Gram–Schmidt of those well-conditioned.
                lengths[units[len(layout.headings) :]] = 0.1
            numbers = torch.ones(kind.scalars, dtype=torch.float32)
            if name == "in" and layout.raised:
                numbers[-1] = symmetry.length_scale
            self.register_buffer(f"{name}_scalar_scale", numbers)
            self.register_buffer(f"{name}_vector_scale", lengths)
        self.register_buffer("in_scalar_mean", torch.zeros(layout.in_type.scalars, dtype=torch.float32))
        linear = torch.zeros(layout.out_type.vectors, layout.in_type.vectors, dtype=torch.float32)
        self.register_buffer("linear", linear)
        self.register_buffer("relative", layout.relative(), persistent=False)
        is_heading = torch.zeros(layout.state_type.vectors, dtype=torch.float32)
        is_heading[layout.headings] = 1.0
        self.register_buffer("is_heading", is_heading, persistent=False)
        self.register_buffer("is_other", 1.0 - is_heading, persistent=False)
        self.tied, self.one_length = network.ties_labels(symmetry), network.one_length
        self.network = network.build(layout, generator)

    @property
    def parts(self) -> tuple[Dynamics, ...]:
        """Those that have a network: itself."""
        return (self,)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of its numbers."""
        return self.in_vector_scale.dtype

    def action_features(self, action: Features | Tensor) -> Features:
        """Actions `(…, size)` as Features; Features are handed on."""
        if isinstance(action, Features):
            return action
        if not isinstance(action, Tensor):
            action = torch.as_tensor(reals("action", action)).to(self.in_vector_scale)
        if action.is_complex() or action.dtype == torch.bool or not action.ndim or action.is_sparse:
            raise ArgumentError(
                "action", f"{action.dtype} of shape {tuple(action.shape)}", "real numbers (…, size)"
            )
        return features_of_action(self.symmetry, action)

    def forward(self, z: Features, action: Features | Tensor) -> Features:
        """The state after one action, of any batch shape."""
        acted = self.action_features(action)
        self.check_pair(z, acted)
        return self.stepper()(z, acted)

    def check_pair(self, z: Features, action: Features, state: FeatureType | None = None) -> None:
        """Refuse what is no state of this model, or of another type, or no action for each of its states."""
        instance("z", z, Features)
        kinds = state or self.layout.state_type, self.layout.action_type
        for name, given, kind in zip(("z", "action"), (z, action), kinds, strict=True):
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
        """`forward` for many calls in a row, without checks, with the weights as they are now; the same numbers."""
        prepare = getattr(self.network, "prepared", None)
        network = self.network if prepare is None else prepare()
        relative, layout = self.relative.to(self.dtype), self.layout
        # What the network sees beside what is known without it, in one product.
        both = torch.cat([relative / self.in_vector_scale, relative @ self.linear.T], -1)
        out_scale, out_scalar_scale = self.out_vector_scale, self.out_scalar_scale
        count, points, dim = layout.in_type.vectors, layout.state_type.points, self.symmetry.dim
        arrows = points + layout.state_type.vectors
        pushed = type(self.symmetry.action) is Vector and not layout.in_type.scalars

        def step(z: Features, action: Features | Tensor) -> Features:
            if pushed and isinstance(action, Tensor):  # in every step of every plan: nothing empty is made
                acting = action.unflatten(-1, (-1, dim)).mT
                scalars = z.scalars
            else:
                acted = self.action_features(action)
                acting = torch.cat([acted.vectors, acted.points], -1)
                scalars = self._scaled_scalars(layout.numbers(z, acted))
            before = torch.cat([z.points, z.vectors, acting] if points else [z.vectors, acting], -1)
            seen = layout.about_middle(before) @ both
            vectors = seen[..., :count]
            found = network(Features(scalars, vectors, vectors[..., :0]))
            moved = torch.addcmul(before[..., :arrows] + seen[..., count:], found.vectors, out_scale)
            after, numbers = self._orthonormal(moved[..., points:]), z.scalars
            if numbers.shape[-1]:
                numbers = numbers + found.scalars * out_scalar_scale
            return Features(numbers, after, moved[..., :points])

        return step

    def _orthonormal(self, vectors: Tensor) -> Tensor:
        """Headings of length 1 again, and the axes of rotations orthonormal."""
        if self.layout.headings:
            # `vector_norm` across rows takes four times as long; squares are clamped, so that no root has no slope.
            length = vectors.square().sum(-2, keepdim=True).clamp(min=1e-24).sqrt()
            vectors = vectors / torch.addcmul(self.is_other, length, self.is_heading)
        for axes in self.layout.rotations:
            # Gram–Schmidt prefers the first axis, which labels may exchange with another.
            whole = (orthonormal if not self.tied else nearest_rotation)(vectors[..., axes])
            vectors = torch.cat([vectors[..., : axes.start], whole, vectors[..., axes.stop :]], -1)
        return vectors

    def errors(self, z: Features, action: Features, target: Features) -> Tensor:
        """Squared lengths of the displacements' errors `(…, channels)`, in units of each channel's spread."""
        inputs = self.inputs(z, action)
        return self.missed(z, inputs, self.change(inputs), target)

    def missed(self, z: Features, inputs: Features, change: Features, target: Features) -> Tensor:
        """The errors of a change of z, with what is known without the network."""
        wanted = self._displacement(z, target)
        left = wanted.vectors - inputs.vectors @ self.linear.T
        learned = self.out_vector_scale > 0
        error = (change.vectors - left / torch.where(learned, self.out_vector_scale, 1.0)) * learned
        squared = [error.square().sum(-2)]
        if self.layout.out_type.scalars:
            moves = self.out_scalar_scale > 0
            scalars = change.scalars - wanted.scalars / torch.where(moves, self.out_scalar_scale, 1.0)
            squared.append((scalars * moves).square())
        return torch.cat(squared, -1)

    def change(self, inputs: Features, network: Callable[[Features], Features] | None = None) -> Features:
        """What the network, or one prepared from it, says of what comes in: displacements in units of their spread."""
        return (network or self.network)(self._scaled(inputs))

    def moved(self, z: Features, change: Features, inputs: Features | None = None) -> Features:
        """z after such a change; with what comes in also after what is known without the network."""
        points, arrows = self.layout.state_type.points, torch.cat([z.points, z.vectors], -1)
        arrows = arrows if inputs is None else arrows + inputs.vectors @ self.linear.T
        arrows = torch.addcmul(arrows, change.vectors, self.out_vector_scale)
        scalars = z.scalars + change.scalars * self.out_scalar_scale
        return Features(scalars, self._orthonormal(arrows[..., points:]), arrows[..., :points])

    def penalty(self, z: Features, action: Features) -> Tensor | None:
        """What its network asks training to add to the loss, a scalar; None for one that asks for nothing."""
        penalty = getattr(self.network, "penalty", None)
        return None if penalty is None else penalty(self._scaled(self.inputs(z, action)))

    @torch.no_grad()
    def free_share(self, z: Features, action: Features) -> float | None:
        """The free path's part in the predicted displacements of N transitions: the mean square that it gives alone
        over that of the whole, both in units of each channel's spread.

        None of networks without a free path; above 1 where the two paths cancel. See `Soft`.
        """
        free = getattr(self.network, "free", None)
        if free is None:
            return None
        inputs = self._scaled(self.inputs(z, action))
        alone, whole = (
            float((found.scalars * (self.out_scalar_scale > 0)).square().sum())
            + float((found.vectors * (self.out_vector_scale > 0)).square().sum())
            for found in (free(inputs), self.network(inputs))
        )
        return alone / whole if whole else 0.0

    def fit_scales(self, z: Features, action: Features, target: Features) -> None:
        """One length for each channel from the training data, and the linear combinations that are exact.

        Computed on the CPU, whatever device the model is on: the solver is there.
        """
        with torch.no_grad():
            z, action, target = (part.to(torch.float64, "cpu") for part in (z, action, target))
            inputs, wanted = self.inputs(z, action), self._displacement(z, target)
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
            seen = scale * dim
            seen[self.layout.units_in] = 1.0  # not 1 up to rounding: frames rely on it
            if self.one_length:
                places = self.layout.places
                seen[places] = seen[places].square().mean().sqrt()
            mean, size = inputs.scalars.mean(0).to(self.dtype), inputs.scalars.abs().amax(0)
            varied = (inputs.scalars - mean).square().mean(0).sqrt()
            moved, largest = wanted.scalars.square().mean(0).sqrt(), z.scalars.abs().amax(0)
            found = {
                "linear": (weights * exact).T,
                "in_vector_scale": seen,
                "out_vector_scale": torch.where(exact, 0.0, _positive(spread) * dim),
                "in_scalar_mean": mean,
                "in_scalar_scale": _positive(varied, size),
                "out_scalar_scale": torch.where(moved > _ROUNDING * largest, moved, 0.0),  # 0: it stays
            }
            found = {name: each.to(self.dtype) for name, each in found.items()}
            if self.tied:
                self._share(found)
            for name, each in found.items():
                getattr(self, name).copy_(each)

    def _share(self, found: dict[str, Tensor]) -> None:
        """Make scales, means and known combinations the same for all channels that labels exchange."""
        images = self.layout.label_images
        for name, each in images.items():
            scale = found[f"{name}_scale"]
            for alike in orbits(each):
                scale[alike] = scale[alike].square().mean().sqrt()
        mean = torch.from_numpy(images["in_scalar"].mean(0)).to(self.dtype)
        found["in_scalar_mean"] = mean @ found["in_scalar_mean"]
        before, after = (
            torch.from_numpy(images[name]).to(self.dtype) for name in ("in_vector", "out_vector")
        )
        found["linear"] = (after.mT @ found["linear"] @ before).mean(0)

    def inputs(self, z: Features, action: Features) -> Features:
        """Scalars, and all vectors and points relative to the reference, as one row of vectors."""
        arrows = self.layout.about_middle(torch.cat([z.points, z.vectors, action.vectors, action.points], -1))
        vectors = arrows @ self.relative.to(z.vectors)
        return Features(self.layout.numbers(z, action), vectors, vectors[..., :0])

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
