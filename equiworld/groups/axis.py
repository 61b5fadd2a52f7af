"""The plane in space: what moves the plane across an axis and keeps the axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equiworld.errors import ArgumentError
from equiworld.groups.arguments import as_floats
from equiworld.groups.arrays import Array, product

__all__ = ["Axis"]

_ROUNDING = 1e-15


class Axis:
    """A direction of space, and the plane across it.

    Args:
        direction: `(3,)`, of any length but 0.

    Attributes:
        direction: a unit vector, as a tuple.
        basis: `(3, 3)`, its columns two directions of the plane and the axis, right-handed; of a coordinate axis
            coordinate axes, so that nothing is rounded.

    >>> Axis((0.0, 2.0, 0.0)).basis
    array([[0., 1., 0.],
           [0., 0., 1.],
           [1., 0., 0.]])
    """

    def __init__(self, direction: Sequence[float] | Array) -> None:
        given = as_floats("axis", direction)
        if given.shape != (3,) or not np.isfinite(given).all() or not given.any():
            raise ArgumentError("axis", direction, "a direction of space: three finite numbers, not all 0")
        scaled = given / np.abs(given).max()  # whose square neither overflows nor vanishes
        # A unit vector stays as it is, to the bit: a group is the one that its name stands for.
        unit = given if abs(np.abs(given).max() * np.linalg.norm(scaled) - 1) < _ROUNDING else scaled
        unit = unit if unit is given else unit / np.linalg.norm(scaled)
        if np.count_nonzero(unit) == 1:
            unit = np.sign(unit)
        along = int(np.argmax(np.abs(unit)))
        first = np.eye(3)[(along + 1) % 3]
        first = first - unit * (unit @ first)
        first /= np.linalg.norm(first)
        self.direction = tuple(float(number) + 0.0 for number in unit)
        self.basis = np.stack([first, np.cross(unit, first), unit], axis=-1) + 0.0

    @property
    def exact(self) -> bool:
        """Whether it is a coordinate axis."""
        return bool(np.isin(self.basis, (-1.0, 0.0, 1.0)).all())

    def matrices(self, plane: Array) -> Array:
        """Matrices `(…, 3, 3)` that move the plane as `(…, 2, 2)` do and keep the axis."""
        across = self.basis[:, :2]
        # as 1 + B (M − 1) Bᵀ: the identity stays the identity to the bit
        return np.eye(3) + product(product(across, plane - np.eye(2)), across.T) + 0.0

    def vectors(self, plane: Array) -> Array:
        """Vectors `(…, 3)` of coordinates in the plane `(…, 2)`, or in the plane and along the axis `(…, 3)`."""
        return product(self.basis[:, : plane.shape[-1]], plane[..., None])[..., 0] + 0.0

    def plane(self, matrices: Array) -> Array:
        """What matrices `(…, 3, 3)` that keep the axis do to the plane, `(…, 2, 2)`."""
        across = self.basis[:, :2]
        return np.eye(2) + product(product(across.T, matrices - np.eye(3)), across)

    def coordinates(self, vectors: Array) -> Array:
        """Coordinates `(…, 3)` in the plane and along the axis of vectors `(…, 3)`."""
        return product(self.basis.T, vectors[..., None])[..., 0]

    def kept_by(self, matrices: Array, atol: float) -> bool:
        """Whether matrices `(…, 3, 3)` leave the axis where it is."""
        return bool((np.abs(matrices @ self.basis[:, 2] - self.basis[:, 2]) <= atol).all())

    def is_parallel(self, other: Axis) -> bool:
        """Whether both are the same line."""
        return bool(abs(self.basis[:, 2] @ other.basis[:, 2]) > 1 - 1e-15)
