"""Symmetric matrices as six numbers, in MuJoCo's order: xx yy zz xy xz yz."""

from __future__ import annotations

import numpy as np

from equiworld.verify.mechanism.model_map import Array

__all__ = ["six_of", "tensor_of"]


def tensor_of(rows: Array) -> Array:
    """Symmetric matrices `(n, 3, 3)` of rows `(n, 6)`.

    >>> tensor_of(np.array([[1.0, 2.0, 3.0, 0.5, 0.0, 0.0]]))[0].tolist()
    [[1.0, 0.5, 0.0], [0.5, 2.0, 0.0], [0.0, 0.0, 3.0]]
    """
    xx, yy, zz, xy, xz, yz = rows.T
    return np.stack([xx, xy, xz, xy, yy, yz, xz, yz, zz], axis=-1).reshape(-1, 3, 3)


def six_of(tensors: Array) -> Array:
    """Rows `(…, 6)` of symmetric matrices `(…, 3, 3)`.

    >>> six_of(np.eye(3)).tolist()
    [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    """
    places = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
    return np.stack([tensors[..., i, j] for i, j in places], axis=-1)
