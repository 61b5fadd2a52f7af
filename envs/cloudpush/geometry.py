"""Poses in space, and how far a body is from its goal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from equiworld.envs.cloudpush.shapes import Shape
from equiworld.envs.cloudpush.surface import Array
from equiworld.errors import ArgumentError

__all__ = [
    "METRICS",
    "Array",
    "Metric",
    "Pose",
    "Quad",
    "Triple",
    "angle_between",
    "as_pose",
    "mean_point_distance",
    "multiply",
    "quaternion_of",
    "rotation_matrix",
    "turn",
]

Triple = tuple[float, float, float]
Quad = tuple[float, float, float, float]
Metric = Literal["ADD", "ADD-S"]

METRICS: tuple[Metric, ...] = ("ADD", "ADD-S")

_POSE = "(position, rotation): 3 finite numbers, and a unit quaternion (w, x, y, z) or a rotation matrix"


class Pose(NamedTuple):
    """Where a body is: its centre of mass [m], and the unit quaternion (w, x, y, z) from its axes to the world's."""

    position: Triple
    quaternion: Quad


def as_pose(name: str, value: Any) -> Pose:
    """A pose from a position and a quaternion or matrix."""
    try:
        given, rotation = value
        position = np.array(given, np.float64)
        turned = np.array(rotation, np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(name, repr(value), _POSE) from None
    if position.shape != (3,) or not np.isfinite(position).all() or not np.isfinite(turned).all():
        raise ArgumentError(name, repr(value), _POSE)
    x, y, z = position.tolist()
    if turned.shape == (4,) and abs(np.linalg.norm(turned) - 1) < 1e-6:
        return Pose((x, y, z), tuple(turned.tolist()))
    is_matrix = turned.shape == (3, 3) and np.abs(turned @ turned.T - np.eye(3)).max() < 1e-6
    if not is_matrix or np.linalg.det(turned) < 0:
        raise ArgumentError(name, repr(value), _POSE)
    return Pose((x, y, z), quaternion_of(turned))


def rotation_matrix(quaternion: Sequence[float]) -> Array:
    """The matrix `(3, 3)` of a unit quaternion (w, x, y, z)."""
    w, x, y, z = quaternion
    return np.array(
        (
            (w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)),
            (2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)),
            (2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z),
        )
    )


def quaternion_of(matrix: ArrayLike) -> Quad:
    """A unit quaternion (w, x, y, z) of a rotation matrix `(3, 3)`."""
    m = np.asarray(matrix, np.float64)
    # All products of two components, up to a factor of 4: the row of the largest square is accurate.
    products = np.array(
        (
            (1 + m[0, 0] + m[1, 1] + m[2, 2], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]),
            (m[2, 1] - m[1, 2], 1 + m[0, 0] - m[1, 1] - m[2, 2], m[1, 0] + m[0, 1], m[0, 2] + m[2, 0]),
            (m[0, 2] - m[2, 0], m[1, 0] + m[0, 1], 1 - m[0, 0] + m[1, 1] - m[2, 2], m[2, 1] + m[1, 2]),
            (m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[2, 1] + m[1, 2], 1 - m[0, 0] - m[1, 1] + m[2, 2]),
        )
    )
    row = products[int(np.argmax(np.diag(products)))]
    w, x, y, z = (row / np.linalg.norm(row)).tolist()
    return w, x, y, z


def multiply(first: Sequence[float], second: Sequence[float]) -> Quad:
    """The quaternion of the second rotation followed by the first."""
    a, b, c, d = first
    w, x, y, z = second
    return (
        a * w - b * x - c * y - d * z,
        a * x + b * w + c * z - d * y,
        a * y - b * z + c * w + d * x,
        a * z + b * y - c * x + d * w,
    )


def turn(axis: Sequence[float], angle: float) -> Quad:
    """The quaternion of a turn by `angle` [rad] about a unit vector."""
    sine = math.sin(angle / 2)
    x, y, z = axis
    return math.cos(angle / 2), sine * x, sine * y, sine * z


def angle_between(first: Quad, second: Quad, fold: int = 1) -> float:
    """The smallest angle [rad], in [0, π], that turns one orientation into the other.

    Args:
        first: unit quaternion.
        second: unit quaternion.
        fold: of a body's turns about its z axis: 1 for none; 2 if half a turn counts as nothing, 0 if any turn.
    """
    w, x, y, z = second
    # The turn between them in body axes, where a symmetry of the body multiplies from the right.
    a, b, c, d = multiply((w, -x, -y, -z), first)
    angle = 2 * math.atan2(math.sqrt(b * b + c * c + d * d), abs(a))
    if fold == 2:
        return min(angle, 2 * math.atan2(math.sqrt(a * a + b * b + c * c), abs(d)))
    return 2 * math.atan2(math.hypot(b, c), math.hypot(a, d)) if fold == 0 else angle


def mean_point_distance(shape: Shape, pose: Pose, goal: Pose, metric: Metric) -> float:
    """How far a body is from its goal [m], averaged over points p laid evenly over its surface.

    - "ADD": mean |x(p) − y(p)|, where x and y place the body in its pose and in its goal.
    - "ADD-S": mean distance of x(p) from the surface of the body in its goal, whichever point is there. It is 0
      for all poses that look the same, and the limit of the usual sum over nearest points for ever more points.

    Reference: Hinterstoisser et al., Model based training, detection and pose estimation, ACCV 2012.
    """
    here, there = rotation_matrix(pose.quaternion), rotation_matrix(goal.quaternion)
    shift = np.subtract(pose.position, goal.position)
    if metric == "ADD":
        apart = shape.points @ (here - there).T + shift
        return float(np.sqrt(np.einsum("ni,ni->n", apart, apart)).mean())
    # In the goal's body axes.
    placed = shape.points @ (there.T @ here).T + shift @ there
    return float(np.abs(shape.surface.distance(placed)).mean())
