"""Several fields side by side in one array, moved together: the fast form of `Field.transform`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from equiworld.groups import GroupElement
from equiworld.symmetry.concatenation import units
from equiworld.symmetry.field import Field
from equiworld.symmetry.motion import TURN, Array, Motion, wrapped

__all__ = ["CompiledFields"]

_DENSE_SIZE = 96
"""Up to so many numbers one dense product is faster than gathering and scattering the items."""
_FEW_ANGLES = 8
"""Up to so many angles Python's floats are faster than ten NumPy calls."""
_DENSE_SIZE_OF_OTHERS = 512
"""Likewise where general functions, which take a hundred times as long, would move what has no `Motion`."""
_ONE = np.ones(1)


class _Items:
    """Items of several fields that one matrix moves: where they go, where they come from, their offsets."""

    def __init__(self, matrix: Array) -> None:
        self.matrix = matrix
        self._to: list[NDArray[np.int64]] = []
        self._from: list[NDArray[np.int64]] = []
        self._offsets: list[Array] = []

    def add(self, motion: Motion, places: NDArray[np.int64]) -> None:
        """Add the items of a field, whose numbers lie at these places."""
        items = places.reshape(-1, self.matrix.shape[-1])
        self._to.append(items)
        self._from.append(items if motion.sources is None else items[motion.sources])
        offset = np.zeros(self.matrix.shape[:-1]) if motion.offset is None else motion.offset
        self._offsets += [offset] * len(items)

    def settle(self, index: Callable[[Any], Any]) -> None:
        """Make ready; `index` makes an index of the last axis."""
        self.to, self.sources = np.concatenate(self._to), np.concatenate(self._from)
        self.offset = np.stack(self._offsets, -2)
        self._where, self._whence = index(self.to.ravel()), index(self.sources.ravel())
        self._transposed = np.ascontiguousarray(np.swapaxes(self.matrix, -1, -2))
        self._flat = (*self.offset.shape[:-2], self.to.size)

    def move(self, row: Array) -> None:
        """Move them in the row."""
        items = row[self._whence].reshape(self.offset.shape)
        row[self._where] = (items @ self._transposed + self.offset).reshape(self._flat)


class _Other(NamedTuple):
    """A field without a `Motion`: where it lies, its own function, and x ↦ M x + b if it is that."""

    where: Any
    transform: Callable[..., NDArray[Any]]
    linear: tuple[Array, Array] | None


