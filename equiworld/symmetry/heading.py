"""Which way something points in the plane, as an angle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field

import numpy as np
from numpy.typing import NDArray

from equiworld.arguments import number
from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.symmetry.features import FeatureType, Kind
from equiworld.symmetry.field import Array, Field
from equiworld.symmetry.images import block_diagonal, body_images
from equiworld.symmetry.motion import TURN, Motion, wrapped

__all__ = ["Heading"]


@dataclass(frozen=True)
class Heading(Field):
    """Planar angles [rad]: θ ↦ arg R + θ, or arg R − θ − 2φ if R reflects; wrapped into [low, low + 2π).

    φ is the direction in the body, from where its angle is measured, that its mirror image keeps. In Features a
    heading is the unit vector of that direction, (cos(θ + φ), sin(θ + φ)), which any isometry turns as an arrow.

    A body with a symmetry of its own looks the same turned by h against itself: Q ↦ R Q hᵀ, θ ↦ arg R ± θ − arg h, and
    both of its axes are Features.

    Attributes:
        count: how many angles.
        low: where the range begins [rad].
        axis: φ, the body's mirror axis [rad]. Of a body that is not its own mirror image any will do.
        body: whether the group's labels turn bodies against themselves, by `group.labels.natural["body"]`.

    >>> from equiworld.groups import SO2
    >>> Heading(low=0.0).transform(SO2().rotation(0.5), [6.0]).round(6)
    array([0.216815])
    """

    low: float = -np.pi
    axis: float = 0.0
    body: bool = dataclass_field(default=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.body and self.axis:
            raise ArgumentError(
                "Heading.axis", self.axis, "0 with body=True: the labels say what mirrors the body"
            )
        for name in ("low", "axis"):
            object.__setattr__(self, name, number(f"Heading.{name}", getattr(self, name)))

    @property
    def kind(self) -> Kind:
        return "vectors"

    def size(self, dim: int) -> int:
        if dim != 2:
            raise ArgumentError("Heading", f"dimension {dim}", "dimension 2; Rotation is its kin in space")
        return self.count

    @property
    def labelled(self) -> bool:
        return self.body

    @property
    def affine(self) -> bool:
        return False  # it is wrapped

    def plain(self) -> Field:
        return replace(self, body=False)

    def feature_type(self, dim: int) -> FeatureType:
        return FeatureType(dim, vectors=2 * self.count if self.body else self.count)

    def label_images(self, group: Group) -> dict[Kind, Array]:
        if not self.body:
            return super().label_images(group)
        return {"vectors": block_diagonal([body_images(group, 2)] * self.count)}

    def encode(self, array: Array, centre: Array) -> dict[Kind, Array]:
        angle = array + self.axis
        first = np.stack([np.cos(angle), np.sin(angle)], -2)
        if not self.body:
            return {"vectors": first}
        second = np.stack([-first[..., 1, :], first[..., 0, :]], -2)
        return {"vectors": np.stack([first, second], -1).reshape(*first.shape[:-1], 2 * self.count)}

    def decode(self, channels: Mapping[Kind, Array], centre: Array) -> Array:
        vectors = channels["vectors"]
        if self.body:  # the second axis, a quarter turn ahead, is turned back
            ahead = vectors[..., 1::2]
            vectors = vectors[..., ::2] + np.stack([ahead[..., 1, :], -ahead[..., 0, :]], -2)
        return wrapped(np.arctan2(vectors[..., 1, :], vectors[..., 0, :]) - self.axis, self.low)

    def to_dtype(self, array: Array, dtype: np.dtype, dim: int) -> NDArray[np.floating]:
        rounded = array.astype(dtype)
        # float32 may round the largest angles up to the excluded end: the same direction as `low`
        return np.where(rounded >= dtype.type(self.low + TURN), dtype.type(self.low), rounded)

    def _turn(self, g: GroupElement) -> tuple[Array, Array]:
        """What g makes of an angle θ, as a sum: a and s of θ ↦ a + s·θ, `(…, 1)`."""
        sign = np.sign(np.asarray(g.determinant))[..., None]
        angle = np.asarray(np.arctan2(g.matrix[..., 1, 0], g.matrix[..., 0, 0]))[..., None]
        if self.body:
            own = body_images(g.group, 2)[g.label]
            return angle - np.arctan2(own[..., 1, 0], own[..., 0, 0])[..., None], sign
        return angle + (sign - 1.0) * self.axis, sign

    def motion(self, g: GroupElement, centre: Array) -> Motion | None:
        angle, sign = self._turn(g)
        return Motion(sign[..., None], angle, low=self.low)

    def bounds(self, g: GroupElement, low: Array, high: Array, centre: Array) -> tuple[Array, Array]:
        angle, sign = self._turn(g)
        top = self.low + TURN
        kept = (
            (angle == 0)
            & (sign > 0)
            & (low >= self.low)
            & ((high < top) | ((high == top) & (low == self.low)))
        )
        with np.errstate(invalid="ignore", over="ignore"):
            start = wrapped(angle + np.where(sign > 0, low, -high), self.low)
            end = start + (high - low)
            # an arc that may touch the seam, also by rounding, is the whole circle as an interval
            inside = (start - 1e-6 > self.low) & (end + 1e-6 < top)
        slack = 1e-12 * (1 + np.where(inside, np.abs(low) + np.abs(high), 0.0))
        lower = np.where(inside, start - slack, self.low)
        upper = np.where(inside, end + slack, top)
        return np.where(kept, low, lower), np.where(kept, high, upper)

    def _orbit_bounds(
        self, group: Group, low: Array, high: Array, centre: Array, scale: float
    ) -> tuple[Array, Array]:
        return np.full_like(low, self.low), np.full_like(high, self.low + TURN)
