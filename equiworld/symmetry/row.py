"""Several fields side by side in one array, turned together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from equiworld.groups import GroupElement
from equiworld.symmetry.concatenation import units
from equiworld.symmetry.fields import Cloud, Field, Heading, Point, Scalar, Vector

__all__ = ["Row"]

Array = NDArray[np.float64]

_TURN = 2 * math.pi
_DENSE_SIZE = 96
"""Up to so many numbers one dense product is faster than gathering and scattering the arrows."""
_FEW_HEADINGS = 8
"""Up to so many angles Python's floats are faster than ten NumPy calls."""
_DENSE_SIZE_OF_OTHERS = 512
"""Likewise where what labels move would be turned by general functions, which take a hundred times as long."""
_ONE = np.ones(1)


class _Other(NamedTuple):
    """A field that is none of the simple ones: where it lies, its own function, and x ↦ M x + b if it is that."""

    where: Any
    transform: Callable[..., NDArray[Any]]
    linear: tuple[Array, Array] | None


class Row:
    """ρ(g) for fields side by side in one float64 array `(…, size)`, precomputed and without validation.

    Points go x ↦ R x + (c − R c + t), vectors x ↦ R x, headings θ ↦ det(R)·θ + arg R, wrapped; whatever else
    there is goes through its own `transform`.

    Args:
        fields: In order.
        element: g = (R, t): one element, or a batch whose shape is the leading shape `(…)`.
        centre: c, `(d,)`.

    Attributes:
        size: Numbers in all.
        parts: Where each field lies, an index of the whole array.

    >>> from equiworld.groups import SE2
    >>> row = Row([Point(), Heading()], SE2().rotation(np.pi / 2), centre=(0.0, 0.0))
    >>> row.turn(np.array([1.0, 0.0, 0.0])).round(6)
    array([0.      , 1.      , 1.570796])
    """

    def __init__(self, fields: Sequence[Field], element: GroupElement, centre: Sequence[float]) -> None:
        self._element, self._centre = element, np.asarray(centre, dtype=np.float64)
        self._leading = (slice(None),) * len(element.batch_shape)
        self.parts: list[Any] = []
        self.size = 0
        self._arrows: list[int] = []
        self._sources: list[int] = []  # where each of them comes from: a reflection may exchange points
        self._affine: list[bool] = []
        self._headings: list[tuple[int, float, float]] = []
        self._angles: list[Array] = []
        self._others: list[_Other] = []
        for field in fields:
            start = self.size
            self.size += field.size(len(centre))
            for unit, places in units(field, len(centre)):
                self._add(unit, start + places)
            self.parts.append(self._index(slice(start, self.size)))
        self._compile_arrows()
        self._compile_headings()
        self._compile_dense()

    def _add(self, leaf: Field, positions: NDArray[np.int64]) -> None:
        mirror, reflects = getattr(leaf, "mirror", None), np.asarray(self._element.determinant) < 0
        exchanged = bool(reflects.all())
        if type(leaf) in (Vector, Point, Cloud) and (mirror is None or exchanged or not reflects.any()):
            places = positions.reshape(leaf.count, -1)
            self._arrows += positions.tolist()
            self._sources += (places[list(mirror)] if mirror and exchanged else places).ravel().tolist()
            self._affine += [type(leaf) is not Vector] * leaf.count
        elif type(leaf) is Heading:
            self._headings += [(position, leaf.low, leaf.low + _TURN) for position in positions.tolist()]
            self._angles += [leaf.turn(self._element)[0]] * leaf.count
        elif type(leaf) is not Scalar:
            linear = None
            if not self._leading and leaf.affine:
                linear = leaf.act(self._element, self._centre)
            self._others.append(_Other(self._index(positions), leaf.transform, linear))

    def _index(self, last: Any) -> Any:
        """An index of the last axis."""
        return (*self._leading, last) if self._leading else last

    def _compile_arrows(self) -> None:
        matrix, centre, batch = self._element.matrix, self._centre, self._element.batch_shape
        self._where = self._index(np.array(self._arrows, dtype=np.intp))
        self._from = self._index(np.array(self._sources, dtype=np.intp))
        self._arrow_shape = (*batch, len(self._affine), len(centre))
        self._flat_shape = (*batch, len(self._arrows))
        self._rotation = np.ascontiguousarray(np.swapaxes(matrix, -1, -2))
        offset = (centre - matrix @ centre) + self._element.translation
        self._offset = np.where(np.array(self._affine, dtype=bool)[:, None], offset[..., None, :], 0.0)

    def _compile_headings(self) -> None:
        self._low = np.array([low for _, low, _ in self._headings])
        self._heading_where = self._index(
            np.array([position for position, _, _ in self._headings], dtype=np.intp)
        )
        self._angle = np.concatenate(self._angles, -1) if self._angles else np.zeros(0)
        self._sign = np.asarray(self._element.determinant)[..., None]

    def _compile_dense(self) -> None:
        """For one element and few numbers: (row, 1) ↦ (M row + b, sum of the row); only wrapping is left."""
        most = _DENSE_SIZE if not self._others else _DENSE_SIZE_OF_OTHERS
        self._matrix: Array | None = None
        if self._leading or self.size > most or len(self._headings) > _FEW_HEADINGS:
            return
        self._apart = [other for other in self._others if other.linear is None]
        if len(self._apart) == len(self._others) > 0:
            return
        self._matrix = np.eye(self.size + 1)
        self._matrix[-1, :-1] = 1.0
        self._matrix[self._where, -1] = self._offset.reshape(self._flat_shape)
        dim = len(self._centre)
        for start in range(0, len(self._arrows), dim):
            block, source = (np.array(each[start : start + dim]) for each in (self._arrows, self._sources))
            self._matrix[block, block] = 0.0
            self._matrix[block[:, None], source] = self._element.matrix
        for (position, _, _), angle in zip(self._headings, self._angle, strict=True):
            self._matrix[position, position] = self._sign.item()
            self._matrix[position, -1] = angle
        for other in self._others:
            if other.linear is not None:
                matrix, offset = other.linear
                self._matrix[np.ix_(other.where, other.where)] = matrix
                self._matrix[other.where, -1] = offset

    def turn_dense(self, values: Sequence[Any]) -> Array | None:
        """ρ(g)·(the arrays in a row) as one product; None where that is not possible.

        Args:
            values: The arrays of the fields, `size` numbers in all; not changed.

        Returns:
            float64 `(size + 1,)`, of which the last number means nothing.
        """
        if self._matrix is None:
            return None
        row = np.concatenate((*values, _ONE))
        turned = self._matrix.dot(row)
        # One number that is not finite would spoil the whole product: the sum of the row tells.
        if not math.isfinite(turned.item(-1)):
            return None
        for position, low, high in self._headings:
            angle = turned.item(position)
            if not low <= angle < high:
                angle -= _TURN * math.floor((angle - low) / _TURN)
                turned[position] = angle if low <= angle < high else low
        for other in self._apart:
            turned[other.where] = other.transform(self._element, row[other.where], self._centre)
        return turned

    def turn(self, row: Array) -> Array:
        """ρ(g)·row for float64 `(…, size)`, by gathering the arrows and the headings; overwrites the row."""
        if self._arrows:
            arrows = row[self._from].reshape(self._arrow_shape)
            row[self._where] = (arrows @ self._rotation + self._offset).reshape(self._flat_shape)
        if self._headings:
            low = self._low
            angle = self._angle + self._sign * row[self._heading_where]
            wrapped = angle - _TURN * np.floor((angle - low) / _TURN)
            outside = (wrapped < low) | (wrapped >= low + _TURN)
            row[self._heading_where] = np.where(outside, low, wrapped)
        for other in self._others:
            row[other.where] = other.transform(self._element, row[other.where], self._centre)
        return row
