"""Orthonormal axes by Gram–Schmidt, also soft ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from equiworld.errors import ArgumentError

__all__ = ["orthonormal", "soft_axes", "without"]


def orthonormal(axes: Tensor, softness: float = 0.0) -> Tensor:
    """Orthonormal columns by Gram–Schmidt: what of each is normal to those before it, at length 1.

    It commutes with rotations and reflections. Columns that are zero or parallel stay short instead of becoming NaN.

    Args:
        axes: `(…, d, n)`, n ≤ d columns, such as a predicted rotation.
        softness: ε, in the columns' units: u ↦ u/√(|u|² + ε²) in place of u/|u|. Smooth everywhere: columns that are
            short or nearly parallel fade out.

    >>> orthonormal(torch.tensor([[2.0, 1.0], [0.0, 3.0]]))
    tensor([[1., 0.],
            [0., 1.]])
    """
    done: list[Tensor] = []
    for column in axes.unbind(-1):
        for axis in done:
            column = without(column, axis)
        if softness:
            done.append(column / torch.sqrt(column.square().sum(-1, keepdim=True) + softness**2))
        else:
            done.append(F.normalize(column, dim=-1))
    return torch.stack(done, -1)


def soft_axes(vectors: Tensor, proper: bool, softness: float) -> Tensor:
    """Axes that fade out instead of jumping where the vectors do not fix them.

    Orthonormal where the vectors are long and linearly independent; zero, not arbitrary, where they vanish. For
    features that turn with the world; a `Frame` has to be invertible, these axes need not be.

    Args:
        vectors: `(…, d, n)`, n = d − 1 for proper groups, whose last axis is J u or u × v, and else d: under
            reflections no vector can be made of fewer.
        proper: without reflections.
        softness: as for `orthonormal`.

    Returns:
        `(…, d, d)`, the axes as columns.

    >>> soft_axes(torch.tensor([[0.0], [2.0]]), True, 1e-6).round(decimals=3) + 0.0
    tensor([[ 0., -1.],
            [ 1.,  0.]])
    """
    dim = vectors.shape[-2]
    if vectors.shape[-1] != dim - proper:
        raise ArgumentError("vectors", f"{vectors.shape[-1]} of them", f"{dim - proper} for {dim} axes")
    axes = list(orthonormal(vectors, softness).unbind(-1))
    if proper and dim == 2:
        axes.append(torch.stack((-axes[0][..., 1], axes[0][..., 0]), -1))
    elif proper:
        axes.append(torch.linalg.cross(axes[0], axes[1]))
    return torch.stack(axes, -1)


def without(vectors: Tensor, axis: Tensor) -> Tensor:
    """The part of vectors `(…, d)` normal to a unit axis."""
    return vectors - (vectors * axis).sum(-1, keepdim=True) * axis
