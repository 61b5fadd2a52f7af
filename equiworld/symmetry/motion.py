"""The affine action of a group element on the items of a field: the one form that everything else is made of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equiworld.groups.arrays import Array

__all__ = ["TURN", "Array", "Motion", "multiply", "wrapped"]

TURN = 2 * np.pi


class Motion(NamedTuple):
    """x_i ↦ M x_s(i) + b, for items x_i of k numbers each; angles are wrapped after it.

    Attributes:
        matrix: M, `(…, k, k)`, of one element or a batch; None where nothing moves.
        offset: b, `(…, k)`; None for 0.
        sources: s, which item comes to each place, `(n,)`, or `(…, n)` where elements of a batch differ; None if each
            stays in its own.
        low: of angles the beginning of their range [low, low + 2π) [rad]; None for other numbers.

    >>> quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    >>> Motion(quarter, np.array([5.0, 0.0]), np.array([1, 0])).applied(np.array([1.0, 2.0, 3.0, 4.0]))
    array([1., 3., 3., 1.])
    """

    matrix: Array | None = None
    offset: Array | None = None
    sources: NDArray[np.intp] | None = None
    low: float | None = None

    def applied(self, array: Array) -> Array:
        """The items `(…, n·k)`, one behind the other, moved."""
        if self.matrix is None:
            return array
        size = self.matrix.shape[-1]
        moved = multiply(self.matrix, array.reshape(*array.shape[:-1], array.shape[-1] // size, size))
        if self.offset is not None:
            moved = moved + self.offset[..., None, :]
        moved = self.placed(moved).reshape(array.shape)
        return moved if self.low is None else wrapped(moved, self.low)

    def placed(self, items: Array) -> Array:
        """Items `(…, n, k)` in the places where they come to."""
        if self.sources is None:
            return items
        sources = np.broadcast_to(self.sources, items.shape[:-1])
        return np.take_along_axis(items, sources[..., None], -2)


def multiply(matrix: Array, items: Array) -> Array:
    """M x for `(…, d, d)` and items `(…, n, d)`.

    The d terms are added in a fixed order: BLAS chooses its own for each batch size, and a batch would then
    differ in the last bit from a loop over its rows.
    """
    columns = matrix[..., None, :, :]
    result = columns[..., 0] * items[..., 0, None]
    for index in range(1, matrix.shape[-1]):
        result = result + columns[..., index] * items[..., index, None]
    return result


def wrapped(angle: Array, low: float | Array) -> Array:
    """Angles in [low, low + 2π); those already there are kept to the bit."""
    found = angle - TURN * np.floor((angle - low) / TURN)
    return np.where((found < low) | (found >= low + TURN), low, found)
