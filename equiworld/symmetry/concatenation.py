"""Several fields in one array, and the walk over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field

import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.symmetry.features import FeatureType, Kind
from equiworld.symmetry.field import Array, Field

__all__ = ["Concatenation", "leaves", "placed"]


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
        nested = [part.parts if isinstance(part, Concatenation) else (part,) for part in self.parts]
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

    def size(self, dim: int) -> int:
        return sum(part.size(dim) for part in self.parts)

    def feature_type(self, dim: int) -> FeatureType:
        total = FeatureType(dim)
        for part in self.parts:
            total = total + part.feature_type(dim)
        return total

    def _split(self, dim: int, *arrays: NDArray) -> Iterator[tuple[Field, tuple[NDArray, ...]]]:
        """Each part with its share of the last axis of every array."""
        for part, where in placed(self, dim):
            yield part, tuple(array[..., where] for array in arrays)

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
            width = getattr(part.feature_type(len(centre)), part.kind)
            taken = slice(used[part.kind], used[part.kind] + width)
            shares.append(part.decode({part.kind: channels[part.kind][..., taken]}, centre))
            used[part.kind] += width
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


def leaves(field: Field) -> Iterator[Field]:
    """The plain fields that a field consists of, in order."""
    yield from field.parts if isinstance(field, Concatenation) else (field,)


def placed(field: Field, dim: int) -> Iterator[tuple[Field, slice]]:
    """The plain fields that a field consists of, and where each lies in its last axis."""
    start = 0
    for leaf in leaves(field):
        stop = start + leaf.size(dim)
        yield leaf, slice(start, stop)
        start = stop


def _join(pairs: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    return np.concatenate([low for low, _ in pairs], -1), np.concatenate([high for _, high in pairs], -1)
