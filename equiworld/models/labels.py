"""What a group's labels do to the channels of a state model, and what has to be alike for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.groups.arrays import Array
from equiworld.symmetry import Concatenation, Field, Symmetry
from equiworld.symmetry.features import KINDS, Kind
from equiworld.symmetry.images import block_diagonal

if TYPE_CHECKING:
    from equiworld.models.state import StateModel

__all__ = ["channel_images", "nearest_rotation", "share_scales", "turned"]


def channel_images(model: StateModel) -> dict[str, Array]:
    """What labels do to the channels of a model's network, `(k, m, m)`: "in_scalar", "in_vector", "out_scalar", …

    Raises:
        ArgumentError: labels move the reference.
    """
    symmetry = model.symmetry
    state = images([symmetry.observation[name] for name in symmetry.state], symmetry)
    action = images([symmetry.action], symmetry)
    arrows = block_diagonal([state["points"], state["vectors"], action["vectors"], action["points"]])
    return {
        "in_scalar": block_diagonal([state["scalars"], action["scalars"]]),
        "in_vector": through(model.relative.double().numpy(), arrows),
        "out_scalar": state["scalars"],
        "out_vector": block_diagonal([state["points"], state["vectors"]]),
    }


def share_scales(model: StateModel, found: Mapping[str, Array]) -> None:
    """Make the scales, means and known combinations of a model the same for all channels that labels exchange."""
    with torch.no_grad():
        for name, each in found.items():
            scale = getattr(model, f"{name}_scale")
            for alike in orbits(each):
                scale[alike] = scale[alike].square().mean().sqrt()
        mean = torch.from_numpy(found["in_scalar"].mean(0)).to(model.in_scalar_mean)
        model.in_scalar_mean.copy_(mean @ model.in_scalar_mean)
        before, after = (
            torch.from_numpy(found[name]).to(model.linear) for name in ("in_vector", "out_vector")
        )
        model.linear.copy_((after.mT @ model.linear @ before).mean(0))


def images(fields: Sequence[Field], symmetry: Symmetry) -> dict[Kind, Array]:
    """By kind, what labels do to the channels of some fields, `(k, m, m)`."""
    found = Concatenation(tuple(fields)).label_images(symmetry.group)
    return {kind: found.get(kind, np.zeros((symmetry.group.labels.order, 0, 0))) for kind in KINDS}


def turned(channels: Array, turns: Array) -> Array:
    """What labels do to vectors, channel by channel: the channels' images ⊗ R."""
    size = channels.shape[-1] * turns.shape[-1]
    return np.einsum("kab,kij->kaibj", channels, turns).reshape(len(turns), size, size)


def through(weights: Array, images: Array) -> Array:
    """What labels do to combinations of channels, x W, where they do `images` to x.

    Raises:
        ArgumentError: what the combinations leave out is moved by labels.
    """
    if weights.shape[0] == weights.shape[1] and _fits(weights, images, images):
        return images
    inverse = np.linalg.pinv(weights)
    found = np.swapaxes(inverse @ np.swapaxes(images, 1, 2) @ weights, 1, 2)
    if not _fits(weights, images, found):
        raise ArgumentError(
            "symmetry.reference", "a point that labels move", "one that they leave, or several"
        )
    whole = np.round(found)
    return np.where(np.abs(found - whole) < 1e-9, whole, found)


def _fits(weights: Array, before: Array, after: Array) -> bool:
    """Whether x W goes by `after` where x goes by `before`."""
    apart = weights @ np.swapaxes(after, 1, 2) - np.swapaxes(before, 1, 2) @ weights
    return bool(np.abs(apart).max(initial=0.0) <= 1e-9)


def orbits(images: Array) -> list[list[int]]:
    """The channels that labels mix with each other."""
    linked = np.abs(images).max(0) > 1e-9
    for middle in range(len(linked)):
        linked |= linked[:, middle, None] & linked[None, middle]
    return [list(np.flatnonzero(row)) for index, row in enumerate(linked) if np.flatnonzero(row)[0] == index]


def nearest_rotation(axes: Tensor) -> Tensor:
    """The orthogonal matrix nearest to one that nearly is, by Newton and Schulz: turning it on either side commutes."""
    size = axes.square().sum((-2, -1), keepdim=True).clamp(min=1e-24).sqrt()
    axes = axes * (axes.shape[-1] ** 0.5 / size)
    for _ in range(5):
        axes = 1.5 * axes - 0.5 * axes @ (axes.mT @ axes)
    return axes
