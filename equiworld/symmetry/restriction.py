"""A declaration under a subgroup."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.groups.arrays import Array
from equiworld.groups.matrix_group import checked_group
from equiworld.symmetry.bodies import Permuted
from equiworld.symmetry.concatenation import Concatenation
from equiworld.symmetry.declaration import Declaration
from equiworld.symmetry.field import Field
from equiworld.symmetry.labelled import Orthogonal, SignedPermutation

__all__ = ["restricted"]

D = TypeVar("D", bound=Declaration)


def restricted(symmetry: D, group: Group, holds: str | None, reward: bool | None) -> D:
    """See `Symmetry.restricted`."""
    checked_group("group", group)
    if not symmetry.group.includes(group):
        raise ArgumentError("group", repr(group), f"a subgroup of {symmetry.group!r}")
    whole = replace(
        symmetry,
        holds=symmetry.holds if holds is None else holds,
        reward=symmetry.reward if reward is None else reward,
    )
    if group == symmetry.group:
        return whole
    if not symmetry.labelled:
        return replace(whole, group=group)
    labels = _labels_in(symmetry.group, group)

    def moved(field: Field) -> Field:
        return _field(field, symmetry.group, labels) if len(labels) else field.plain()

    return replace(
        whole,
        group=group,
        observation={name: moved(field) for name, field in symmetry.observation.items()},
        action=moved(symmetry.action),
        info={name: moved(field) for name, field in symmetry.info.items()},
    )


def _labels_in(whole: Group, part: Group) -> NDArray[np.int64]:
    """The labels in a group of the generators of a subgroup's labels; none if nothing is left of them."""
    if part.labels.order == 1:
        return np.zeros(0, np.int64)
    indices = [index for _, index in part.labels.generators]
    return np.asarray(part.section()[indices].within(whole).label, np.int64)


def _field(field: Field, whole: Group, labels: NDArray[np.int64]) -> Field:
    """A field of a group as one of the subgroup whose generators have these labels."""
    if not field.labelled:
        return field
    if isinstance(field, SignedPermutation):
        orders, signs = _monomial(field.label_images(whole)["scalars"][labels])
        return replace(field, orders=orders, signs=signs)
    if isinstance(field, Orthogonal):
        return replace(field, images=field.label_images(whole)["scalars"][labels].tolist())
    if isinstance(field, Permuted):
        inner = _field(field.field, whole, labels)
        orders, _ = _monomial(field.bodies_images(whole)[labels])
        return Permuted(inner, orders, scale=field.scale, unit=field.unit)
    if isinstance(field, Concatenation):
        return replace(field, parts=tuple(_field(part, whole, labels) for part in field.parts))
    return field  # what a body's own axes are turned by, the subgroup knows as well


def _monomial(images: Array) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
    """The orders and signs of signed permutation matrices `(k, n, n)`."""
    orders = np.abs(images).argmax(-1)
    signs = np.take_along_axis(images, orders[..., None], -1)[..., 0].astype(int)
    return tuple(map(tuple, orders.tolist())), tuple(map(tuple, signs.tolist()))
