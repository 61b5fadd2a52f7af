"""The family for finite groups: weights tied over labels, so that joints and bodies that are alike share them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from equiworld.errors import ArgumentError
from equiworld.groups import Representation
from equiworld.groups.element import Array
from equiworld.models.registry import register_family
from equiworld.models.state import StateModel
from equiworld.nn import RegularNetwork
from equiworld.symmetry import Concatenation, Features, FeatureType, Field, Symmetry
from equiworld.symmetry.features import KINDS, Kind
from equiworld.symmetry.images import block_diagonal

__all__ = ["RegularStateModel"]


@register_family
class RegularStateModel(StateModel):
    """A perceptron whose hidden layers are regular representations of a finite group: joints, mirrors, quarter turns.

    Its weights are tied along orbits and materialised, so that a prediction costs what a plain perceptron's does.

    Args:
        symmetry: of the environment, whose group is finite.
        env_id: the environment's id.
        seed: of the initial weights.
        hidden: numbers in the hidden layers, rounded up to whole copies of the regular representation.

    Raises:
        ArgumentError: the group has infinitely many elements.
    """

    family = "state-regular"
    equivariant = True
    carries_labels = True

    def __init__(
        self,
        symmetry: Symmetry,
        env_id: str = "unregistered",
        seed: int = 0,
        hidden: Sequence[int] = (128, 128, 128),
    ) -> None:
        if not symmetry.group.finite:
            expected = "a finite group; families 'state' and 'state-steerable' take the others"
            raise ArgumentError("symmetry", repr(symmetry.group), expected)
        self.hidden = tuple(hidden)
        super().__init__(symmetry, env_id, {"seed": seed, "hidden": list(hidden)})

    def _network(self, generator: torch.Generator) -> nn.Module:
        group, symmetry = self.symmetry.group, self.symmetry
        state = _images([symmetry.observation[name] for name in symmetry.state], symmetry)
        action = _images([symmetry.action], symmetry)
        scalars = block_diagonal([state["scalars"], action["scalars"]])
        arrows = block_diagonal([state["points"], state["vectors"], action["vectors"], action["points"]])
        seen = _through(self.relative.double().numpy(), arrows)
        moved = block_diagonal([state["points"], state["vectors"]])
        self._channel_images = {
            "in_scalar": scalars,
            "in_vector": seen,
            "out_scalar": state["scalars"],
            "out_vector": moved,
        }
        turns = group.section().matrix
        rep_in, rep_out = (
            Representation(group.labels, block_diagonal([numbers, _turned(channels, turns)]))
            for numbers, channels in ((scalars, seen), (state["scalars"], moved))
        )
        network = RegularNetwork(rep_in, rep_out, hidden=self.hidden, generator=generator)
        return _OfFeatures(network, self.out_type)

    def fit_scales(self, z: Features, action: Features, target: Features) -> None:
        """As every state model's, then the same for all channels that labels exchange."""
        super().fit_scales(z, action, target)
        with torch.no_grad():
            for name, images in self._channel_images.items():
                scale = getattr(self, f"{name}_scale")
                for alike in _orbits(images):
                    scale[alike] = scale[alike].square().mean().sqrt()
            mean = torch.from_numpy(self._channel_images["in_scalar"].mean(0)).to(self.in_scalar_mean)
            self.in_scalar_mean.copy_(mean @ self.in_scalar_mean)
            before, after = (
                torch.from_numpy(self._channel_images[name]).to(self.linear)
                for name in ("in_vector", "out_vector")
            )
            self.linear.copy_((after.mT @ self.linear @ before).mean(0))

    def _orthonormal(self, vectors: Tensor) -> Tensor:
        """Headings of length 1 again; axes of rotations the nearest orthonormal ones, which no label singles out."""
        rotations, self.rotations = self.rotations, []
        try:
            vectors = super()._orthonormal(vectors)
        finally:
            self.rotations = rotations
        for axes in rotations:
            whole = _nearest_rotation(vectors[..., axes])
            vectors = torch.cat([vectors[..., : axes.start], whole, vectors[..., axes.stop :]], -1)
        return vectors


class _OfFeatures(nn.Module):
    """A network of flat numbers as one of Features."""

    def __init__(self, network: RegularNetwork, out_type: FeatureType) -> None:
        super().__init__()
        self.network, self.out_type = network, out_type

    def forward(self, features: Features) -> Features:
        return Features.unflatten(self.network(features.flatten()), self.out_type)

    def prepared(self) -> Callable[[Features], Features]:
        """`forward` for many calls in a row, with the weights that there are now."""
        run, out_type = self.network.prepared(), self.out_type
        return lambda features: Features.unflatten(run(features.flatten()), out_type)


def _images(fields: Sequence[Field], symmetry: Symmetry) -> dict[Kind, Array]:
    """By kind, what labels do to the channels of some fields, `(k, m, m)`."""
    found = Concatenation(tuple(fields)).label_images(symmetry.group)
    return {kind: found.get(kind, np.zeros((symmetry.group.labels.order, 0, 0))) for kind in KINDS}


def _turned(channels: Array, turns: Array) -> Array:
    """What labels do to vectors, channel by channel: the channels' images ⊗ R."""
    size = channels.shape[-1] * turns.shape[-1]
    return np.einsum("kab,kij->kaibj", channels, turns).reshape(len(turns), size, size)


def _through(weights: Array, images: Array) -> Array:
    """What labels do to combinations of channels, x W, where they do `images` to x.

    Raises:
        ArgumentError: what the combinations leave out is moved by labels.
    """
    inverse = np.linalg.pinv(weights)
    found = np.swapaxes(inverse @ np.swapaxes(images, 1, 2) @ weights, 1, 2)
    if (
        not np.abs(weights @ np.swapaxes(found, 1, 2) - np.swapaxes(images, 1, 2) @ weights).max(initial=0.0)
        <= 1e-9
    ):
        raise ArgumentError(
            "symmetry.reference", "a point that labels move", "one that they leave, or several"
        )
    whole = np.round(found)
    return np.where(np.abs(found - whole) < 1e-9, whole, found)


def _orbits(images: Array) -> list[list[int]]:
    """The channels that labels mix with each other."""
    linked = np.abs(images).max(0) > 1e-9
    for middle in range(len(linked)):
        linked |= linked[:, middle, None] & linked[None, middle]
    return [list(np.flatnonzero(row)) for index, row in enumerate(linked) if np.flatnonzero(row)[0] == index]


def _nearest_rotation(axes: Tensor) -> Tensor:
    """The orthogonal matrix nearest to one that nearly is, by Newton and Schulz: turning it on either side commutes."""
    size = axes.square().sum((-2, -1), keepdim=True).clamp(min=1e-24).sqrt()
    axes = axes * (axes.shape[-1] ** 0.5 / size)
    for _ in range(5):
        axes = 1.5 * axes - 0.5 * axes @ (axes.mT @ axes)
    return axes
