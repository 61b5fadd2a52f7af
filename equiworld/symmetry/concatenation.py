"""Several fields in one array, and the walk over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.arguments import integer
from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.symmetry.features import KINDS, FeatureType, Kind
from equiworld.symmetry.field import Array, Field
from equiworld.symmetry.images import block_diagonal

__all__ = ["Concatenation", "Interleaved", "leaves", "placed", "units"]


@dataclass(frozen=True)
class Concatenation(Field):
    """Several fields, `parts`, in one array, one behind the other: a pose (x, y, angle), a force and a gripper.

    >>> from equiworld.groups import SE2
    >>> from equiworld.symmetry import Heading, Point
    >>> pose = Concatenation((Point(), Heading()))
    >>> pose.transform(SE2().rotation(np.pi / 2), [1.0, 0.0, 0.0]).round(6)
    array([0.      , 1.      , 1.570796])
    """

    count: int = dataclass_field(default=1, init=False, repr=False)
    parts: tuple[Field, ...]

    def __post_init__(self) -> None:
        if not self.parts or not all(isinstance(part, Field) for part in self.parts):
            raise ArgumentError("Concatenation.parts", self.parts, "one or more fields")
        nested = [part.parts if type(part) is Concatenation else (part,) for part in self.parts]
        object.__setattr__(self, "parts", tuple(part for parts in nested for part in parts))

    @property
    def kind(self) -> Kind:
        kinds = {part.kind for part in self.parts}
        if len(kinds) > 1:
            raise ArgumentError(
                "Concatenation",
                f"a mixture of {sorted(kinds)}",
                "one kind of feature; declare its parts by name",
            )
        return kinds.pop()

    @property
    def pseudo(self) -> bool:
        return any(part.pseudo for part in self.parts)

    @property
    def labelled(self) -> bool:
        return any(part.labelled for part in self.parts)

    @property
    def affine(self) -> bool:
        return all(part.affine for part in self.parts)

    def plain(self) -> Field:
        return Concatenation(tuple(part.plain() for part in self.parts)) if self.labelled else self

    def check_features(self, name: str, group: Group) -> None:
        for part in self.parts:
            part.check_features(name, group)

    def label_images(self, group: Group) -> dict[Kind, Array]:
        joined: dict[Kind, list[Array]] = {}
        for part in self.parts:
            for kind, images in part.label_images(group).items():
                joined.setdefault(kind, []).append(images)
        return {kind: block_diagonal(images) for kind, images in joined.items()}

    def size(self, dim: int) -> int:
        return sum(part.size(dim) for part in self.parts)

    def feature_type(self, dim: int) -> FeatureType:
        total = FeatureType(dim)
        for part in self.parts:
            total = total + part.feature_type(dim)
        return total

    def _split(self, dim: int, *arrays: NDArray) -> Iterator[tuple[Field, tuple[NDArray, ...]]]:
        """Each part with its share of the last axis of every array."""
        start = 0
        for part in self.parts:
            where = slice(start, start + part.size(dim))
            yield part, tuple(array[..., where] for array in arrays)
            start = where.stop

    def encode(self, array: Array, centre: Array) -> dict[Kind, Array]:
        joined: dict[Kind, list[Array]] = {}
        for part, (share,) in self._split(len(centre), array):
            for kind, channels in part.encode(share, centre).items():
                joined.setdefault(kind, []).append(channels)
        return {kind: np.concatenate(channels, -1) for kind, channels in joined.items()}

    def decode(self, channels: Mapping[Kind, Array], centre: Array) -> Array:
        used: dict[Kind, int] = {"scalars": 0, "vectors": 0, "points": 0}
        shares = []
        for part in self.parts:
            taken: dict[Kind, Array] = {}
            for kind in KINDS:
                width = getattr(part.feature_type(len(centre)), kind)
                if width:
                    taken[kind] = channels[kind][..., used[kind] : used[kind] + width]
                    used[kind] += width
            shares.append(part.decode(taken, centre))
        return np.concatenate(shares, -1)

    def _transform(self, g: GroupElement, array: Array, centre: Array) -> Array:
        moved = [part._transform(g, share, centre) for part, (share,) in self._split(len(centre), array)]
        return np.concatenate(moved, -1)

    def to_dtype(self, array: Array, dtype: np.dtype, dim: int) -> NDArray[np.floating]:
        shares = self._split(dim, array)
        return np.concatenate([part.to_dtype(share, dtype, dim) for part, (share,) in shares], -1)

    def bounds(self, g: GroupElement, low: Array, high: Array, centre: Array) -> tuple[Array, Array]:
        shares = self._split(len(centre), low, high)
        return _join([part.bounds(g, lower, upper, centre) for part, (lower, upper) in shares])

    def _orbit_bounds(
        self, group: Group, low: Array, high: Array, centre: Array, scale: float
    ) -> tuple[Array, Array]:
        shares = self._split(len(centre), low, high)
        return _join(
            [part._orbit_bounds(group, lower, upper, centre, scale) for part, (lower, upper) in shares]
        )


@dataclass(frozen=True)
class Interleaved(Concatenation):
    """Several fields whose numbers lie among each other in one array: `at` says where each part's do.

    >>> from equiworld.groups import SO2
    >>> from equiworld.symmetry import Scalar, Vector
    >>> arm = Interleaved((Vector(), Scalar(2)), at=((0, 2), (1, 3)))  # cos q1, cos q2, sin q1, sin q2
    >>> arm.transform(SO2().rotation(np.pi / 2), [1.0, 0.3, 0.0, 0.4]).round(9) + 0.0
    array([0. , 0.3, 1. , 0.4])
    """

    at: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        given = self.parts
        super().__post_init__()
        object.__setattr__(self, "parts", tuple(given))  # as `at` counts them
        try:
            at = tuple(tuple(integer("Interleaved.at", index, least=0) for index in each) for each in self.at)
        except TypeError:
            at = ()
        taken = [index for each in at for index in each]
        if len(at) != len(self.parts) or sorted(taken) != list(range(len(taken))):
            raise ArgumentError(
                "Interleaved.at", self.at, "for each part its places, each of 0 … n−1 once in all"
            )
        object.__setattr__(self, "at", at)

    def size(self, dim: int) -> int:
        for part, places in zip(self.parts, self.at, strict=True):
            if part.size(dim) != len(places):
                raise ArgumentError(
                    "Interleaved.at", f"{len(places)} places", f"{part.size(dim)} for {part!r}"
                )
        return super().size(dim)

    def plain(self) -> Field:
        return replace(self, parts=tuple(part.plain() for part in self.parts)) if self.labelled else self

    @property
    def _order(self) -> NDArray[np.int64]:
        return np.array([index for each in self.at for index in each])

    def _gathered(self, array: NDArray) -> NDArray:
        return array[..., self._order]

    def _scattered(self, array: NDArray) -> NDArray:
        return array[..., np.argsort(self._order)]

    def encode(self, array: Array, centre: Array) -> dict[Kind, Array]:
        return super().encode(self._gathered(array), centre)

    def decode(self, channels: Mapping[Kind, Array], centre: Array) -> Array:
        return self._scattered(super().decode(channels, centre))

    def _transform(self, g: GroupElement, array: Array, centre: Array) -> Array:
        return self._scattered(super()._transform(g, self._gathered(array), centre))

    def to_dtype(self, array: Array, dtype: np.dtype, dim: int) -> NDArray[np.floating]:
        return self._scattered(super().to_dtype(self._gathered(array), dtype, dim))

    def bounds(self, g: GroupElement, low: Array, high: Array, centre: Array) -> tuple[Array, Array]:
        lower, upper = super().bounds(g, self._gathered(low), self._gathered(high), centre)
        return self._scattered(lower), self._scattered(upper)

    def _orbit_bounds(
        self, group: Group, low: Array, high: Array, centre: Array, scale: float
    ) -> tuple[Array, Array]:
        lower, upper = super()._orbit_bounds(group, self._gathered(low), self._gathered(high), centre, scale)
        return self._scattered(lower), self._scattered(upper)


def leaves(field: Field) -> Iterator[Field]:
    """The plain fields that a field consists of, in order."""
    if not isinstance(field, Concatenation):
        yield field
        return
    for part in field.parts:
        yield from leaves(part)


def placed(field: Field, dim: int) -> Iterator[tuple[Field, slice]]:
    """The plain fields that a field consists of, and where each lies in its last axis, one behind the other."""
    start = 0
    for leaf in leaves(field):
        stop = start + leaf.size(dim)
        yield leaf, slice(start, stop)
        start = stop


def units(
    field: Field, dim: int, at: Sequence[int] | NDArray[np.int64] | None = None
) -> Iterator[tuple[Field, Any]]:
    """The fields that turn each by itself, and the places of their numbers in the last axis, `(size,)`."""
    places = np.arange(field.size(dim)) if at is None else np.asarray(at)
    if type(field) is Concatenation:
        start = 0
        for part in field.parts:
            stop = start + part.size(dim)
            yield from units(part, dim, places[start:stop])
            start = stop
    elif isinstance(field, Interleaved):
        for part, own in zip(field.parts, field.at, strict=True):
            yield from units(part, dim, places[list(own)])
    else:
        yield field, places


def _join(pairs: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    return np.concatenate([low for low, _ in pairs], -1), np.concatenate([high for _, high in pairs], -1)
