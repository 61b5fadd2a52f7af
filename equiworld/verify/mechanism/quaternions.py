"""Quaternions wxyz of any norm as matrices, and back; and their product."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["matrix_of", "product", "quaternion_of"]


def matrix_of(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation matrix `(3, 3)` of a quaternion wxyz `(4,)`.

    >>> matrix_of(np.array([2.0, 0.0, 0.0, 0.0])).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    import mujoco

    found = np.zeros(9)
    mujoco.mju_quat2Mat(found, quaternion / np.linalg.norm(quaternion))
    return found.reshape(3, 3)


def quaternion_of(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The quaternion wxyz `(4,)` of a rotation matrix `(3, 3)`; exactly 1 of the identity.

    >>> quaternion_of(np.eye(3)).tolist()
    [1.0, 0.0, 0.0, 0.0]
    """
    import mujoco

    found = np.zeros(4)
    mujoco.mju_mat2Quat(found, np.ascontiguousarray(matrix).ravel())
    return found


def product(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hamilton's product of quaternions wxyz `(4,)`, of any norm.

    >>> product(np.array([0.0, 1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0, 0.0])).tolist()
    [0.0, 0.0, 0.0, 1.0]
    """
    import mujoco

    found = np.zeros(4)
    mujoco.mju_mulQuat(found, left, right)
    return found
