"""A group element made ready for one symmetry: what a wrapper runs at every step, without validation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.symmetry.fields import Cloud, Concatenation, Field, Heading, Point, Scalar, Vector
from equiworld.symmetry.symmetry import Symmetry

__all__ = ["CompiledElement"]

Array = NDArray[np.float64]
Observation = Any

_TURN = 2 * math.pi
_FLOAT64 = np.dtype(np.float64)
_DENSE_SIZE = 96
"""Up to so many numbers one dense product is faster than gathering and scattering the arrows."""
_FEW_HEADINGS = 8
"""Up to so many angles Python's floats are faster than ten NumPy calls."""
_PLANS_KEPT = 64


class CompiledElement:
    """ρ(g) and ρ(g)⁻¹ of one symmetry, for one element or a batch, precomputed.

    All fields of an observation and of an info are laid side by side and turned by one product. The numbers
    are those of `Symmetry.transform_observation` and `Symmetry.transform_info` up to rounding; what differs is
    that shapes are checked only when a set of keys is first seen, and that a number that is not finite passes
    through (within its own point or vector), so that a step costs a few microseconds.

    Args:
        symmetry: How the arrays transform.
        element: One element, or a batch `(n,)`; arrays then carry the same leading shape.

    >>> from equiworld.groups import SO2
    >>> from equiworld.symmetry import Point, Symmetry, Vector
    >>> symmetry = Symmetry(SO2(), {"position": Point()}, Vector(), centre=(1.0, 0.0))
    >>> compiled = CompiledElement(symmetry, SO2().rotation(np.pi / 2))
    >>> observation, info = compiled.show({"position": np.array([3.0, 0.0])}, {"steps": 7})
    >>> observation["position"].round(6), info
    (array([1., 2.]), {'steps': 7})
    >>> compiled.inner_action(np.array([-1.0, 0.0])).round(6) + 0.0
    array([0., 1.])
    """

    def __init__(self, symmetry: Symmetry, element: GroupElement) -> None:
        self.symmetry = symmetry
        self.element = element
        self._plan: _Plan | None = None  # the one used last
        self._plans: dict[tuple[Any, ...], _Plan] = {}
        self._action = _Row([symmetry.action], element.inverse(), symmetry.centre)
        self._action_shape = (*element.batch_shape, self._action.size)

    def show(self, observation: Observation, info: Mapping[str, Any]) -> tuple[Observation, dict[str, Any]]:
        """The observation and the info of the turned world.

        Args:
            observation: A mapping of arrays `(…, size)`, or one such array if the symmetry is flat.
            info: Entries without a field are left alone.

        Returns:
            A new observation of new arrays, and a new info.

        Raises:
            ArgumentError: An array has a wrong shape or is not numeric, or an observed key has no field.
        """
        plan = self._plan
        if plan is None or not plan.fits(observation, info):
            plan = self._plan = self._find_plan(observation, info)
        return plan.show(observation, info)

    def _find_plan(self, observation: Observation, info: Mapping[str, Any]) -> _Plan:
        """The plan for these keys, made when they are first seen."""
        if not self.symmetry.flat and not isinstance(observation, Mapping):
            raise ArgumentError("observation", type(observation).__name__, "a mapping with the declared keys")
        signature = (None if self.symmetry.flat else tuple(observation), tuple(info))
        plan = self._plans.get(signature)
        if plan is None:
            plan = _Plan(self.symmetry, self.element, observation, info)
            if len(self._plans) >= _PLANS_KEPT:  # an env that invents keys must not fill the memory
                self._plans.clear()
            self._plans[signature] = plan
        return plan

    def inner_action(self, action: Any, ignored: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """g⁻¹·action: what an action of the turned world is in the untouched one.

        Args:
            action: `(…, size)`, finite.
            ignored: `(n,)`, the rows that nobody will read; they may hold anything, and come out as 0.

        Returns:
            A new array of the action's floating dtype.

        Raises:
            ArgumentError: Another shape, not numeric, or not finite.
        """
        given = _as_array("action", action)
        if given.shape != self._action_shape or given.dtype.kind not in "fiu":
            got = f"shape {given.shape}, dtype {given.dtype}"
            raise ArgumentError("action", got, f"real numbers of shape {self._action_shape}")
        turned = self._action.turn_dense(given) if given.dtype == _FLOAT64 else None
        if turned is not None:
            return turned
        row = given.astype(np.float64)
        if ignored is not None:
            row[ignored] = 0.0
        if not np.isfinite(row).all():
            raise ArgumentError("action", row.tolist(), f"finite numbers of shape {self._action_shape}")
        turned = self._action.turn(row)
        if ignored is not None:
            turned[ignored] = 0.0
        if given.dtype.kind != "f":
            return turned
        return self.symmetry.action.to_dtype(turned, given.dtype, self.symmetry.dim)


class _Plan:
    """How the arrays of an observation and an info with certain keys are joined, turned and split again."""

    def __init__(
        self, symmetry: Symmetry, element: GroupElement, observation: Observation, info: Mapping[str, Any]
    ) -> None:
        self._flat = symmetry.flat
        self._observation_keys = None if self._flat else tuple(observation)
        self._all_info_keys = tuple(info)
        self._info_keys = [key for key in info if key in symmetry.info]
        names = ["observation"] if self._observation_keys is None else list(self._observation_keys)
        if self._flat:
            fields: list[Field] = [Concatenation(tuple(symmetry.observation.values()))]
        else:
            if set(names) != set(symmetry.observation):
                expected = f"the keys {sorted(symmetry.observation)}"
                raise ArgumentError("observation", f"the keys {sorted(names)}", expected)
            fields = [symmetry.observation[name] for name in names]
        fields += [symmetry.info[key] for key in self._info_keys]
        self._dim = symmetry.dim
        self._row = _Row(fields, element, symmetry.centre)
        self._parts = list(zip(names, self._row.parts, strict=False))
        self._info_parts = list(zip(self._info_keys, self._row.parts[len(names) :], strict=True))
        self._roundings: dict[str, tuple[Field, np.dtype[Any]]] = {}
        self._info_roundings: dict[str, tuple[Field, np.dtype[Any]]] = {}
        for position, value in enumerate(self._values(observation, info)):
            in_info, field = position >= len(names), fields[position]
            key = self._info_keys[position - len(names)] if in_info else names[position]
            array = _as_array(key, value)
            shape = (*element.batch_shape, field.size(symmetry.dim))
            if array.shape != shape or array.dtype.kind not in "fiu":
                got = f"shape {array.shape}, dtype {array.dtype}"
                raise ArgumentError(f"info[{key!r}]" if in_info else key, got, f"real numbers of shape {shape}")
            if array.dtype.kind == "f" and array.dtype != _FLOAT64:
                (self._info_roundings if in_info else self._roundings)[key] = (field, array.dtype)

    def fits(self, observation: Observation, info: Mapping[str, Any]) -> bool:
        """Whether the keys are those that the plan was made for, in their order."""
        if tuple(info) != self._all_info_keys:
            return False
        return self._flat or tuple(observation) == self._observation_keys

    def _values(self, observation: Observation, info: Mapping[str, Any]) -> list[Any]:
        observed = (observation,) if self._flat else observation.values()
        return [*observed, *map(info.__getitem__, self._info_keys)]

    def show(self, observation: Observation, info: Mapping[str, Any]) -> tuple[Observation, dict[str, Any]]:
        """The turned observation and info, for inputs that the plan fits."""
        joined = np.concatenate(self._values(observation, info), -1)
        if joined.dtype != _FLOAT64:
            joined = joined.astype(np.float64)
        if joined.shape[-1] != self._row.size:
            got = f"{joined.shape[-1]} numbers in all"
            raise ArgumentError("observation and info", got, f"{self._row.size}, as when first seen")
        turned = self._row.turn_dense(joined)
        if turned is None:
            turned = self._row.turn(joined)
        shown = {key: turned[part] for key, part in self._parts}
        shown_info = dict(info)
        for key, part in self._info_parts:
            shown_info[key] = turned[part]
        for key, (field, dtype) in self._roundings.items():
            shown[key] = field.to_dtype(shown[key], dtype, self._dim)
        for key, (field, dtype) in self._info_roundings.items():
            shown_info[key] = field.to_dtype(shown_info[key], dtype, self._dim)
        return shown["observation"] if self._flat else shown, shown_info


class _Row:
    """Fields side by side in one array `(…, size)`, turned together.

    Points go x ↦ R x + (c − R c + t), vectors x ↦ R x, headings θ ↦ det(R)·θ + arg R, wrapped; whatever else
    there is goes through its own `transform`.
    """

    def __init__(self, fields: Sequence[Field], element: GroupElement, centre: Sequence[float]) -> None:
        self._element, self._centre = element, np.asarray(centre, dtype=np.float64)
        self._leading = (slice(None),) * len(element.batch_shape)
        self.parts: list[Any] = []
        self.size = 0
        self._arrows: list[int] = []
        self._affine: list[bool] = []
        self._headings: list[tuple[int, float, float]] = []
        self._others: list[tuple[Any, Callable[..., Array]]] = []
        for field in fields:
            start = self.size
            for leaf in _leaves(field):
                self._add(leaf, leaf.size(len(centre)))
            self.parts.append(self._index(slice(start, self.size)))
        self._compile_arrows()
        self._compile_headings()
        self._compile_dense()

    def _add(self, leaf: Field, width: int) -> None:
        positions = range(self.size, self.size + width)
        if type(leaf) in (Vector, Point, Cloud):  # a subclass may transform otherwise
            self._arrows += positions
            self._affine += [type(leaf) is not Vector] * leaf.count
        elif type(leaf) is Heading:
            self._headings += [(position, leaf.low, leaf.low + _TURN) for position in positions]
        elif type(leaf) is not Scalar:
            self._others.append((self._index(slice(self.size, self.size + width)), leaf.transform))
        self.size += width

    def _index(self, last: Any) -> Any:
        """An index of the last axis."""
        return (*self._leading, last) if self._leading else last

    def _compile_arrows(self) -> None:
        matrix, centre, batch = self._element.matrix, self._centre, self._element.batch_shape
        self._where = self._index(np.array(self._arrows, dtype=np.intp))
        self._arrow_shape = (*batch, len(self._affine), len(centre))
        self._flat_shape = (*batch, len(self._arrows))
        self._rotation = np.ascontiguousarray(np.swapaxes(matrix, -1, -2))
        offset = (centre - matrix @ centre) + self._element.translation
        self._offset = np.where(np.array(self._affine, dtype=bool)[:, None], offset[..., None, :], 0.0)

    def _compile_headings(self) -> None:
        self._low = np.array([low for _, low, _ in self._headings])
        self._heading_where = self._index(np.array([position for position, _, _ in self._headings], dtype=np.intp))
        matrix = self._element.matrix
        if self._headings:
            self._angle = np.arctan2(matrix[..., 1, 0], matrix[..., 0, 0])[..., None]
            self._sign = self._element.determinant[..., None]

    def _compile_dense(self) -> None:
        """For one element and few numbers: row ↦ M row + b, of which only the wrapping is left to do."""
        small = self.size <= _DENSE_SIZE and len(self._headings) <= _FEW_HEADINGS
        self._matrix: Array | None = None
        if self._leading or self._others or not small:
            return
        self._shift = np.zeros(self.size)
        self._shift[self._where] = self._offset.reshape(self._flat_shape)
        self._matrix = np.eye(self.size)
        dim = len(self._centre)
        for start in range(0, len(self._arrows), dim):
            block = np.array(self._arrows[start : start + dim])
            self._matrix[block[:, None], block] = self._element.matrix
        for position, _, _ in self._headings:
            self._matrix[position, position] = self._sign.item()
            self._shift[position] = self._angle.item()

    def turn_dense(self, row: Array) -> Array | None:
        """ρ(g)·row for one row `(size,)` as one product; None where that is not possible."""
        # One number that is not finite would spoil the whole product: the sum of squares tells.
        if self._matrix is None or not math.isfinite(row.dot(row)):
            return None
        turned = self._matrix.dot(row)
        turned += self._shift
        for position, low, high in self._headings:
            angle = turned.item(position)
            if not low <= angle < high:
                angle -= _TURN * math.floor((angle - low) / _TURN)
                turned[position] = angle if low <= angle < high else low
        return turned

    def turn(self, row: Array) -> Array:
        """ρ(g)·row for float64 `(…, size)`, by gathering the arrows and the headings; overwrites the row."""
        if self._arrows:
            arrows = row[self._where].reshape(self._arrow_shape)
            row[self._where] = (arrows @ self._rotation + self._offset).reshape(self._flat_shape)
        if self._headings:
            low = self._low
            angle = self._angle + self._sign * row[self._heading_where]
            wrapped = angle - _TURN * np.floor((angle - low) / _TURN)
            outside = (wrapped < low) | (wrapped >= low + _TURN)
            row[self._heading_where] = np.where(outside, low, wrapped)
        for part, transform in self._others:
            row[part] = transform(self._element, row[part], self._centre)
        return row


def _leaves(field: Field) -> Iterator[Field]:
    """The fields that a concatenation consists of, in order."""
    if isinstance(field, Concatenation):
        for part in field.parts:
            yield from _leaves(part)
    else:
        yield field


def _as_array(name: str, value: Any) -> NDArray[Any]:
    try:
        return np.asarray(value)
    except ValueError:
        raise ArgumentError(name, "a ragged sequence", "an array of numbers") from None
