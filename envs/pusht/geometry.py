"""gym-pusht's constants and the T's geometry: keypoints, coverage, overlap with agent and walls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "AGENT_RADIUS",
    "CENTRE",
    "GRAVITY",
    "KEYPOINTS",
    "STEM_DIRECTION",
    "STOCK_GOAL",
    "SUCCESS_COVERAGE",
    "block_outline",
    "coverage",
    "distance_to_block",
    "from_stock_pose",
    "keypoints",
    "stock_class",
    "to_stock_pose",
    "wall_gap",
    "wall_segments",
]

Array = NDArray[np.float64]

TIME_STEP = 0.01  # [s] one engine step
ENGINE_STEPS = 10  # engine steps in one control period: 10 Hz control
STIFFNESS, DAMPING = 100.0, 20.0  # PD gains of the agent [1/s²], [1/s]
AGENT_RADIUS = 15.0  # [px]
WALL_LOW, WALL_HIGH, WALL_RADIUS = 5.0, 506.0, 2.0  # [px]
CENTRE = (255.5, 255.5)  # of the square of walls [px]
STEM_DIRECTION = math.pi / 2  # [rad] in the T's own axes; its mirror image keeps it
SUCCESS_COVERAGE = 0.95  # gym-pusht's success: more than this share of the goal is covered
GRAVITY = (0.0, 45.0)  # [px] gym-pusht's block origin to centre of gravity, block axes

_BAR = np.array([(-60.0, 0.0), (60.0, 0.0), (60.0, 30.0), (-60.0, 30.0)]) - GRAVITY
_STEM = np.array([(-15.0, 30.0), (15.0, 30.0), (15.0, 120.0), (-15.0, 120.0)]) - GRAVITY

KEYPOINTS: Array = np.concatenate([_BAR, _STEM])
"""The T's corners `(8, 2)` [px] in its own axes about its centre of gravity: bar, then stem, as gym-pusht."""

_OUTLINE: Array = KEYPOINTS[[0, 1, 2, 5, 6, 7, 4, 3]]
_OUTWARDS = np.array([(-1, -1), (1, -1), (1, 1), (1, 1), (1, 1), (-1, 1), (-1, 1), (-1, 1)], np.float64)
_RECTANGLES = tuple((*map(float, part.min(0)), *map(float, part.max(0))) for part in (_BAR, _STEM))
_AREA = 120.0 * 30.0 + 30.0 * 90.0  # [px²]
_REACH = math.hypot(15.0, 75.0)  # [px] of the corner farthest from the centre of gravity


@lru_cache(maxsize=1)
def stock_class() -> Any:
    """gym-pusht's env class, imported when first needed: it brings pygame and OpenCV along."""
    from gym_pusht.envs.pusht import PushTEnv

    return PushTEnv


def _rotations(heading: Array) -> Array:
    rotations = np.empty((*heading.shape, 2, 2))
    rotations[..., 0, 0] = rotations[..., 1, 1] = np.cos(heading)
    rotations[..., 1, 0] = np.sin(heading)
    rotations[..., 0, 1] = -rotations[..., 1, 0]
    return rotations


def _place(points: Array, pose: ArrayLike) -> Array:
    pose = np.asarray(pose, dtype=np.float64)
    if pose.ndim == 1:  # one pose a step, for which small arrays would cost more than the arithmetic
        x, y, heading = pose.tolist()
        cosine, sine = math.cos(heading), math.sin(heading)
        return points @ np.array(((cosine, sine), (-sine, cosine))) + np.array((x, y))
    return points @ np.swapaxes(_rotations(pose[..., 2]), -1, -2) + pose[..., None, :2]


def keypoints(pose: ArrayLike) -> Array:
    """Corners of the T at `pose` `(…, 3)` (centre of gravity x, y [px], heading [rad]): `(…, 8, 2)` [px]."""
    return _place(KEYPOINTS, pose)


def block_outline(pose: ArrayLike, inset: float = 0.0) -> Array:
    """The T's outline `(…, 8, 2)` [px], in order around it; moved inwards by `inset` [px]."""
    return _place(_OUTLINE - inset * _OUTWARDS if inset else _OUTLINE, pose)


def _shift(pose: ArrayLike, sign: float) -> Array:
    """The pose `(…, 3)` moved along its own axes by ± the way from gym-pusht's origin to the centre of gravity."""
    pose = np.array(pose, dtype=np.float64)
    x, y = GRAVITY
    cosine, sine = np.cos(pose[..., 2]), np.sin(pose[..., 2])
    pose[..., 0] += sign * (cosine * x - sine * y)
    pose[..., 1] += sign * (sine * x + cosine * y)
    return pose


def from_stock_pose(pose: ArrayLike) -> Array:
    """gym-pusht's block pose `(…, 3)` (its origin and angle) as centre of gravity and heading."""
    return _shift(pose, 1.0)


