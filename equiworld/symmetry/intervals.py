"""Interval arithmetic: boxes that surely hold every transformed array of a box."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ball_interval", "linear_interval"]

Array = NDArray[np.float64]

# Rounding in R x + b, in units of the last place of the terms: a dot product of three and a sum, with room.
_ROUNDING = 16 * np.finfo(np.float64).eps


def linear_interval(matrix: Array, offset: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Bounds of M x + b over low ≤ x ≤ high, widened by what rounding can add.

    Args:
        matrix: M, `(…, d, d)`.
        offset: b, `(…, d)`.
        low: `(…, n, d)`, -inf where unbounded.
        high: `(…, n, d)`, +inf where unbounded.

    Returns:
        The lower and the upper bounds, `(…, n, d)` each.

    >>> quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    >>> linear_interval(quarter, np.zeros(2), np.array([[0.0, 1.0]]), np.array([[2.0, np.inf]]))
    (array([[-inf,   0.]]), array([[-1.,  2.]]))
    """
    weights = matrix[..., None, :, :]
    shift = offset[..., None, :]
    with np.errstate(invalid="ignore"):
        at_low, at_high = weights * low[..., None, :], weights * high[..., None, :]
    at_low = np.where(weights == 0, 0.0, at_low)  # 0·inf: the coordinate does not enter at all
    at_high = np.where(weights == 0, 0.0, at_high)
    size = np.maximum(np.abs(at_low), np.abs(at_high)).sum(-1) + np.abs(shift)
    slack = np.where(np.isfinite(size), _ROUNDING * size, 0.0)
    # A row ±e_j (identity, quarter turns) rounds once and monotonely: its bounds are exact, and stay tidy.
    magnitude = np.abs(weights)
    exact = (magnitude.sum(-1) == 1.0) & (magnitude.max(-1) == 1.0)
    slack = np.where(exact, 0.0, slack)
    lower = np.minimum(at_low, at_high).sum(-1) + shift - slack
    upper = np.maximum(at_low, at_high).sum(-1) + shift + slack
    return lower + 0.0, upper + 0.0  # -0.0 would print oddly


def ball_interval(centre: Array, shift: float, low: Array, high: Array) -> tuple[Array, Array]:
    """Bounds of c + R (x − c) + t over all orthogonal R, all ‖t‖ ≤ shift and low ≤ x ≤ high.

    Args:
        centre: c, `(d,)`.
        shift: the longest translation.
        low: `(…, n, d)`.
        high: `(…, n, d)`.

    Returns:
        The lower and the upper bounds, `(…, n, d)` each.

    >>> low, high = ball_interval(np.zeros(2), 1.0, np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]]))
    >>> low.round(6), high.round(6)
    (array([[-6., -6.]]), array([[6., 6.]]))
    """
    farthest = np.maximum(np.abs(low - centre), np.abs(high - centre))
    radius = np.sqrt(np.square(farthest).sum(-1, keepdims=True)) + shift
    with np.errstate(over="ignore"):
        radius = radius + 1e-12 * (radius + np.abs(centre).max())
    radius = np.broadcast_to(radius, low.shape)
    return centre - radius, centre + radius
