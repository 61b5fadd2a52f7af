"""Bodies made of boxes along the body's axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.envs.cloudpush.surface import Array, Solid, Surface

__all__ = ["BoxSurface"]


class BoxSurface(Surface):
    """The surface of a union of boxes: the faces between what is filled and what is empty.

    The boxes' coordinates divide space into a lattice of cells, each filled or empty. So volume, moments and the
    exposed rectangles are exact, whether boxes touch or overlap.

    Args:
        boxes: low and high corners [m], `(k, 2, 3)`, in any axes parallel to the body's.

    >>> bar = BoxSurface([((0.0, 0.0, 0.0), (0.2, 0.1, 0.1)), ((0.1, 0.0, 0.0), (0.3, 0.1, 0.1))])
    >>> round(bar.volume, 6), round(bar.area, 6), bar.distance([(0.0, 0.0, 0.25)]).round(6)
    (0.003, 0.14, array([0.2]))
    """

    def __init__(self, boxes: ArrayLike) -> None:
        given = np.asarray(boxes, np.float64)
        ticks = [np.unique(given[:, :, axis]) for axis in range(3)]
        cells = _cells(ticks)
        filled = _filled(cells, given)
        volumes = np.prod(cells[..., 1, :] - cells[..., 0, :], axis=-1) * filled
        centre = (cells.mean(-2) * volumes[..., None]).sum((0, 1, 2)) / volumes.sum()
        self._boxes = given - centre
        faces, normals = _exposed_faces(cells - centre, filled)
        self._low, self._high = faces[:, 0], faces[:, 1]
        self._extent, self._normals = self._high - self._low, normals
        areas = np.prod(np.where(normals != 0, 1.0, self._extent), axis=-1)
        extents = cells[filled][:, 1] - cells[filled][:, 0]
        super().__init__(
            solids=tuple(_solid(low, high) for low, high in self._boxes),
            areas=areas,
            volume=float(volumes.sum()),
            inertia=_inertia(cells[filled].mean(1) - centre, extents, volumes[filled]),
            corners=np.unique(np.concatenate([_box_corners(box) for box in self._boxes]), axis=0),
        )

    def _place(self, patch: NDArray[np.intp], u: Array) -> tuple[Array, Array]:
        return self._low[patch] + self._extent[patch] * u, self._normals[patch]

    def distance(self, points: ArrayLike) -> Array:
        """Distance [m] of points `(n, 3)` from the surface, negative inside: `(n,)`."""
        points = np.asarray(points, np.float64)[:, None]
        beyond = np.maximum(np.maximum(self._low - points, points - self._high), 0.0)
        distance = np.sqrt(np.einsum("nmi,nmi->nm", beyond, beyond).min(-1))
        inside = ((points > self._boxes[:, 0]) & (points < self._boxes[:, 1])).all(-1).any(-1)
        return np.where(inside, -distance, distance)

    def _blocked(self, origins: Array, direction: Array) -> NDArray[np.bool_]:
        with np.errstate(divide="ignore", invalid="ignore"):
            times = (self._boxes - origins[:, None, None]) / direction  # (n, box, low or high, axis)
        # A ray parallel to a pair of sides: 0/0 means on the side itself, which is not inside.
        near = np.nan_to_num(times.min(-2), nan=np.inf).max(-1)
        far = np.nan_to_num(times.max(-2), nan=-np.inf).min(-1)
        return ((near < far) & (far > 0.0)).any(-1)


def _cells(ticks: Sequence[Array]) -> Array:
    """Low and high corners of the lattice cells, `(nx, ny, nz, 2, 3)`."""
    low = np.stack(np.meshgrid(*(tick[:-1] for tick in ticks), indexing="ij"), -1)
    high = np.stack(np.meshgrid(*(tick[1:] for tick in ticks), indexing="ij"), -1)
    return np.stack([low, high], -2)


def _filled(cells: Array, boxes: Array) -> NDArray[np.bool_]:
    """Which cells are inside a box, `(nx, ny, nz)`."""
    middle = cells.mean(-2)[..., None, :]
    return ((middle > boxes[:, 0]) & (middle < boxes[:, 1])).all(-1).any(-1)


def _exposed_faces(cells: Array, filled: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Low and high corners `(m, 2, 3)` and outward normals `(m, 3)` of the faces that bound the filled cells."""
    padded = np.pad(filled, 1)
    faces, normals = [], []
    for axis in range(3):
        for side in (0, 1):
            neighbour = np.roll(padded, 1 - 2 * side, axis)[1:-1, 1:-1, 1:-1]
            found = cells[filled & ~neighbour].copy()
            found[:, 1 - side, axis] = found[:, side, axis]
            normal = np.zeros(3)
            normal[axis] = 2 * side - 1
            faces.append(found)
            normals.append(np.tile(normal, (len(found), 1)))
    return np.concatenate(faces), np.concatenate(normals)


def _inertia(centres: Array, extents: Array, volumes: Array) -> Array:
    """Moments of inertia `(3, 3)` about the origin of boxes of unit density."""
    second = np.einsum("k,ki,kj->ij", volumes, centres, centres)
    second += np.diag((volumes[:, None] * extents**2).sum(0) / 12.0)
    return np.trace(second) * np.eye(3) - second


def _box_corners(box: Array) -> Array:
    return np.stack(np.meshgrid(*box.T, indexing="ij"), -1).reshape(8, 3)


def _solid(low: Array, high: Array) -> Solid:
    x, y, z = ((low + high) / 2).tolist()
    return Solid("box", (x, y, z), tuple(((high - low) / 2).tolist()))
