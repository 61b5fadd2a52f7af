"""How far from their mean candidates are drawn: spreads that turn with the world."""

from __future__ import annotations

from typing import Literal

import torch
from equiworld.planners.search import Search
from torch import Tensor

from equiworld.errors import ArgumentError

__all__ = ["Shape", "check_shape", "draw_around", "spread_of"]

Shape = Literal["isotropic", "diagonal", "full"]
"""Of the spread of each step's vectors. "isotropic": one number, averaged over directions. "diagonal": one for each
axis of the frame. "full": the covariance of each vector, by its symmetric square root.

A spread along the world's axes, or a Cholesky factor of a covariance, would not turn with the world."""


def check_shape(shape: str) -> None:
    """Refuse what is not a shape of a spread."""
    if shape not in ("isotropic", "diagonal", "full"):
        options = ("'isotropic'", "'diagonal'", "'full'")
        raise ArgumentError("shape", repr(shape), "a shape of the spread", options)


def spread_of(search: Search, mean: Tensor, shape: Shape) -> Tensor:
    """Mean squares of what is kept about a mean `(H, B, size, 1)`, which may be averaged with others alike.

    Returns:
        "isotropic": one variance `(H, B, 1, 1)`; "diagonal": variances along the frame's axes `(H, B, size, 1)`;
        "full": the covariance of each vector in world axes `(H, B, arrows, d, d)`.
    """
    apart = search.kept - mean
    if shape == "isotropic":
        return apart.square().mean((2, 3), keepdim=True)
    if shape == "diagonal":
        return (search.axes.transpose(-1, -2) @ apart).square().mean(3, keepdim=True)
    arrows = apart.unflatten(2, (-1, search.problem.dim))
    return arrows @ arrows.transpose(-1, -2) / arrows.shape[-1]


def draw_around(search: Search, mean: Tensor, spread: Tensor, shape: Shape) -> None:
    """Write candidates drawn around a mean `(H, B, size, 1)`, with a spread as `spread_of` gives it."""
    axes = search.axes
    if shape == "full":
        values, vectors = torch.linalg.eigh(spread)
        root = vectors * values.clamp(min=0.0).sqrt()[..., None, :] @ vectors.transpose(-1, -2)
        search.scatter(mean, _block_diagonal(root) @ axes)
    else:
        search.scatter(mean, axes * spread.sqrt().transpose(-1, -2))


def _block_diagonal(blocks: Tensor) -> Tensor:
    """Matrices `(…, n, d, d)` along the diagonal: `(…, n·d, n·d)`."""
    count = blocks.shape[-3]
    if count == 1:
        return blocks.squeeze(-3)
    eye = torch.eye(count, dtype=blocks.dtype)
    return torch.einsum("...nij,nm->...nimj", blocks, eye).flatten(-4, -3).flatten(-2)