class CompiledFields:
    """ρ(g) for fields side by side in one float64 array `(…, size)`, precomputed and without validation.

    It is made of each field's `motion`: fields that one matrix moves are moved by one product. Whatever else there is
    goes through its own `transform`.

    Args:
        fields: In order.
        element: g = (R, t): one element, or a batch whose shape is the leading shape `(…)`.
        centre: c, `(d,)`.

    Attributes:
        size: Numbers in all.
        parts: Where each field lies, an index of the whole array.

    >>> from equiworld.groups import SE2
    >>> from equiworld.symmetry import Heading, Point
    >>> fields = CompiledFields([Point(), Heading()], SE2().rotation(np.pi / 2), centre=(0.0, 0.0))
    >>> fields.move(np.array([1.0, 0.0, 0.0])).round(6)
    array([0.      , 1.      , 1.570796])
    """

    def __init__(self, fields: Sequence[Field], element: GroupElement, centre: Sequence[float]) -> None:
        self._element, self._centre = element, np.asarray(centre, dtype=np.float64)
        self._leading = (slice(None),) * len(element.batch_shape)
        self.parts: list[Any] = []
        self.size = 0
        self._items: dict[bytes, _Items] = {}  # by matrix
        self._angles: list[tuple[int, float, float]] = []
        self._angle_motions: list[Motion] = []
        self._others: list[_Other] = []
        for field in fields:
            start = self.size
            self.size += field.size(len(centre))
            for unit, places in units(field, len(centre)):
                self._add(unit, start + places)
            self.parts.append(self._index(slice(start, self.size)))
        for items in self._items.values():
            items.settle(self._index)
        self._settle_angles()
        self._settle_dense()

    def _add(self, unit: Field, places: NDArray[np.int64]) -> None:
        motion = unit.motion(self._element, self._centre)
        if motion is None or (motion.sources is not None and motion.sources.ndim > 1):
            affine = not self._leading and unit.affine
            linear = unit.act(self._element, self._centre) if affine else None
            self._others.append(_Other(self._index(places), unit.transform, linear))
        elif motion.low is not None:
            self._angles += [(place, motion.low, motion.low + TURN) for place in places.tolist()]
            self._angle_motions += [motion] * len(places)
        elif motion.matrix is not None:
            self._items.setdefault(motion.matrix.tobytes(), _Items(motion.matrix)).add(motion, places)

    def _index(self, last: Any) -> Any:
        """An index of the last axis."""
        return (*self._leading, last) if self._leading else last

    def _settle_angles(self) -> None:
        self._low = np.array([low for _, low, _ in self._angles])
        self._angle_where = self._index(np.array([place for place, _, _ in self._angles], dtype=np.intp))
        if self._angles:
            self._angle = np.concatenate([motion.offset for motion in self._angle_motions], -1)  # type: ignore[misc]
            self._sign = np.concatenate([motion.matrix[..., 0] for motion in self._angle_motions], -1)  # type: ignore[index]

    def _settle_dense(self) -> None:
        """For one element and few numbers: (row, 1) ↦ (M row + b, sum of the row); only wrapping is left."""
        most = _DENSE_SIZE if not self._others else _DENSE_SIZE_OF_OTHERS
        self._matrix: Array | None = None
        if self._leading or self.size > most or len(self._angles) > _FEW_ANGLES:
            return
        self._apart = [other for other in self._others if other.linear is None]
        if len(self._apart) == len(self._others) > 0:
            return
        self._matrix = np.eye(self.size + 1)
        self._matrix[-1, :-1] = 1.0
        for items in self._items.values():
            self._matrix[items.to, items.to] = 0.0
            self._matrix[items.to[:, :, None], items.sources[:, None, :]] = items.matrix
            self._matrix[items.to, -1] = items.offset
        for index, (place, _, _) in enumerate(self._angles):
            self._matrix[place, place], self._matrix[place, -1] = self._sign[index], self._angle[index]
        for other in self._others:
            if other.linear is not None:
                matrix, offset = other.linear
                self._matrix[np.ix_(other.where, other.where)] = matrix
                self._matrix[other.where, -1] = offset

    def move_dense(self, values: Sequence[Any]) -> Array | None:
        """ρ(g)·(the arrays in a row) as one product; None where that is not possible.

        Args:
            values: The arrays of the fields, `size` numbers in all; not changed.

        Returns:
            float64 `(size + 1,)`; the last entry is a checksum, to be ignored.
        """
        if self._matrix is None:
            return None
        row = np.concatenate((*values, _ONE))
        moved = self._matrix.dot(row)
        # One number that is not finite would spoil the whole product: the sum of the row tells.
        if not math.isfinite(moved.item(-1)):
            return None
        for place, low, high in self._angles:  # `wrapped`, in Python's floats
            angle = moved.item(place)
            if not low <= angle < high:
                angle -= TURN * math.floor((angle - low) / TURN)
                moved[place] = angle if low <= angle < high else low
        for other in self._apart:
            moved[other.where] = other.transform(self._element, row[other.where], self._centre)
        return moved

    def move(self, row: Array) -> Array:
        """ρ(g)·row for float64 `(…, size)`, by gathering the items and the angles; overwrites the row."""
        for items in self._items.values():
            items.move(row)
        if self._angles:
            row[self._angle_where] = wrapped(self._angle + self._sign * row[self._angle_where], self._low)
        for other in self._others:
            row[other.where] = other.transform(self._element, row[other.where], self._centre)
        return row
