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
    """The spread of what is kept about a mean `(H, B, 1, size)`.

    Returns:
        "isotropic": standard deviation `(H, B, 1, 1)`; "diagonal": standard deviations along the frame's axes
        `(H, B, 1, arrows, d)`; "full": covariances `(H, B, arrows, d, d)` in world axes.
    """
    apart = search.kept - mean
    if shape == "isotropic":
        return apart.square().mean((2, 3), keepdim=True).sqrt()
    arrows = apart.unflatten(-1, (-1, search.problem.dim))
    if shape == "full":
        return torch.einsum("hbkai,hbkaj->hbaij", arrows, arrows) / arrows.shape[2]
    frame = search.problem.frame
    if frame is not None:
        arrows = arrows @ frame.rotation[:, None]
    return arrows.square().mean(2, keepdim=True).sqrt()


def draw_around(search: Search, mean: Tensor, spread: Tensor, shape: Shape) -> None:
    """Write candidates drawn around a mean `(H, B, 1, size)`, with a spread as `spread_of` gives it."""
    if shape == "isotropic":
        torch.addcmul(mean, search.draw(), spread, out=search.candidates)
    elif shape == "diagonal":
        torch.add(mean, search.draw(scale=spread.transpose(0, 1)), out=search.candidates)
    else:
        values, axes = torch.linalg.eigh(spread)
        root = axes * values.clamp(min=0.0).sqrt()[..., None, :] @ axes.transpose(-1, -2)
        noise = search.draw().unflatten(-1, (-1, search.problem.dim))
        torch.add(mean, torch.einsum("hbnai,hbaij->hbnaj", noise, root).flatten(-2), out=search.candidates)
