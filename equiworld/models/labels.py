"""The action of a group's labels on channels, and the orbits of channels that it mixes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.groups.arrays import Array
from equiworld.symmetry import Concatenation, Field, Symmetry
from equiworld.symmetry.features import KINDS, Kind

__all__ = ["block_images", "nearest_rotation", "orbits", "through", "turned"]


def block_images(fields: Sequence[Field], symmetry: Symmetry) -> dict[Kind, Array]:
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
