"""One array of an observation that holds several things, split where it is declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field

import numpy as np
from numpy.typing import NDArray

from equiworld.arguments import integer
from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.symmetry.concatenation import Concatenation, Interleaved
from equiworld.symmetry.features import Kind
from equiworld.symmetry.field import Array, Field

__all__ = ["Parts", "Places", "split"]

Places = Mapping[str, tuple[str, tuple[int, ...]]]
"""By field, the key of the observation that holds it, and the places of its numbers there."""


@dataclass(frozen=True)
class Parts(Concatenation):
    """The fields of one array, by name: one behind the other, or at places that are told.

    In the observation of a `Symmetry` each is a field of its own, called by its own name.

    Attributes:
        fields: by name, in order.
        at: the places of those fields that do not follow the one before; all others fill what is left, in order.

    >>> from equiworld.symmetry import Pseudoscalar, Scalar, Symmetry, Vector
    >>> from equiworld.groups import O2
    >>> reacher = Parts({"arm": Vector(), "elbow": Scalar(), "bend": Pseudoscalar()}, at={"arm": (0, 2)})
    >>> symmetry = Symmetry(O2(), {"joints": reacher}, Pseudoscalar(2))
    >>> {name: array.tolist() for name, array in symmetry.observed({"joints": [1.0, 0.6, 0.0, 0.8]}).items()}
    {'arm': [1.0, 0.0], 'elbow': [0.6], 'bend': [0.8]}
    """

    parts: tuple[Field, ...] = dataclass_field(init=False, repr=False, compare=False, default=())
    fields: Mapping[str, Field] = dataclass_field(default_factory=dict, hash=False)
    at: Mapping[str, Sequence[int]] = dataclass_field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.fields, Mapping) or not self.fields:
            raise ArgumentError("Parts.fields", self.fields, "fields by name, one or more")
        unknown = [name for name in self.at if name not in self.fields]
        if unknown:
            raise ArgumentError("Parts.at", repr(unknown[0]), "names of parts", self.fields)
        object.__setattr__(self, "fields", dict(self.fields))
        at = {
            name: tuple(integer("Parts.at", each, least=0) for each in places)
            for name, places in self.at.items()
        }
        object.__setattr__(self, "at", at)
        object.__setattr__(self, "parts", tuple(self.fields.values()))
        if not all(isinstance(part, Field) for part in self.parts):
            raise ArgumentError("Parts.fields", self.fields, "fields by name, one or more")

    def places(self, dim: int) -> dict[str, tuple[int, ...]]:
        """The places of each field's numbers.

        Raises:
            ArgumentError: a field has another number of numbers than places, or two share one.
        """
        size = self.size(dim)
        taken = [place for places in self.at.values() for place in places]
        if len(set(taken)) < len(taken) or any(place >= size for place in taken):
            raise ArgumentError(
                "Parts.at", dict(self.at), f"different places below {size}, the number of all numbers"
            )
        left = iter([place for place in range(size) if place not in set(taken)])
        found = {}
        for name, part in self.fields.items():
            width = part.size(dim)
            places = self.at.get(name)
            if places is not None and len(places) != width:
                raise ArgumentError(f"Parts.at[{name!r}]", f"{len(places)} places", f"{width} for {part!r}")
            found[name] = tuple(places) if places is not None else tuple(next(left) for _ in range(width))
        return found

    def placed(self, dim: int) -> Interleaved:
        """The same without names, for arrays of dimension `dim`."""
        return Interleaved(self.parts, at=tuple(self.places(dim).values()))

    def plain(self) -> Field:
        return replace(self, fields={name: part.plain() for name, part in self.fields.items()})

    def encode(self, array: Array, centre: Array) -> dict[Kind, Array]:
        return self.placed(len(centre)).encode(array, centre)

    def decode(self, channels: Mapping[Kind, Array], centre: Array) -> Array:
        return self.placed(len(centre)).decode(channels, centre)

    def _transform(self, g: GroupElement, array: Array, centre: Array) -> Array:
        return self.placed(len(centre))._transform(g, array, centre)

    def to_dtype(self, array: Array, dtype: np.dtype, dim: int) -> NDArray[np.floating]:
        return self.placed(dim).to_dtype(array, dtype, dim)

    def bounds(self, g: GroupElement, low: Array, high: Array, centre: Array) -> tuple[Array, Array]:
        return self.placed(len(centre)).bounds(g, low, high, centre)

    def _orbit_bounds(
        self, group: Group, low: Array, high: Array, centre: Array, scale: float
    ) -> tuple[Array, Array]:
        return self.placed(len(centre))._orbit_bounds(group, low, high, centre, scale)


def split(observation: Mapping[str, Field], dim: int) -> tuple[dict[str, Field], Places]:
    """All fields of an observation by name, and where those of `Parts` lie.

    Raises:
        ArgumentError: two fields, or a field and another one's key, have the same name.
    """
    fields: dict[str, Field] = {}
    places: dict[str, tuple[str, tuple[int, ...]]] = {}
    keys = {key for key, value in observation.items() if isinstance(value, Parts)}
    for key, value in observation.items():
        inside = value.fields if isinstance(value, Parts) else {key: value}
        for name, part in inside.items():
            if name in fields or name in keys:
                raise ArgumentError(
                    "observation", f"the name {name!r} twice", "another name for each field and key"
                )
            fields[name] = part
        if isinstance(value, Parts):
            places |= {name: (key, at) for name, at in value.places(dim).items()}
    return fields, places
