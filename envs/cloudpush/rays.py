"""Ray casting: the first intersections of parallel rays with a body made of primitives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equiworld.envs.cloudpush.surface import Solid

__all__ = ["Hits", "cast"]

Array = NDArray[np.floating]


class Hits(NamedTuple):
    """First intersections: depth t `(n,)` [m], inf for nothing; normals `(n, 3)`; the facet `(n,)`, -1 for none."""

    depth: Array
    normal: Array
    facet: NDArray[np.int64]


def cast(solids: Sequence[Solid], origins: Array, along: Array) -> Hits:
    """First intersections of lines from origins `(n, 3)` [m] along a unit vector with any of the solids, in body axes.

    They begin infinitely far back: t may be negative. Facets that lie in one plane have one number. In the precision
    of the origins.
    """
    columns, dtype = np.ascontiguousarray(origins.T), origins.dtype
    along = np.where(np.abs(along) < 1e-12, 1e-12, along).astype(dtype)
    depth, normal = np.full(len(origins), np.inf, dtype), np.zeros(origins.shape, dtype)
    best = Hits(depth, normal, np.full(len(origins), -1, np.int64))
    for solid in solids:
        meet = _box if solid.kind == "box" else _cylinder
        chosen, hits = meet(solid, columns, along)
        nearer = hits.depth < best.depth[chosen]
        for whole, one in zip(best, hits, strict=True):
            whole[chosen[nearer]] = one[nearer]
    return best


def _box(solid: Solid, origins: Array, along: Array) -> tuple[NDArray[np.intp], Hits]:
    """The rays, of `(3, n)`, that meet a box, and their intersections."""
    sign, size = -np.sign(along), np.asarray(solid.size, along.dtype)
    near_side = sign * size + np.asarray(solid.centre, along.dtype)
    enter = (near_side[:, None] - origins) * (1 / along)[:, None]
    leave = enter + (2 * size / np.abs(along))[:, None]
    chosen = np.flatnonzero(enter.max(0) < leave.min(0))
    axis = enter[:, chosen].argmax(0)
    offset = near_side[axis]
    facet = _number(2 * axis + (sign[axis] > 0), offset)
    return chosen, Hits(enter[axis, chosen], (np.eye(3) * sign)[axis], facet)


def _cylinder(solid: Solid, origins: Array, along: Array) -> tuple[NDArray[np.intp], Hits]:
    """The rays, of `(3, n)`, that meet a cylinder, and their intersections."""
    radius, half = solid.size
    x, y, z = origins - np.asarray(solid.centre, along.dtype)[:, None]
    a, b = along[0] ** 2 + along[1] ** 2, x * along[0] + y * along[1]
    inside = b * b - a * (x * x + y * y - radius**2)
    root = np.sqrt(np.where(inside > 0.0, inside, np.nan))  # nan where the wall is missed
    sign = -np.sign(along[2])
    wall, cap = (-b - root) / a, (sign * half - z) / along[2]
    chosen = np.flatnonzero(np.maximum(wall, cap) < np.minimum((root - b) / a, (-sign * half - z) / along[2]))
    wall, cap = wall[chosen], cap[chosen]
    by_cap = cap > wall
    round_ = np.stack([x[chosen] + wall * along[0], y[chosen] + wall * along[1], 0.0 * wall], -1) / radius
    normal = np.where(by_cap[:, None], (0.0, 0.0, sign), round_)
    kind = np.where(by_cap, 4 + (sign > 0), 6)
    facet = _number(kind, np.where(by_cap, solid.centre[2] + sign * half, radius))
    return chosen, Hits(np.maximum(wall, cap), normal, facet)


def _number(kind: NDArray[np.int_], offset: Array) -> NDArray[np.int64]:
    """One number for each plane, to a hundredth of a millimetre."""
    return kind.astype(np.int64) * 10**6 + np.round((offset + 1.0) * 1e5).astype(np.int64)
