"""Whole bodies that a group's labels put in each other's place while what they hold turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field

import numpy as np

from equiworld.arguments import integer
from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.symmetry.concatenation import Concatenation, leaves
from equiworld.symmetry.features import Kind
from equiworld.symmetry.field import Array, Field
from equiworld.symmetry.fields import Cloud, Scalar
from equiworld.symmetry.images import checked_orders, permutation_images

__all__ = ["Objects", "Permuted", "clouds_in"]


@dataclass(frozen=True)
class Permuted(Concatenation):
    """Whole bodies that take each other's place while what they hold turns: x_i ↦ ρ(g) x_order(i).

    Attributes:
        field: what one body holds.
        orders: for each generator of the group's labels, which body comes to each place.

    >>> from equiworld.groups import left_right
    >>> from equiworld.symmetry import Vector
    >>> mirror = left_right().elements()[1]
    >>> feet = Permuted(Vector(), [(1, 0)])  # the force on the left foot, on the right one
    >>> feet.transform(mirror, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    array([ 4., -5.,  6.,  1., -2.,  3.])
    """

    parts: tuple[Field, ...] = dataclass_field(init=False, repr=False, compare=False, default=())
    field: Field = dataclass_field(default_factory=Scalar)
    orders: Sequence[Sequence[int]] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "orders", checked_orders(type(self).__name__, self.orders))
        self._repeat(len(self.orders[0]))

    def _repeat(self, bodies: int) -> None:
        if not isinstance(self.field, Field):
            raise ArgumentError(f"{type(self).__name__}.field", self.field, "a field, such as Vector()")
        object.__setattr__(self, "parts", (self.field,) * bodies)
        super().__post_init__()

    @property
    def bodies(self) -> int:
        """How many."""
        return len(self.orders[0])

    @property
    def labelled(self) -> bool:
        return True

    def plain(self) -> Field:
        return Concatenation((self.field.plain(),) * self.bodies)

    def bodies_images(self, group: Group) -> Array:
        """The permutations of the bodies, `(k, bodies, bodies)`."""
        return permutation_images(group, f"{type(self).__name__}.orders", self.orders, None)

    def label_images(self, group: Group) -> dict[Kind, Array]:
        images = self.bodies_images(group)
        return {
            kind: np.einsum("kab,kij->kaibj", images, each).reshape(
                len(images), self.bodies * each.shape[-1], self.bodies * each.shape[-1]
            )
            for kind, each in self.field.label_images(group).items()
        }

    def _placed(self, matrix: Array, array: Array) -> Array:
        """Bodies `(…, bodies · size)` in the places where matrices `(…, bodies, bodies)` put them."""
        items = array.reshape(*array.shape[:-1], self.bodies, array.shape[-1] // self.bodies)
        sources = np.broadcast_to(matrix.argmax(-1), items.shape[:-1])
        return np.take_along_axis(items, sources[..., None], -2).reshape(array.shape)

    def _transform(self, g: GroupElement, array: Array, centre: Array) -> Array:
        moved = super()._transform(g, array, centre)
        return self._placed(self.bodies_images(g.group)[g.label], moved)

    def bounds(self, g: GroupElement, low: Array, high: Array, centre: Array) -> tuple[Array, Array]:
        matrix = self.bodies_images(g.group)[g.label]
        lower, upper = super().bounds(g, low, high, centre)
        return self._placed(matrix, lower), self._placed(matrix, upper)

    def _orbit_bounds(
        self, group: Group, low: Array, high: Array, centre: Array, scale: float
    ) -> tuple[Array, Array]:
        lower, upper = super()._orbit_bounds(group, low, high, centre, scale)
        places = self.bodies_images(group)
        return (
            np.minimum.reduce([self._placed(each, lower) for each in places]),
            np.maximum.reduce([self._placed(each, upper) for each in places]),
        )


@dataclass(frozen=True)
class Objects(Permuted):
    """n interchangeable bodies, whose order means nothing: `Permutation(n)` of the group exchanges them.

    Attributes:
        field: what one of them holds.
        n: how many.

    >>> from equiworld.groups import SE2, Permutation, Product
    >>> from equiworld.symmetry import Point
    >>> group = Product(SE2(), Permutation(2))
    >>> g = group.element(np.eye(2), [0.0, 5.0], label=1)
    >>> Objects(Point(), 2).transform(g, [1.0, 2.0, 3.0, 4.0])
    array([3., 9., 1., 7.])
    """

    orders: Sequence[Sequence[int]] = dataclass_field(init=False, repr=False, compare=False, default=())
    n: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", integer("Objects.n", self.n, least=1))
        self._repeat(self.n)

    @property
    def bodies(self) -> int:
        return self.n

    def bodies_images(self, group: Group) -> Array:
        found = group.labels.natural.get(f"Permutation({self.n})")
        if found is None:
            raise ArgumentError(
                "Objects",
                f"{self.n} of them under {group!r}",
                f"a group that exchanges them, such as Product(SE2(), Permutation({self.n}))",
            )
        return found


def clouds_in(field: Field) -> int:
    """How many clouds a field is, of one body each; 0 where it holds anything else.

    >>> clouds_in(Cloud(64)), clouds_in(Objects(Cloud(64), 3)), clouds_in(Scalar(2))
    (1, 3, 0)
    """
    parts = list(leaves(field))
    return len(parts) if all(isinstance(part, Cloud) for part in parts) else 0
