"""What a group's labels do to channels, as matrices."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from equiworld.arguments import integer
from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.groups.arrays import Array

__all__ = [
    "block_diagonal",
    "body_images",
    "checked_orders",
    "is_monomial",
    "mixed",
    "mixed_bounds",
    "orthogonal_images",
    "permutation_images",
]


def block_diagonal(images: Sequence[Array]) -> Array:
    """Matrices `(k, n, n)` side by side on the diagonal."""
    size = sum(each.shape[-1] for each in images)
    whole, start = np.zeros((len(images[0]), size, size)), 0
    for each in images:
        stop = start + each.shape[-1]
        whole[:, start:stop, start:stop] = each
        start = stop
    return whole


def body_images(group: Group, dim: int) -> Array:
    """What labels turn a body's own axes by, `(k, d, d)`.

    Raises:
        ArgumentError: labels of the group turn no bodies.
    """
    found = group.labels.natural.get("body")
    if found is None or found.shape[-1] != dim:
        raise ArgumentError(
            "body",
            f"True under {group!r}",
            "a group whose labels turn bodies: left_right(), Dihedral(4), or a Product of one with a group of space",
        )
    return found


def mixed(matrix: Array, array: Array) -> Array:
    """M x for `(…, n, n)` and `(…, n)`; signed permutations without any rounding, and infinities stay their own."""
    if is_monomial(matrix):
        sources = np.abs(matrix).argmax(-1)
        signs = np.take_along_axis(matrix, sources[..., None], -1)[..., 0]
        taken = np.take_along_axis(array, np.broadcast_to(sources, array.shape), -1)
        return np.where(signs < 0, -taken, taken)
    result = matrix[..., :, 0] * array[..., None, 0]
    for index in range(1, matrix.shape[-1]):
        result = result + matrix[..., :, index] * array[..., None, index]
    return result


def mixed_bounds(matrix: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Bounds of M x for x between low and high."""
    if is_monomial(matrix):
        sources = np.abs(matrix).argmax(-1)
        signs = np.take_along_axis(matrix, sources[..., None], -1)[..., 0]
        lower, upper = (
            np.take_along_axis(each, np.broadcast_to(sources, each.shape), -1) for each in (low, high)
        )
        return np.where(signs < 0, -upper, lower), np.where(signs < 0, -lower, upper)
    with np.errstate(invalid="ignore", over="ignore"):
        products = np.stack([matrix * low[..., None, :], matrix * high[..., None, :]])
    products = np.where(matrix == 0, 0.0, products)  # 0 · ∞
    return products.min(0).sum(-1), products.max(0).sum(-1)


def is_monomial(matrix: Array) -> bool:
    """Whether every row holds one ±1 and nothing else: exchanges and signs."""
    return bool(((np.abs(matrix) == 1).sum(-1) == 1).all() and ((matrix == 0) | (np.abs(matrix) == 1)).all())


def checked_orders(name: str, orders: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """Permutations of the same length, as tuples; one that stands alone is that of the only generator."""
    try:
        if orders and isinstance(next(iter(orders)), int | np.integer):
            orders = (orders,)  # type: ignore[assignment]
        found = tuple(tuple(integer(f"{name}.orders", each) for each in order) for order in orders)
    except TypeError:
        found = ()
    if not found or not found[0] or any(sorted(order) != list(range(len(found[0]))) for order in found):
        raise ArgumentError(
            f"{name}.orders", orders, "permutations of 0 … n−1, one for each generator of the group"
        )
    return found


@lru_cache(maxsize=256)
def permutation_images(
    group: Group, argument: str, orders: Sequence[Sequence[int]], signs: Sequence[Sequence[int]] | None
) -> Array:
    """Signed permutation matrices of all labels, from those of the generators."""
    size = len(orders[0])
    images = [np.zeros((size, size)) for _ in orders]
    for index, (image, order) in enumerate(zip(images, orders, strict=True)):
        image[np.arange(size), order] = 1.0 if signs is None else signs[index]
    return group.labels.extend(argument, images)


@lru_cache(maxsize=256)
def orthogonal_images(group: Group, images: Sequence[Sequence[Sequence[float]]]) -> Array:
    return group.labels.extend("Orthogonal.images", [np.asarray(image) for image in images])
