"""gym-pusht's constants and the T's geometry: keypoints, coverage, overlap with agent and walls."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "AGENT_RADIUS",
    "CENTRE",
    "KEYPOINTS",
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
]

Array = NDArray[np.float64]

TIME_STEP = 0.01  # [s] one engine step
ENGINE_STEPS = 10  # engine steps in one control period: 10 Hz control
STIFFNESS, DAMPING = 100.0, 20.0  # PD gains of the agent [1/s²], [1/s]
AGENT_RADIUS = 15.0  # [px]
WALL_LOW, WALL_HIGH, WALL_RADIUS = 5.0, 506.0, 2.0  # [px]
CENTRE = (255.5, 255.5)  # of the square of walls [px]
SUCCESS_COVERAGE = 0.95  # gym-pusht's success: more than this share of the goal is covered
ORIGIN_TO_GRAVITY = np.array([0.0, 45.0])  # [px] gym-pusht's block origin to centre of gravity, block axes

_BAR = np.array([(-60.0, 0.0), (60.0, 0.0), (60.0, 30.0), (-60.0, 30.0)]) - ORIGIN_TO_GRAVITY
_STEM = np.array([(-15.0, 30.0), (15.0, 30.0), (15.0, 120.0), (-15.0, 120.0)]) - ORIGIN_TO_GRAVITY

KEYPOINTS: Array = np.concatenate([_BAR, _STEM])
"""The T's corners `(8, 2)` [px] in its own axes about its centre of gravity: bar, then stem, as gym-pusht."""

_OUTLINE: Array = KEYPOINTS[[0, 1, 2, 5, 6, 7, 4, 3]]
_AREA = 120.0 * 30.0 + 30.0 * 90.0  # [px²]


@lru_cache(maxsize=1)
def stock_class() -> Any:
    """gym-pusht's env class, imported when first needed: it brings pygame and OpenCV along."""
    from gym_pusht.envs.pusht import PushTEnv

    return PushTEnv


def _rotations(heading: Array) -> Array:
    cosine, sine = np.cos(heading), np.sin(heading)
    return np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)


def _place(points: Array, pose: Array) -> Array:
    pose = np.asarray(pose, dtype=np.float64)
    return points @ np.swapaxes(_rotations(pose[..., 2]), -1, -2) + pose[..., None, :2]


def keypoints(pose: Array) -> Array:
    """Corners of the T at `pose` `(…, 3)` (centre of gravity x, y [px], heading [rad]): `(…, 8, 2)` [px]."""
    return _place(KEYPOINTS, pose)


def block_outline(pose: Array) -> Array:
    """The T's outline `(…, 8, 2)` [px], in order around it."""
    return _place(_OUTLINE, pose)


def from_stock_pose(pose: Array) -> Array:
    """gym-pusht's block pose `(…, 3)` (its origin and angle) as centre of gravity and heading."""
    pose = np.asarray(pose, dtype=np.float64)
    shift = (_rotations(pose[..., 2]) @ ORIGIN_TO_GRAVITY[:, None])[..., 0]
    return np.concatenate([pose[..., :2] + shift, pose[..., 2:]], -1)


def to_stock_pose(pose: Array) -> Array:
    """The inverse of `from_stock_pose`."""
    pose = np.asarray(pose, dtype=np.float64)
    shift = (_rotations(pose[..., 2]) @ ORIGIN_TO_GRAVITY[:, None])[..., 0]
    return np.concatenate([pose[..., :2] - shift, pose[..., 2:]], -1)


STOCK_GOAL: Array = from_stock_pose(np.array([256.0, 256.0, np.pi / 4]))
"""gym-pusht's goal as centre of gravity x, y [px] and heading [rad]."""


def coverage(pose: Array, goal: Array) -> float:
    """Share of the T at `goal` that the T at `pose` covers, in [0, 1]."""
    import shapely

    if np.hypot(pose[0] - goal[0], pose[1] - goal[1]) > 2 * 97.0:  # twice the T's largest radius
        return 0.0
    block, target = shapely.polygons(block_outline(np.stack([pose, goal])))
    return float(shapely.intersection(block, target).area) / _AREA


def _rectangle_distance(points: Array, rectangle: Array) -> Array:
    low, high = rectangle.min(0), rectangle.max(0)
    outside = np.maximum(np.maximum(low - points, points - high), 0.0)
    inside = np.minimum(points - low, high - points).min(-1)
    return np.where(inside > 0, -inside, np.linalg.norm(outside, axis=-1))


def distance_to_block(points: Array, pose: Array) -> Array:
    """Distance [px] of world points `(…, 2)` to the T's edge; negative inside.

    Args:
        points: `(…, 2)` [px].
        pose: `(3,)` or `(…, 3)`.
    """
    pose = np.asarray(pose, dtype=np.float64)
    local = ((points - pose[..., :2])[..., None, :] @ _rotations(pose[..., 2]))[..., 0, :]
    return np.minimum(_rectangle_distance(local, _BAR), _rectangle_distance(local, _STEM))


def wall_gap(pose: Array) -> Array:
    """Smallest gap [px] between the T at `pose` `(…, 3)` and the four walls; negative when it is in one."""
    corners = keypoints(pose)
    low = corners.min((-1, -2)) - (WALL_LOW + WALL_RADIUS)
    high = (WALL_HIGH - WALL_RADIUS) - corners.max((-1, -2))
    return np.minimum(low, high)
