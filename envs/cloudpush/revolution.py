"""Bodies of revolution: cylinders stacked along the body's z axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.envs.cloudpush.surface import Array, Solid, Surface

__all__ = ["StackSurface"]

_RIM = 48  # corners that stand for a circle, where the body's hull is asked for


class StackSurface(Surface):
    """The surface of cylinders on one axis, one on top of the other.

    Args:
        cylinders: radius and height [m] of each, from the bottom up.

    >>> disc = StackSurface([(0.1, 0.02)])
    >>> disc.distance([(0.0, 0.0, 0.03), (0.0, 0.0, 0.0)]).round(6)
    array([ 0.02, -0.01])
    """

    def __init__(self, cylinders: Sequence[tuple[float, float]]) -> None:
        radius, height = np.array(cylinders, np.float64).T
        volumes = np.pi * radius**2 * height
        top = np.cumsum(height)
        middle = top - height / 2
        centre = float((middle * volumes).sum() / volumes.sum())
        low, high, middle = top - height - centre, top - centre, middle - centre
        self._radius, self._bottom, self._top = radius, low, high
        edges = np.stack([np.repeat(radius, 2), np.stack([low, high], -1).ravel()], -1)  # ρ and z of each rim
        profile = np.concatenate([[(0.0, low[0])], edges, [(0.0, high[-1])]])
        self._start, self._step = profile[:-1], np.diff(profile, axis=0)
        length = np.linalg.norm(self._step, axis=-1)
        # Going up along the profile, outside is to the right.
        self._outward = (
            np.stack([self._step[:, 1], -self._step[:, 0]], -1) / np.maximum(length, 1e-12)[:, None]
        )
        across = (volumes * (radius**2 / 4 + height**2 / 12 + middle**2)).sum()
        super().__init__(
            solids=tuple(
                Solid("cylinder", (0.0, 0.0, float(z)), (float(r), float(h) / 2))
                for r, h, z in zip(radius, height, middle, strict=True)
            ),
            areas=np.pi * (2 * self._start[:, 0] + self._step[:, 0]) * length,
            volume=float(volumes.sum()),
            inertia=np.diag([across, across, (volumes * radius**2 / 2).sum()]),
            corners=np.concatenate([_circle(r, z) for r, z in edges.tolist()]),
        )

    def _place(self, patch: NDArray[np.intp], u: Array) -> tuple[Array, Array]:
        start, step, outward = self._start[patch], self._step[patch], self._outward[patch]
        inner, outer = start[:, 0], start[:, 0] + step[:, 0]
        # On a wall the height is uniform, on a ring the square of the radius.
        radius = np.sqrt(inner**2 + u[:, 0] * (outer**2 - inner**2))
        height = start[:, 1] + u[:, 0] * step[:, 1]
        cosine, sine = np.cos(2 * np.pi * u[:, 1]), np.sin(2 * np.pi * u[:, 1])
        points = np.stack([radius * cosine, radius * sine, height], -1)
        return points, np.stack([outward[:, 0] * cosine, outward[:, 0] * sine, outward[:, 1]], -1)

    def distance(self, points: ArrayLike) -> Array:
        """Distance [m] of points `(n, 3)` from the surface, negative inside: `(n,)`."""
        points = np.asarray(points, np.float64)
        flat = np.stack([np.hypot(points[:, 0], points[:, 1]), points[:, 2]], -1)[:, None]
        squared = (self._step**2).sum(-1)
        along = ((flat - self._start) * self._step).sum(-1) / np.maximum(squared, 1e-24)
        nearest = self._start + np.clip(along, 0.0, 1.0)[..., None] * self._step
        distance = np.linalg.norm(flat - nearest, axis=-1).min(-1)
        r, z = flat[..., 0], flat[..., 1]
        inside = ((r < self._radius) & (z >= self._bottom) & (z <= self._top)).any(-1)
        return np.where(inside, -distance, distance)

    def _blocked(self, origins: Array, direction: Array) -> NDArray[np.bool_]:
        z, up = origins[:, 2:], direction[2]
        with np.errstate(divide="ignore", invalid="ignore"):
            caps = np.stack([self._bottom - z, self._top - z]) / up
            near_cap, far_cap = (
                np.nan_to_num(caps.min(0), nan=np.inf),
                np.nan_to_num(caps.max(0), nan=-np.inf),
            )
            # The ray is inside the endless cylinder between the roots of a t² + 2 b t + c.
            a = direction[0] ** 2 + direction[1] ** 2
            b = (origins[:, :2] @ direction[:2])[:, None]
            c = (origins[:, :2] ** 2).sum(-1)[:, None] - self._radius**2
            root = np.sqrt(np.where(a > 0, b * b - a * c, np.nan))
            near, far = (-b - root) / a, (-b + root) / a
        if a == 0.0:
            near, far = np.where(c < 0, -np.inf, np.inf), np.where(c < 0, np.inf, -np.inf)
        near = np.maximum(np.nan_to_num(near, nan=np.inf, posinf=np.inf, neginf=-np.inf), near_cap)
        far = np.minimum(np.nan_to_num(far, nan=-np.inf, posinf=np.inf, neginf=-np.inf), far_cap)
        return ((near < far) & (far > 0.0)).any(-1)


def _circle(radius: float, height: float) -> Array:
    """Points `(48, 3)` around the axis."""
    angles = np.arange(_RIM) * (2 * np.pi / _RIM)
    return np.stack([radius * np.cos(angles), radius * np.sin(angles), np.full(_RIM, height)], -1)
