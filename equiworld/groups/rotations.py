"""Rotations of the plane and of space as arrays: matrices, vectors, Jacobians, even coverings.

A rotation vector has 1 number in the plane (the angle) and 3 in space (axis times angle), in radians.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from equiworld.groups.arrays import Array

__all__ = [
    "fraction_matrix",
    "haar_rotations",
    "inverse_left_jacobian",
    "left_jacobian",
    "rotation_covering",
    "rotation_matrix",
    "rotation_vector",
    "sample_ball",
]

_SMALL_ANGLE = 1e-3
"""[rad] Below it two terms of the series are exact to rounding, and the closed forms would be 0/0 at 0."""


def rotation_matrix(vector: ArrayLike) -> Array:
    """The rotation by a vector: `(…, 1)` → `(…, 2, 2)`, or `(…, 3)` → `(…, 3, 3)`."""
    vector = np.asarray(vector, dtype=np.float64)
    if vector.shape[-1] == 1:
        cosine, sine = np.cos(vector[..., 0]), np.sin(vector[..., 0])
        return _plane_matrix(cosine, sine)
    from scipy.spatial.transform import Rotation  # slow to import

    return Rotation.from_rotvec(vector.reshape(-1, 3)).as_matrix().reshape(*vector.shape, 3)


def rotation_vector(matrix: Array) -> Array:
    """The shortest vector of a rotation, length at most π: the inverse of `rotation_matrix`."""
    if matrix.shape[-1] == 2:
        return np.arctan2(matrix[..., 1, 0], matrix[..., 0, 0])[..., None]
    from scipy.spatial.transform import Rotation  # slow to import

    return Rotation.from_matrix(matrix.reshape(-1, 3, 3)).as_rotvec().reshape(matrix.shape[:-1])


def fraction_matrix(numerator: ArrayLike, denominator: int) -> Array:
    """The plane's rotation by numerator/denominator of a full turn, quarter turns without any rounding.

    Args:
        numerator: Whole numbers, `(…)`.
        denominator: How many steps make a full turn.

    Returns:
        `(…, 2, 2)`.
    """
    steps = np.asarray(numerator) % denominator
    angle = 2 * np.pi * steps / denominator
    cosine, sine = np.cos(angle), np.sin(angle)
    quarter = 4 * steps % denominator == 0
    cosine, sine = (np.where(quarter, np.round(each) + 0.0, each) for each in (cosine, sine))  # + 0: −0 to 0
    return _plane_matrix(cosine, sine)


def haar_rotations(rng: np.random.Generator, n: int, dim: int) -> Array:
    """n rotations drawn uniformly, `(n, d, d)`.

    In space the quaternion of four standard normals is uniform on its sphere, and so is its rotation.
    """
    if dim == 2:
        return rotation_matrix(rng.uniform(-np.pi, np.pi, (n, 1)))
    from scipy.spatial.transform import Rotation  # slow to import

    return Rotation.from_quat(rng.standard_normal((n, 4))).as_matrix()


def rotation_covering(n: int, dim: int) -> Array:
    """n rotations that cover all of them evenly, the identity first, `(n, d, d)`.

    In the plane n equally spaced angles. In space a super-Fibonacci spiral on the sphere of quaternions,
    turned so that its first rotation is the identity (an isometry, so the covering stays as even).

    Reference:
        M. Alexa, "Super-Fibonacci Spirals: Fast, Low-Discrepancy Sampling of SO(3)", CVPR 2022, algorithm 1.
    """
    if dim == 2:
        return fraction_matrix(np.arange(n), n)
    from scipy.spatial.transform import Rotation  # slow to import

    phi, psi = np.sqrt(2.0), 1.533751168755204288118041  # psi⁴ = psi + 4
    step = np.arange(n) + 0.5
    inner, outer = np.sqrt(step / n), np.sqrt(1 - step / n)
    alpha, beta = 2 * np.pi * step / phi, 2 * np.pi * step / psi
    quaternion = np.stack(
        [inner * np.sin(alpha), inner * np.cos(alpha), outer * np.sin(beta), outer * np.cos(beta)], axis=-1
    )
    rotations = Rotation.from_quat(quaternion)
    matrices = (Rotation.from_quat(quaternion[0]).inv() * rotations).as_matrix()
    matrices[0] = np.eye(3)
    return matrices


def left_jacobian(vector: Array) -> Array:
    """V(ω) = ∫₀¹ exp(s ω) ds, which turns the algebra's velocity into exp's translation, `(…, d, d)`.

    Plane: sin θ/θ and (1 − cos θ)/θ. Space: 1 + (1 − cos θ)/θ² K + (θ − sin θ)/θ³ K², K = [ω]×.
    """
    if vector.shape[-1] == 1:
        half = vector[..., 0] / 2
        return _plane_matrix(_sinc(2 * half), np.sin(half) * _sinc(half))
    angle = np.linalg.norm(vector, axis=-1)
    small = angle < _SMALL_ANGLE
    safe = np.where(small, 1.0, angle)
    second = np.where(small, 1 / 6 - angle**2 / 120, (safe - np.sin(safe)) / safe**3)
    return _jacobian_in_space(vector, _sinc(angle / 2) ** 2 / 2, second)


def inverse_left_jacobian(vector: Array) -> Array:
    """V(ω)⁻¹ for angles of at most π, `(…, d, d)`.

    Space: 1 − K/2 + (1 − (θ/2) cot(θ/2))/θ² K².
    """
    if vector.shape[-1] == 1:
        half = vector[..., 0] / 2
        return _plane_matrix(np.cos(half) / _sinc(half), -half)
    angle = np.linalg.norm(vector, axis=-1)
    small = angle < _SMALL_ANGLE
    safe = np.where(small, 1.0, angle)
    second = np.where(small, 1 / 12 + angle**2 / 720, (1 - np.cos(safe / 2) / _sinc(safe / 2)) / safe**2)
    return _jacobian_in_space(vector, np.full_like(angle, -0.5), second)


def _jacobian_in_space(vector: Array, first: Array, second: Array) -> Array:
    """1 + first K + second K² with K = [ω]×."""
    cross = np.zeros((*vector.shape, 3))
    for row, column, axis in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        cross[..., row, column] = -vector[..., axis]
        cross[..., column, row] = vector[..., axis]
    return np.eye(3) + first[..., None, None] * cross + second[..., None, None] * (cross @ cross)


def _plane_matrix(real: Array, imaginary: Array) -> Array:
    """The 2×2 matrix of multiplication by a complex number."""
    # 0 − x and not −x, so that no entry is −0.
    rows = np.stack([real, 0.0 - imaginary], axis=-1), np.stack([imaginary, real], axis=-1)
    return np.stack(rows, axis=-2)


def _sinc(angle: Array) -> Array:
    """sin x / x."""
    return np.sinc(angle / np.pi)


def sample_ball(rng: np.random.Generator, n: int, dim: int, radius: float) -> Array:
    """n points uniform in the d-ball, `(n, d)`: a uniform direction, and a radius with density ∝ r^(d−1)."""
    direction = rng.standard_normal((n, dim))
    length = np.linalg.norm(direction, axis=-1, keepdims=True)
    return direction / length * (radius * rng.random((n, 1)) ** (1.0 / dim))