def to_stock_pose(pose: ArrayLike) -> Array:
    """The inverse of `from_stock_pose`."""
    return _shift(pose, -1.0)


STOCK_GOAL: tuple[float, float, float] = tuple(from_stock_pose([256.0, 256.0, np.pi / 4]).tolist())
"""gym-pusht's goal as centre of gravity x, y [px] and heading [rad]."""


def _area_inside(polygon: list[tuple[float, float]], rectangle: tuple[float, ...]) -> float:
    """Area of a convex polygon's part inside an axis-aligned rectangle: cut by one side after the other."""
    x_low, y_low, x_high, y_high = rectangle
    for axis, bound, side in ((0, x_low, 1.0), (0, x_high, -1.0), (1, y_low, 1.0), (1, y_high, -1.0)):
        kept = []
        last = polygon[-1]
        last_depth = side * (last[axis] - bound)
        for corner in polygon:
            depth = side * (corner[axis] - bound)
            if (depth >= 0) != (last_depth >= 0):
                share = last_depth / (last_depth - depth)
                kept.append(
                    (last[0] + share * (corner[0] - last[0]), last[1] + share * (corner[1] - last[1]))
                )
            if depth >= 0:
                kept.append(corner)
            last, last_depth = corner, depth
        if not kept:
            return 0.0
        polygon = kept
    doubled, (last_x, last_y) = 0.0, polygon[-1]
    for x, y in polygon:
        doubled += last_x * y - x * last_y
        last_x, last_y = x, y
    return 0.5 * doubled


def coverage(pose: Sequence[float] | Array, goal: Sequence[float] | Array) -> float:
    """Share of the T at `goal` `(3,)` that the T at `pose` `(3,)` covers, in [0, 1] up to rounding."""
    dx, dy, turn = float(pose[0] - goal[0]), float(pose[1] - goal[1]), float(pose[2] - goal[2])
    if math.hypot(dx, dy) > 2 * _REACH:
        return 0.0
    # In the goal's axes its two rectangles are upright; plain floats are several times faster than shapely here.
    cosine, sine = math.cos(goal[2]), math.sin(goal[2])
    dx, dy = cosine * dx + sine * dy, cosine * dy - sine * dx
    cosine, sine = math.cos(turn), math.sin(turn)
    area = 0.0
    for x_low, y_low, x_high, y_high in _RECTANGLES:
        corners = ((x_low, y_low), (x_high, y_low), (x_high, y_high), (x_low, y_high))
        polygon = [(cosine * x - sine * y + dx, sine * x + cosine * y + dy) for x, y in corners]
        area += sum(_area_inside(polygon, rectangle) for rectangle in _RECTANGLES)
    return area / _AREA


def distance_to_block(points: ArrayLike, pose: ArrayLike) -> Array:
    """Distance [px] of world points `(…, 2)` to the T; negative inside: there, the depth in one of its bars.

    Args:
        points: `(…, 2)` [px].
        pose: `(3,)` or `(…, 3)`.
    """
    points, pose = np.asarray(points, dtype=np.float64), np.asarray(pose, dtype=np.float64)
    cosine, sine = np.cos(pose[..., 2]), np.sin(pose[..., 2])
    dx, dy = points[..., 0] - pose[..., 0], points[..., 1] - pose[..., 1]
    x, y = cosine * dx + sine * dy, cosine * dy - sine * dx
    distances = []
    for x_low, y_low, x_high, y_high in _RECTANGLES:
        beyond_x, beyond_y = np.maximum(x_low - x, x - x_high), np.maximum(y_low - y, y - y_high)
        outside = np.hypot(np.maximum(beyond_x, 0.0), np.maximum(beyond_y, 0.0))
        distances.append(outside + np.minimum(np.maximum(beyond_x, beyond_y), 0.0))
    return np.minimum(*distances)


def wall_segments(inset: float = 0.0) -> Array:
    """The middle lines of the four walls, each from one end to the other `(4, 2, 2)` [px], in gym-pusht's order.

    Args:
        inset: how much nearer to the centre they stand than gym-pusht's [px].
    """
    low, high = WALL_LOW + inset, WALL_HIGH - inset
    upper_left, lower_left, lower_right, upper_right = (low, high), (low, low), (high, low), (high, high)
    return np.array(
        [
            (upper_left, lower_left),
            (lower_left, lower_right),
            (lower_right, upper_right),
            (upper_left, upper_right),
        ]
    )


def wall_gap(pose: ArrayLike) -> Array:
    """Smallest gap [px] between the T at `pose` `(…, 3)` and the four walls; negative when it is in one."""
    corners = keypoints(pose)
    low = corners.min((-1, -2)) - (WALL_LOW + WALL_RADIUS)
    high = (WALL_HIGH - WALL_RADIUS) - corners.max((-1, -2))
    return np.minimum(low, high)
