"""The surface of a rigid body in its own axes: sampled, measured from, and seen from a side."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Array", "Solid", "Surface"]

Array = NDArray[np.float64]

_IRRATIONAL = np.array([0.5545497, 0.3085170, 0.7548777])  # whose multiples fill the unit cube evenly
_OFF = 1e-7  # [m] a ray starts so far off the surface that it does not meet the place it leaves


@dataclass(frozen=True)
class Solid:
    """One primitive of a body, as the physics engine knows it.

    Attributes:
        kind: "box", or "cylinder" along z.
        centre: `(3,)` [m], in body axes.
        size: half extents x, y, z of a box; radius and half height of a cylinder [m].
    """

    kind: str
    centre: tuple[float, float, float]
    size: tuple[float, ...]


class Surface(ABC):
    """The outer surface of a union of primitives, in body axes about the centre of mass.

    It consists of patches. A subclass says where each has its points (`_place`), how far something is from them
    (`distance`), and what a ray meets (`_blocked`).

    Attributes:
        solids: the primitives; they may overlap.
        volume: of the union [m³].
        inertia: `(3, 3)` [m⁵], moments of inertia of the union at unit density.
        corners: `(k, 3)` [m], points whose convex hull holds the body and fits it.
        area: of the surface [m²].
    """

    def __init__(
        self, solids: tuple[Solid, ...], areas: Array, volume: float, inertia: Array, corners: Array
    ) -> None:
        self.solids, self.volume, self.inertia, self.corners = solids, volume, inertia, corners
        self._cumulated = np.cumsum(areas)
        self.area = float(self._cumulated[-1])

    @abstractmethod
    def _place(self, patch: NDArray[np.intp], u: Array) -> tuple[Array, Array]:
        """Points and outward normals, `(n, 3)` each, of patches `(n,)` for uniform numbers u `(n, 3)`."""

    @abstractmethod
    def distance(self, points: ArrayLike) -> Array:
        """Distance [m] of points `(n, 3)` from the surface, negative inside: `(n,)`."""

    @abstractmethod
    def _blocked(self, origins: Array, direction: Array) -> NDArray[np.bool_]:
        """Whether the ray from each of the origins `(n, 3)` along `direction` `(3,)` meets a primitive."""

    def sample(self, rng: np.random.Generator, count: int) -> tuple[Array, Array]:
        """Points drawn uniformly from the surface, and their outward normals: `(n, 3)` [m], `(n, 3)`."""
        u = rng.random((count, 4))
        return self._at(u[:, 0], u[:, 1:])

    def spread(self, count: int) -> Array:
        """Points `(n, 3)` [m] laid evenly over the surface, the same each time."""
        steps = np.arange(1, count + 1)
        return self._at((steps - 0.5) / count, np.outer(steps, _IRRATIONAL) % 1.0)[0]

    def visible(self, points: Array, normals: Array, direction: Array) -> NDArray[np.bool_]:
        """Which points `(n, 3)` of the surface are seen from far away, from where `direction` `(3,)` points to."""
        seen = normals @ direction > 0.0
        facing = np.flatnonzero(seen)
        seen[facing] = ~self._blocked(points[facing] + _OFF * direction, direction)
        return seen

    @property
    def reach(self) -> float:
        """Largest distance [m] of a point of the body from its centre of mass."""
        return float(np.linalg.norm(self.corners, axis=-1).max())

    def resting_directions(self, margin: float = 0.002) -> Array:
        """Directions `(k, 3)`, in body axes, that may point down where the body lies still on a table.

        Args:
            margin: how far [m] the plumb line is, at least, from the edges that the body would tip over.
        """
        from scipy.spatial import ConvexHull

        faces = np.unique(ConvexHull(self.corners).equations.round(6) + 0.0, axis=0)
        normals, offsets = faces[:, :3], faces[:, 3]
        feet = -offsets[:, None] * normals  # where the plumb line meets each face's plane
        to_planes = -(feet @ normals.T + offsets)
        sines = np.sqrt(np.maximum(1.0 - (normals @ normals.T) ** 2, 1e-18))
        to_edges = to_planes / sines  # within the face
        np.fill_diagonal(to_edges, np.inf)
        stable = normals[(to_edges >= margin).all(-1)]
        return stable / np.linalg.norm(stable, axis=-1, keepdims=True)

    def _at(self, share: Array, u: Array) -> tuple[Array, Array]:
        """Points and normals at shares `(n,)` in [0, 1) of the area."""
        patch = np.searchsorted(self._cumulated, share * self.area, side="right")
        return self._place(np.minimum(patch, len(self._cumulated) - 1), u)
