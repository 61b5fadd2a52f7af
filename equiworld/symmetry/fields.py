"""The types of field: what a column of numbers means, and so how it transforms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field

import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.symmetry.features import FeatureType, Kind
from equiworld.symmetry.field import Array, Field, multiply
from equiworld.symmetry.intervals import ball_interval, linear_interval
from equiworld.symmetry.orientations import Heading, Rotation

__all__ = [
    "Cloud",
    "Concatenation",
    "Field",
    "Heading",
    "Point",
    "Pseudoscalar",
    "Pseudovector",
    "Rotation",
    "Scalar",
    "Vector",
]


@dataclass(frozen=True)
class _Numbers(Field):
    """Single numbers: x, or det(R)·x."""

    @property
    def kind(self) -> Kind:
        return "scalars"

    def size(self, dim: int) -> int:
        return self.count

    def encode(self, array: Array, centre: Array) -> dict[Kind, Array]:
        return {"scalars": array}

    def decode(self, channels: Mapping[Kind, Array], centre: Array) -> Array:
        return channels["scalars"]

    def _sign(self, g: GroupElement) -> Array:
        """The factor of the numbers, `(…, 1)`."""
        determinant = np.sign(np.asarray(g.determinant, np.float64))[..., None]
        return determinant if self.pseudo else np.ones_like(determinant)

    def _transform(self, g: GroupElement, array: Array, centre: Array) -> Array:
        return self._sign(g) * array

    def bounds(self, g: GroupElement, low: Array, high: Array, centre: Array) -> tuple[Array, Array]:
        sign = self._sign(g)
        return np.where(sign > 0, low, -high), np.where(sign > 0, high, -low)

    def _orbit_bounds(
        self, group: Group, low: Array, high: Array, centre: Array, scale: float
    ) -> tuple[Array, Array]:
        if group.proper or not self.pseudo:
            return low, high
        return np.minimum(low, -high), np.maximum(high, -low)


@dataclass(frozen=True)
class Scalar(_Numbers):
    """Numbers that no isometry changes: x ↦ x. Masses, distances, joint angles.

    >>> from equiworld.groups import O2
    >>> Scalar(2).transform(O2().reflection(0.3), [1.0, 2.0])
    array([1., 2.])
    """


@dataclass(frozen=True)
class Pseudoscalar(_Numbers):
    """Numbers that a reflection negates: x ↦ det(R)·x. Signed angles and angle rates in the plane.

    >>> from equiworld.groups import O2
    >>> Pseudoscalar().transform(O2().reflection(0.3), [1.0])
    array([-1.])
    """

    @property
    def pseudo(self) -> bool:
        return True


@dataclass(frozen=True)
class _Arrows(Field):
    """Items of R^d, moved by one matrix and one offset: x ↦ M x + b."""

    @property
    def kind(self) -> Kind:
        return "vectors"

    @property
    def _affine(self) -> bool:
        return self.kind == "points"

    def size(self, dim: int) -> int:
        return self.count * dim

    def _items(self, array: Array, dim: int) -> Array:
        return array.reshape(*array.shape[:-1], self.count, dim)

    def encode(self, array: Array, centre: Array) -> dict[Kind, Array]:
        items = self._items(array, len(centre))
        return {self.kind: np.swapaxes(items - centre if self._affine else items, -1, -2)}

    def decode(self, channels: Mapping[Kind, Array], centre: Array) -> Array:
        items = np.swapaxes(channels[self.kind], -1, -2)
        items = items + centre if self._affine else items
        return items.reshape(*items.shape[:-2], self.size(len(centre)))

    def _matrix(self, g: GroupElement) -> Array:
        if not self.pseudo:
            return g.matrix
        return np.sign(np.asarray(g.determinant))[..., None, None] * g.matrix

    def _offset(self, g: GroupElement, centre: Array) -> Array:
        # c + R (x − c) + t as R x + (c − R c + t): the identity then keeps every bit of x
        if not self._affine:
            return np.zeros_like(g.translation)
        return (centre - multiply(g.matrix, centre[None])[..., 0, :]) + g.translation

    def _transform(self, g: GroupElement, array: Array, centre: Array) -> Array:
        items = self._items(array, len(centre))
        moved = multiply(self._matrix(g), items) + self._offset(g, centre)[..., None, :]
        return moved.reshape(array.shape)

    def bounds(self, g: GroupElement, low: Array, high: Array, centre: Array) -> tuple[Array, Array]:
        items = self._items(low, len(centre)), self._items(high, len(centre))
        lower, upper = linear_interval(self._matrix(g), self._offset(g, centre), *items)
        return lower.reshape(low.shape), upper.reshape(high.shape)

    def _orbit_bounds(
        self, group: Group, low: Array, high: Array, centre: Array, scale: float
    ) -> tuple[Array, Array]:
        items = self._items(low, len(centre)), self._items(high, len(centre))
        about, shift = (centre, scale) if self._affine else (np.zeros_like(centre), 0.0)
        lower, upper = ball_interval(about, shift, *items)
        return lower.reshape(low.shape), upper.reshape(high.shape)


@dataclass(frozen=True)
class Vector(_Arrows):
    """Arrows: v ↦ R v. Velocities, forces, displacements, relative actions.

    >>> from equiworld.groups import SE2
    >>> Vector().transform(SE2().rotation(np.pi / 2), [1.0, 0.0]).round(6)
    array([0., 1.])
    """


@dataclass(frozen=True)
class Pseudovector(_Arrows):
    """Axial vectors: v ↦ det(R)·R v. Angular velocities and torques in space.

    >>> from equiworld.groups import O3
    >>> point_reflection = O3().element(-np.eye(3))
    >>> Pseudovector().transform(point_reflection, [1.0, 2.0, 3.0])
    array([1., 2., 3.])
    """

    @property
    def pseudo(self) -> bool:
        return True


@dataclass(frozen=True)
class Point(_Arrows):
    """Positions: x ↦ c + R (x − c) + t. Bodies, keypoints, absolute targets.

    >>> from equiworld.groups import SE2
    >>> Point().transform(SE2().rotation(np.pi), [3.0, 1.0], centre=(1.0, 1.0)).round(6)
    array([-1.,  1.])
    """

    @property
    def kind(self) -> Kind:
        return "points"


@dataclass(frozen=True)
class Cloud(_Arrows):
    """Positions whose order means nothing; they transform as `Point` does.

    >>> Cloud(128).size(dim=3)
    384
    """

    @property
    def kind(self) -> Kind:
        return "points"


@dataclass(frozen=True)
class Concatenation(Field):
    """Several fields, `parts`, in one array, one behind the other: a pose (x, y, angle), a force and a gripper.

    >>> from equiworld.groups import SE2
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
