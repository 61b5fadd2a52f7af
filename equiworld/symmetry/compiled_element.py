"""A group element made ready for one symmetry: what a wrapper runs at every step, without validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.arguments import array_of
from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.symmetry.compiled_fields import CompiledFields
from equiworld.symmetry.fields import Field
from equiworld.symmetry.observing import row_of
from equiworld.symmetry.symmetry import Symmetry

__all__ = ["CompiledElement"]

Observation = Any

_FLOAT64 = np.dtype(np.float64)
_PLANS_KEPT = 64


class CompiledElement:
    """ρ(g) and ρ(g)⁻¹ of one symmetry, for one element or a batch, precomputed.

    All fields of an observation and of an info are laid side by side and turned by one product. The numbers
    are those of `Symmetry.transform_observation` and `Symmetry.transform_info` up to rounding. What differs:
    shapes are checked only when a set of keys is first seen, and a number that is not finite passes through
    (within its own point or vector), so that a step costs a few microseconds.

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
        self.element = element = symmetry.own(element)
        self._plan: _Plan | None = None  # the one used last
        self._plans: dict[tuple[Any, ...], _Plan] = {}
        self._action = CompiledFields([symmetry.action], element.inverse(), symmetry.centre)
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
        if (
            plan is None
            or tuple(info) != plan.all_info_keys
            or (plan.keys is not None and tuple(observation) != plan.keys)
        ):
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
        if type(action) is np.ndarray and action.dtype == _FLOAT64 and action.shape == self._action_shape:
            turned = self._action.move_dense((action,))
            if turned is not None:
                return turned[:-1]
        given = array_of("action", action)
        if given.shape != self._action_shape or given.dtype.kind not in "fiu":
            got = f"shape {given.shape}, dtype {given.dtype}"
            raise ArgumentError("action", got, f"real numbers of shape {self._action_shape}")
        row = given.astype(np.float64)
        if ignored is not None:
            row[ignored] = 0.0
        if not np.isfinite(row).all():
            raise ArgumentError("action", row.tolist(), f"finite numbers of shape {self._action_shape}")
        turned = self._action.move(row)
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
        self.keys = None if self._flat else tuple(observation)
        self.all_info_keys = tuple(info)
        self._info_keys = [key for key in info if key in symmetry.info]
        names = ["observation"] if self.keys is None else list(self.keys)
        arrays = symmetry.arrays()
        if set(names) != set(arrays):
            raise ArgumentError("observation", f"the keys {sorted(names)}", f"the keys {sorted(arrays)}")
        fields = [arrays[name] for name in names]
        fields += [symmetry.info[key] for key in self._info_keys]
        self._dim, self._symmetry = symmetry.dim, symmetry
        self._row = CompiledFields(fields, element, symmetry.centre)
        self._expected = f"{self._row.size} numbers in all, as when first seen"
        self._parts = list(zip(names, self._row.parts, strict=False))
        self._info_parts = list(zip(self._info_keys, self._row.parts[len(names) :], strict=True))
        self._roundings: dict[str, tuple[Field, np.dtype[Any]]] = {}
        self._info_roundings: dict[str, tuple[Field, np.dtype[Any]]] = {}
        self._shapes = {
            name: (*element.batch_shape, *shape) for name, shape in symmetry.shapes.items() if name in names
        }
        for position, value in enumerate(self._values(observation, info)):
            in_info, field = position >= len(names), fields[position]
            key = self._info_keys[position - len(names)] if in_info else names[position]
            array = array_of(key, value)
            shape = (*element.batch_shape, field.size(symmetry.dim))
            if array.shape != shape or array.dtype.kind not in "fiu":
                got = f"shape {array.shape}, dtype {array.dtype}"
                raise ArgumentError(
                    f"info[{key!r}]" if in_info else key, got, f"real numbers of shape {shape}"
                )
            if array.dtype.kind == "f" and array.dtype != _FLOAT64:
                (self._info_roundings if in_info else self._roundings)[key] = (field, array.dtype)

    def _values(self, observation: Observation, info: Mapping[str, Any]) -> list[Any]:
        observed = (observation,) if self._flat else observation.values()
        if self._shapes:
            keys = ("observation",) if self._flat else observation.keys()
            observed = [row_of(self._symmetry, key, value) for key, value in zip(keys, observed, strict=True)]
        return [*observed, *map(info.__getitem__, self._info_keys)]

    def show(self, observation: Observation, info: Mapping[str, Any]) -> tuple[Observation, dict[str, Any]]:
        """The turned observation and info, for inputs with the keys and shapes that the plan was made for."""
        values = self._values(observation, info)
        try:
            turned = self._row.move_dense(values)
        except ValueError as error:
            raise ArgumentError("observation and info", f"other shapes ({error})", self._expected) from error
        if turned is None:
            joined = np.concatenate(values, -1, dtype=np.float64)
            if joined.shape[-1] != self._row.size:
                raise ArgumentError("observation and info", f"{joined.shape[-1]} numbers", self._expected)
            turned = self._row.move(joined)
        shown = {key: turned[part] for key, part in self._parts}
        shown_info = dict(info)
        for key, part in self._info_parts:
            shown_info[key] = turned[part]
        if self._roundings or self._info_roundings:
            for key, (field, dtype) in self._roundings.items():
                shown[key] = field.to_dtype(shown[key], dtype, self._dim)
            for key, (field, dtype) in self._info_roundings.items():
                shown_info[key] = field.to_dtype(shown_info[key], dtype, self._dim)
        for key, shape in self._shapes.items():
            shown[key] = shown[key].reshape(shape)
        return shown["observation"] if self._flat else shown, shown_info
