"""The types of field: what a column of numbers means, and so how it transforms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field

import numpy as np
from numpy.typing import NDArray

from equiworld.arguments import integer
from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.symmetry.features import Kind
from equiworld.symmetry.field import Array, Field
from equiworld.symmetry.heading import Heading
from equiworld.symmetry.intervals import ball_interval, linear_interval
from equiworld.symmetry.motion import Motion, multiply
from equiworld.symmetry.rotation import Rotation

__all__ = [
    "Cloud",
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

    def motion(self, g: GroupElement, centre: Array) -> Motion | None:
        return Motion(self._sign(g)[..., None]) if self.pseudo else Motion()

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

    def _sources(self, g: GroupElement) -> NDArray[np.intp] | None:
        """The source item of each place; None if each stays in its own."""
        return None

    def motion(self, g: GroupElement, centre: Array) -> Motion | None:
        return Motion(self._matrix(g), self._offset(g, centre), self._sources(g))

    def bounds(self, g: GroupElement, low: Array, high: Array, centre: Array) -> tuple[Array, Array]:
        items = self._items(low, len(centre)), self._items(high, len(centre))
        matrix, offset = self._matrix(g), self._offset(g, centre)
        placed = Motion(sources=self._sources(g)).placed
        lower, upper = (placed(side) for side in linear_interval(matrix, offset, *items))
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

    Marks on a body that is its own mirror image are told apart by what a reflection makes of them: the left corner
    of the turned body is where the right one went.

    Attributes:
        count: how many.
        mirror: which point takes whose place under a reflection: point i goes where point `mirror[i]` was sent. An
            exchange in pairs; None if each keeps its own.

    >>> from equiworld.groups import SE2
    >>> Point().transform(SE2().rotation(np.pi), [3.0, 1.0], centre=(1.0, 1.0)).round(6)
    array([-1.,  1.])
    >>> from equiworld.groups import O2
    >>> Point(2, mirror=(1, 0)).transform(O2().reflection(0.0), [1.0, 2.0, 3.0, 4.0]).round(6)
    array([ 3., -4.,  1., -2.])
    """

    mirror: tuple[int, ...] | None = dataclass_field(default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mirror is None:
            return
        try:
            mirror = tuple(integer("Point.mirror", each) for each in self.mirror)
        except TypeError:
            mirror = ()
        if sorted(mirror) != list(range(self.count)) or any(mirror[j] != i for i, j in enumerate(mirror)):
            raise ArgumentError(
                "Point.mirror",
                self.mirror,
                f"an exchange in pairs of the {self.count} indices from 0 on, or None",
            )
        object.__setattr__(self, "mirror", mirror)

    @property
    def kind(self) -> Kind:
        return "points"

    def label_images(self, group: Group) -> dict[Kind, Array]:
        images = super().label_images(group)
        if self.mirror is not None:
            reflects = group.labels.determinants < 0
            images["points"][reflects] = images["points"][reflects][:, self.mirror]
        return images

    def _sources(self, g: GroupElement) -> NDArray[np.intp] | None:
        reflects = np.asarray(g.determinant) < 0
        if self.mirror is None or not reflects.any():
            return None
        mirror = np.array(self.mirror)
        return mirror if reflects.all() else np.where(reflects[..., None], mirror, np.arange(self.count))

    def _orbit_bounds(
        self, group: Group, low: Array, high: Array, centre: Array, scale: float
    ) -> tuple[Array, Array]:
        lower, upper = super()._orbit_bounds(group, low, high, centre, scale)
        if self.mirror is None or group.proper:
            return lower, upper
        lows, highs = (self._items(side, len(centre)) for side in (lower, upper))
        lows = np.minimum(lows, lows[..., self.mirror, :])
        highs = np.maximum(highs, highs[..., self.mirror, :])
        return lows.reshape(low.shape), highs.reshape(high.shape)


@dataclass(frozen=True)
class Cloud(_Arrows):
    """Positions whose order means nothing; they transform as `Point` does.

    Attributes:
        count: how many; None for as many as there are. An environment's space says it (`symmetry_of(env)`), or an
            observation (`Symmetry.sized`).

    >>> Cloud(128).size(dim=3)
    384
    >>> from equiworld.groups import SO2
    >>> from equiworld.symmetry import Symmetry
    >>> symmetry = Symmetry(SO2(), {"cloud": Cloud()}, action=Vector())
    >>> symmetry.transform_observation(SO2().rotation(np.pi), {"cloud": [1.0, 0.0, 2.0, 0.0]})["cloud"].round(9) + 0.0
    array([-1.,  0., -2.,  0.])
    """

    count: int = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.count is not None:
            super().__post_init__()

    def size(self, dim: int) -> int:
        if self.count is None:
            expected = "how many points: symmetry_of(env) knows, or symmetry.sized(observation)"
            raise ArgumentError("Cloud.count", None, expected)
        return super().size(dim)

    @property
    def kind(self) -> Kind:
        return "points"
