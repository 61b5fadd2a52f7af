"""What a checker must know of an input or output: how to draw it, move it and compare it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.symmetry.features import Features, FeatureType
from equiworld.symmetry.fields import Field
from equiworld.symmetry.sampling import random_array
from equiworld.symmetry.symmetry import Symmetry

__all__ = ["Representation", "as_representation"]

Array = NDArray[np.float64]


class Representation(ABC):
    """How one kind of value is drawn at random, transformed, and laid out for comparison."""

    centre: Array
    scale: float
    symmetry: Symmetry | None = None
    """That says what an element of a subgroup does; None for what only matrices move."""

    @abstractmethod
    def sample(self, rng: np.random.Generator, batch_shape: tuple[int, ...], dtype: np.dtype) -> Any:
        """Random values of order `scale` about `centre`."""

    @abstractmethod
    def transform(self, g: GroupElement, value: Any) -> Any:
        """ρ(g)·value for one element g."""

    @abstractmethod
    def channels(self, value: Any) -> dict[str, Array]:
        """Named float64 arrays `(…, C)` in which equal values are equal numbers; refuses other types."""


class _OfFeatures(Representation):
    """Features of one type."""

    def __init__(self, kind: FeatureType) -> None:
        self.kind, self.centre, self.scale = kind, np.zeros(kind.dim), 1.0

    def sample(self, rng: np.random.Generator, batch_shape: tuple[int, ...], dtype: np.dtype) -> Features:
        flat = rng.standard_normal((*batch_shape, self.kind.size)).astype(dtype)
        return Features.unflatten(torch.from_numpy(flat), self.kind)

    def transform(self, g: GroupElement, value: Features) -> Features:
        return value.transform(g)

    def channels(self, value: Any) -> dict[str, Array]:
        if not isinstance(value, Features) or value.type != self.kind:
            got = value.type if isinstance(value, Features) else type(value).__name__
            raise ArgumentError("function", f"an output of {got}", f"Features of {self.kind}")
        parts = {"scalars": value.scalars, "vectors": value.vectors, "points": value.points}
        return {name: _numpy(part) for name, part in parts.items() if part.shape[-1]}


class _OfField(Representation):
    """Arrays of one field; angles and quaternions are compared as the directions that they mean."""

    def __init__(self, field: Field, centre: Array, scale: float, symmetry: Symmetry | None = None) -> None:
        self.field, self.centre, self.scale, self.symmetry = field, centre, scale, symmetry

    def sample(self, rng: np.random.Generator, batch_shape: tuple[int, ...], dtype: np.dtype) -> Array:
        return random_array(self.field, rng, batch_shape, self.centre, self.scale).astype(dtype)

    def transform(self, g: GroupElement, value: Any) -> Any:
        g = g if self.symmetry is None else self.symmetry.own(g)
        return self.field.transform(g, value, centre=self.centre)

    def channels(self, value: Any) -> dict[str, Array]:
        array, size = _numpy(value), self.field.size(len(self.centre))
        if array.ndim == 0 or array.shape[-1] != size:
            raise ArgumentError("function", f"an output of shape {array.shape}", f"(…, {size})")
        name = type(self.field).__name__
        return {f"{name} {kind}": part for kind, part in self.field.encode(array, self.centre).items()}


class _OfMapping(Representation):
    """Dictionaries, entry by entry."""

    def __init__(self, entries: Mapping[str, Representation]) -> None:
        self.entries = dict(entries)
        first = next(iter(self.entries.values()))
        self.centre, self.scale, self.symmetry = first.centre, first.scale, first.symmetry

    def sample(
        self, rng: np.random.Generator, batch_shape: tuple[int, ...], dtype: np.dtype
    ) -> dict[str, Any]:
        return {name: entry.sample(rng, batch_shape, dtype) for name, entry in self.entries.items()}

    def transform(self, g: GroupElement, value: Mapping[str, Any]) -> dict[str, Any]:
        return {name: entry.transform(g, value[name]) for name, entry in self.entries.items()}

    def channels(self, value: Any) -> dict[str, Array]:
        if not isinstance(value, Mapping) or set(value) != set(self.entries):
            got = sorted(value) if isinstance(value, Mapping) else type(value).__name__
            raise ArgumentError("function", f"an output of {got}", f"a mapping of {sorted(self.entries)}")
        return {
            f"{name} {part}": array
            for name, entry in self.entries.items()
            for part, array in entry.channels(value[name]).items()
        }


class _OfSymmetry(Representation):
    """Observations as an environment gives them."""

    def __init__(self, symmetry: Symmetry) -> None:
        self.symmetry: Symmetry = symmetry
        self.centre, self.scale = np.asarray(symmetry.centre), symmetry.length_scale
        fields = symmetry.observation.items()
        self.entries = {name: _OfField(field, self.centre, self.scale) for name, field in fields}

    def sample(self, rng: np.random.Generator, batch_shape: tuple[int, ...], dtype: np.dtype) -> Any:
        arrays = {name: entry.sample(rng, batch_shape, dtype) for name, entry in self.entries.items()}
        return self.symmetry.assembled(arrays)

    def transform(self, g: GroupElement, value: Any) -> Any:
        return self.symmetry.transform_observation(g, value)

    def channels(self, value: Any) -> dict[str, Array]:
        try:
            arrays = self.symmetry.observed(value)
        except ArgumentError as error:
            raise ArgumentError("function", f"an output with {error}", "an observation as declared") from None
        return {
            f"{name} {part}": array
            for name, entry in self.entries.items()
            for part, array in entry.channels(arrays[name]).items()
        }


class _OfTuple(Representation):
    """Several arguments, or several results."""

    def __init__(self, parts: Sequence[Representation]) -> None:
        self.parts = tuple(parts)
        self.centre, self.scale = self.parts[0].centre, max(part.scale for part in self.parts)
        self.symmetry = next((part.symmetry for part in self.parts if part.symmetry is not None), None)

    def sample(self, rng: np.random.Generator, batch_shape: tuple[int, ...], dtype: np.dtype) -> tuple:
        return tuple(part.sample(rng, batch_shape, dtype) for part in self.parts)

    def transform(self, g: GroupElement, value: tuple) -> tuple:
        return tuple(part.transform(g, item) for part, item in zip(self.parts, value, strict=True))

    def channels(self, value: Any) -> dict[str, Array]:
        if not isinstance(value, tuple | list) or len(value) != len(self.parts):
            raise ArgumentError(
                "function", f"an output of {type(value).__name__}", f"{len(self.parts)} items"
            )
        return {
            f"{index} {name}": array
            for index, (part, item) in enumerate(zip(self.parts, value, strict=True))
            for name, array in part.channels(item).items()
        }


def as_representation(
    argument: str,
    what: Any,
    dim: int,
    centre: Array | None = None,
    scale: float = 1.0,
    symmetry: Symmetry | None = None,
) -> Representation:
    """The representation of a FeatureType, Field or Symmetry, or of a mapping or sequence of them.

    Args:
        argument: what to call it in an error.
        what: the declaration.
        dim: the group's dimension.
        centre: what fields turn about, `(d,)`; the origin if None. A Symmetry in a sequence gives its own
            to the fields after it.
        scale: the size of random vectors and points.
        symmetry: whose group's labels move fields, if any do; likewise of a Symmetry in a sequence.
    """
    centre = np.zeros(dim) if centre is None else centre
    if isinstance(what, Representation):
        return what
    if isinstance(what, FeatureType):
        if what.dim != dim:
            raise ArgumentError(argument, what, f"dimension {dim}, that of the group")
        return _OfFeatures(what)
    if isinstance(what, Field):
        return _OfField(what, centre, scale, symmetry)
    if isinstance(what, Symmetry):
        return _OfSymmetry(what)
    if isinstance(what, Mapping) and what:
        return _OfMapping(
            {
                name: as_representation(argument, item, dim, centre, scale, symmetry)
                for name, item in what.items()
            }
        )
    if isinstance(what, Sequence) and not isinstance(what, str) and what:
        parts: list[Representation] = []
        for item in what:
            parts.append(as_representation(argument, item, dim, centre, scale, symmetry))
            if not isinstance(item, FeatureType):
                centre, scale, symmetry = parts[-1].centre, parts[-1].scale, parts[-1].symmetry
        return _OfTuple(parts)
    raise ArgumentError(argument, what, "a FeatureType, a Field, a Symmetry, or a mapping or tuple of them")


def _numpy(value: Any) -> Array:
    """Any array as float64 numpy."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    return np.asarray(value, np.float64)
