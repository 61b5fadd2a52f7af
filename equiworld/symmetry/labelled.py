"""Numbers that a group mixes by its labels: joints that take each other's place, tensors under a finite group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field

import numpy as np

from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.symmetry.features import FeatureType, Kind
from equiworld.symmetry.field import Array, Field
from equiworld.symmetry.fields import Scalar
from equiworld.symmetry.images import (
    checked_orders,
    mixed,
    mixed_bounds,
    orthogonal_images,
    permutation_images,
)

__all__ = ["Orthogonal", "SignedPermutation", "SymmetricMatrix"]


@dataclass(frozen=True)
class _Mixed(Field):
    """Numbers that elements mix among themselves by matrices `(k, n, n)`, one for each label of the group."""

    @property
    def kind(self) -> Kind:
        return "scalars"

    @property
    def labelled(self) -> bool:
        return True

    def size(self, dim: int) -> int:
        return self.count

    def plain(self) -> Field:
        return Scalar(self.size(0))

    def feature_type(self, dim: int) -> FeatureType:
        return FeatureType(dim, scalars=self.size(0))

    def encode(self, array: Array, centre: Array) -> dict[Kind, Array]:
        return {"scalars": array}

    def decode(self, channels: Mapping[Kind, Array], centre: Array) -> Array:
        return channels["scalars"]

    def label_images(self, group: Group) -> dict[Kind, Array]:
        return {"scalars": self._matrices(group)}

    def _matrices(self, group: Group) -> Array:
        raise NotImplementedError

    def _matrix(self, g: GroupElement) -> Array:
        return self._matrices(g.group)[g.label]

    def _transform(self, g: GroupElement, array: Array, centre: Array) -> Array:
        return mixed(self._matrix(g), array)

    def bounds(self, g: GroupElement, low: Array, high: Array, centre: Array) -> tuple[Array, Array]:
        return mixed_bounds(self._matrix(g), low, high)

    def _orbit_bounds(
        self, group: Group, low: Array, high: Array, centre: Array, scale: float
    ) -> tuple[Array, Array]:
        pairs = [mixed_bounds(matrix, low, high) for matrix in self._matrices(group)]
        return np.minimum.reduce([pair[0] for pair in pairs]), np.maximum.reduce([pair[1] for pair in pairs])


@dataclass(frozen=True)
class SignedPermutation(_Mixed):
    """Numbers that take each other's place, or its negative: x ↦ signs · x[order]. Joints, torques, contacts.

    Attributes:
        orders: for each generator of the group's labels (`group.labels.generators`), which number comes to each place.
        signs: likewise, ±1 for each place; all +1 if None.

    >>> from equiworld.groups import left_right
    >>> mirror = left_right().elements()[1]
    >>> SignedPermutation([(1, 0)], [(-1, -1)]).transform(mirror, [0.1, 0.3])  # left hip, right hip
    array([-0.3, -0.1])
    """

    count: int = dataclass_field(default=1, init=False, repr=False)
    orders: Sequence[Sequence[int]] = ()
    signs: Sequence[Sequence[int]] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "orders", checked_orders(type(self).__name__, self.orders))
        object.__setattr__(self, "count", len(self.orders[0]))
        super().__post_init__()
        if self.signs is None:
            return
        signs = tuple(tuple(int(sign) for sign in each) for each in self.signs)
        shape = [len(each) for each in signs]
        if shape != [self.count] * len(self.orders) or any(abs(sign) != 1 for each in signs for sign in each):
            raise ArgumentError("SignedPermutation.signs", self.signs, f"{self.count} of ±1 for each order")
        object.__setattr__(self, "signs", signs)

    def _matrices(self, group: Group) -> Array:
        return permutation_images(group, "SignedPermutation.orders", self.orders, self.signs)


@dataclass(frozen=True)
class Orthogonal(_Mixed):
    """Numbers that are mixed by an orthogonal representation of the group's labels: x ↦ ρ(label) x.

    Attributes:
        images: for each generator of the labels its matrix `(n, n)`, row by row.

    >>> from equiworld.groups import Cyclic
    >>> Orthogonal([[[0, -1], [1, 0]]]).transform(Cyclic(4).turn(1), [1.0, 0.0]) + 0.0
    array([0., 1.])
    """

    count: int = dataclass_field(default=1, init=False, repr=False)
    images: Sequence[Sequence[Sequence[float]]] = ()

    def __post_init__(self) -> None:
        try:
            given = np.asarray(self.images, np.float64)
        except (TypeError, ValueError):
            given = np.zeros(0)
        if given.ndim != 3 or given.shape[1] != given.shape[2] or not given.size:
            raise ArgumentError("Orthogonal.images", self.images, "one square matrix for each generator")
        if not np.abs(np.swapaxes(given, 1, 2) @ given - np.eye(given.shape[-1])).max() <= 1e-9:
            raise ArgumentError("Orthogonal.images", self.images, "orthogonal matrices")
        images = tuple(tuple(tuple(row) for row in matrix) for matrix in given.tolist())
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "count", given.shape[-1])
        super().__post_init__()

    def _matrices(self, group: Group) -> Array:
        return orthogonal_images(group, self.images)


@dataclass(frozen=True)
class SymmetricMatrix(_Mixed):
    """Symmetric 3 × 3 matrices as six numbers: S ↦ R S Rᵀ. Inertia, stress.

    Under a group of infinitely many elements they are no Features, for no channel turns like them.

    Attributes:
        count: how many.
        order: which entries the six numbers are: MuJoCo's xx yy zz xy xz yz unless given.

    >>> from equiworld.groups import SO3
    >>> quarter = SO3().rotation([0.0, 0.0, np.pi / 2])
    >>> SymmetricMatrix().transform(quarter, [1.0, 2.0, 3.0, 0.5, 0.0, 0.0]).round(9) + 0.0
    array([ 2. ,  1. ,  3. , -0.5,  0. ,  0. ])
    """

    order: tuple[str, ...] = ("xx", "yy", "zz", "xy", "xz", "yz")

    def __post_init__(self) -> None:
        super().__post_init__()
        entries = tuple("".join(sorted(entry)) for entry in self.order)
        if sorted(entries) != ["xx", "xy", "xz", "yy", "yz", "zz"]:
            raise ArgumentError("SymmetricMatrix.order", self.order, "xx, yy, zz, xy, xz, yz in some order")
        object.__setattr__(self, "order", entries)

    def size(self, dim: int) -> int:
        if dim not in (0, 3):
            raise ArgumentError("SymmetricMatrix", f"dimension {dim}", "dimension 3")
        return 6 * self.count

    def check_features(self, name: str, group: Group) -> None:
        if not group.finite:
            raise ArgumentError(
                name,
                f"{self!r} under {group!r}",
                "a finite group: no Features turn like it under infinitely many elements",
            )

    def _matrices(self, group: Group) -> Array:
        self.check_features("SymmetricMatrix", group)
        section = group.section()
        return self._matrix(section)

    def _matrix(self, g: GroupElement) -> Array:
        places = [("xyz".index(entry[0]), "xyz".index(entry[1])) for entry in self.order]
        rows = [np.stack([_square(g.matrix, i, j, k, m) for k, m in places], axis=-1) for i, j in places]
        once = np.stack(rows, axis=-2)
        whole = np.zeros((*once.shape[:-2], 6 * self.count, 6 * self.count))
        for item in range(self.count):
            part = slice(6 * item, 6 * item + 6)
            whole[..., part, part] = once
        return whole

    def _orbit_bounds(
        self, group: Group, low: Array, high: Array, centre: Array, scale: float
    ) -> tuple[Array, Array]:
        if group.finite:
            return super()._orbit_bounds(group, low, high, centre, scale)
        most = np.maximum(
            np.abs(low), np.abs(high)
        )  # no entry exceeds the Frobenius norm, off-diagonals twice
        items = most.reshape(*most.shape[:-1], self.count, 6)
        weights = np.array([1.0 if entry[0] == entry[1] else 2.0 for entry in self.order])
        with np.errstate(over="ignore"):
            reach = np.sqrt((weights * items**2).sum(-1, keepdims=True))
        reach = np.broadcast_to(reach, items.shape).reshape(low.shape)
        return -reach, reach


def _square(matrix: Array, i: int, j: int, k: int, m: int) -> Array:
    """How much of entry km of S there is in entry ij of R S Rᵀ."""
    once = matrix[..., i, k] * matrix[..., j, m]
    return once if k == m else once + matrix[..., i, m] * matrix[..., j, k]
