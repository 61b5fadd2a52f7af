"""A map of joints as the field writes it: which number comes to each place, and with which sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.arguments import flag, instance, integer, reals
from equiworld.errors import ArgumentError
from equiworld.groups import Isometries
from equiworld.groups.arrays import Array
from equiworld.symmetry import SignedPermutation, Symmetry

__all__ = ["SignedOrder", "SymmetryMap", "signed_order"]

_ACROSS_Y, _ACROSS_X = np.diag([1.0, -1.0, 1.0]), np.diag([-1.0, 1.0, 1.0])
_USUAL = (_ACROSS_Y, _ACROSS_X, _ACROSS_Y @ _ACROSS_X)
"""Left and right, front and back, both: as Isaac Lab's and MorphoSymm's maps list them."""


class SignedOrder(NamedTuple):
    """x ↦ signs · x[order], of one array under one isometry.

    Attributes:
        order: which number comes to each place.
        signs: ±1 for each place.
    """

    order: tuple[int, ...]
    signs: tuple[int, ...]

    def then(self, after: SignedOrder) -> SignedOrder:
        """This one first, then `after`."""
        order = tuple(self.order[source] for source in after.order)
        signs = tuple(
            sign * self.signs[source] for sign, source in zip(after.signs, after.order, strict=True)
        )
        return SignedOrder(order, signs)

    @staticmethod
    def identity(size: int) -> SignedOrder:
        """Every number stays."""
        return SignedOrder(tuple(range(size)), (1,) * size)

    @property
    def is_permutation(self) -> bool:
        """Whether each number is taken once, and all signs are ±1."""
        return sorted(self.order) == list(range(len(self.order))) and set(self.signs) <= {1, -1}


@dataclass(frozen=True)
class SymmetryMap:
    """What a few isometries do to the arrays of a robot, written by hand: x ↦ signs · x[order].

    It holds what was written, right or wrong: `check_map` tells which.

    Attributes:
        observation: by key, for each isometry (order, signs); None in the place of signs is all +1.
        action: likewise.
        isometries: `(k, 3, 3)`, what each does to space: unless given, the reflection of left and right, then that of
            front and back, then both.
        flat: whether an observation is the one array, without a key.

    Raises:
        ArgumentError: lengths differ within an array, or the numbers of isometries do.

    >>> mirror = SymmetryMap({"policy": [((1, 0, 2), (1, 1, -1))]}, action=[((1, 0), (1, 1))])
    >>> mirror.group.order, mirror.symmetry().action
    (2, SignedPermutation(orders=((1, 0),), signs=((1, 1),)))
    """

    observation: Mapping[str, Sequence[Any]] = field(hash=False)
    action: Sequence[Any]
    isometries: Any = None
    flat: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.observation, Mapping) or not self.observation:
            raise ArgumentError("observation", self.observation, "maps by key, one or more")
        arrays = {str(name): _entries(name, each) for name, each in self.observation.items()}
        action = _entries("action", self.action)
        counts = {name: len(each) for name, each in (*arrays.items(), ("action", action))}
        if len(set(counts.values())) > 1:
            raise ArgumentError("observation", f"maps under {counts} isometries", "as many for each array")
        if "action" in arrays:
            raise ArgumentError("observation", "'action'", "another name, which is that of the action")
        if flag("flat", self.flat) and len(arrays) > 1:
            raise ArgumentError("flat", f"True with the keys {list(arrays)}", "one array")
        object.__setattr__(self, "observation", arrays)
        object.__setattr__(self, "action", action)
        object.__setattr__(self, "isometries", _isometries(self.isometries, len(action)))

    @property
    def arrays(self) -> dict[str, tuple[SignedOrder, ...]]:
        """The maps of all arrays by name, that of the action as "action"."""
        return {
            **{name: tuple(each) for name, each in self.observation.items()},
            "action": tuple(self.action),
        }

    @property
    def group(self) -> Isometries:
        """What the isometries generate."""
        return Isometries(self.isometries)

    def with_entry(self, array: str, number: int, entry: SignedOrder) -> SymmetryMap:
        """The same with another map of one array under isometry `number`."""
        if array not in self.arrays:
            raise ArgumentError("array", repr(array), "an array of the map", self.arrays)
        changed = list(self.arrays[array])
        number = integer("number", number, least=0, most=len(changed) - 1)
        changed[number] = entry
        if array == "action":
            return SymmetryMap(self.observation, changed, self.isometries, self.flat)
        observation = {**self.observation, array: changed}
        return SymmetryMap(observation, self.action, self.isometries, self.flat)

    def symmetry(self, **settings: Any) -> Symmetry:
        """The declaration: a `SignedPermutation` for each array.

        Args:
            settings: further ones of `Symmetry`, such as `holds` and `reward`.

        Raises:
            ArgumentError: the map is no representation: see `check_map`.
        """
        fields = {name: _field(entries) for name, entries in self.observation.items()}
        return Symmetry(self.group, fields, action=_field(self.action), flat=self.flat, **settings)

    @staticmethod
    def of(symmetry: Symmetry) -> SymmetryMap:
        """The map of a declaration, under the generators of its finite group.

        Raises:
            ArgumentError: the group is not finite, or a field is moved by more than exchanges and signs; names it.
        """
        instance("symmetry", symmetry, Symmetry)
        group = symmetry.group
        if not group.finite:
            raise ArgumentError("symmetry", f"one under {group!r}", "a finite group: see Symmetry.restricted")
        every, centre = group.elements(), np.asarray(symmetry.centre)
        chosen = [every[index] for _, index in group.labels.generators]
        found = {}
        for name, declared in (*symmetry.arrays().items(), ("action", symmetry.action)):
            if not declared.affine:
                raise ArgumentError(name, repr(declared), "numbers that are exchanged, or negated")
            images = [declared.act(g, centre) for g in chosen]
            if any(np.abs(offset).max(initial=0.0) > 1e-9 for _, offset in images):
                raise ArgumentError(name, repr(declared), "numbers that no isometry shifts")
            found[name] = [signed_order(name, matrix) for matrix, _ in images]
        action = found.pop("action")
        return SymmetryMap(found, action, _matrices([g.matrix for g in chosen]), symmetry.flat)


def signed_order(name: str, matrix: Array) -> SignedOrder:
    """A matrix `(n, n)` whose rows hold one ±1 each.

    Raises:
        ArgumentError: a row holds anything else; names the first.
    """
    rounded = np.round(matrix)
    plain = (np.abs(matrix - rounded) <= 1e-6) & (np.abs(rounded) <= 1)
    bad = np.flatnonzero(~plain.all(-1) | (np.abs(rounded).sum(-1) != 1))
    if len(bad):
        row = matrix[bad[0]]
        mixed = {int(place): float(f"{row[place]:.3g}") for place in np.flatnonzero(np.abs(row) > 1e-6)}
        expected = "one number with the sign + or −"
        raise ArgumentError(f"place {bad[0]} of {name!r}", f"a mixture {mixed}", expected)
    order = np.abs(rounded).argmax(-1)
    signs = np.take_along_axis(rounded, order[:, None], 1)[:, 0]
    return SignedOrder(tuple(order.tolist()), tuple(signs.astype(int).tolist()))


def _field(entries: Sequence[SignedOrder]) -> SignedPermutation:
    return SignedPermutation([each.order for each in entries], [each.signs for each in entries])


def _entries(name: str, given: Any) -> tuple[SignedOrder, ...]:
    """(order, signs) pairs, one for each isometry; one pair that stands alone is that of the only one."""
    try:
        pairs = list(given)
        if len(pairs) == 2 and all(isinstance(each, int | np.integer) for each in pairs[0]):
            pairs = [given]
        found = tuple(_pair(name, each) for each in pairs)
    except (TypeError, ValueError) as error:
        if isinstance(error, ArgumentError):
            raise
        raise ArgumentError(name, given, "pairs (order, signs), one for each isometry") from error
    if not found or len({len(each.order) for each in found}) != 1:
        raise ArgumentError(name, given, "pairs (order, signs) of one length, one for each isometry")
    return found


def _pair(name: str, pair: Any) -> SignedOrder:
    order, signs = pair
    places = tuple(integer(name, each) for each in order)
    told = (1,) * len(places) if signs is None else tuple(_sign(name, each) for each in signs)
    if not places or len(told) != len(places):
        raise ArgumentError(name, f"{len(places)} places and {len(told)} signs", "as many of both, not none")
    return SignedOrder(places, told)


def _sign(name: str, value: Any) -> int:
    if float(value) != round(float(value)):
        raise ArgumentError(name, f"the sign {value!r}", "+1 or −1")
    return int(value)


def _isometries(given: ArrayLike | None, count: int) -> tuple[Any, ...]:
    if given is None:
        if count > len(_USUAL):
            raise ArgumentError("isometries", None, f"the {count} matrices that the maps go with")
        given = _USUAL[:count]
    matrices = _matrices(given)
    if len(matrices) != count:
        raise ArgumentError("isometries", f"{len(matrices)} of them", f"{count}, one for each map")
    Isometries(matrices)  # refuses what is none
    return tuple(tuple(tuple(row) for row in matrix) for matrix in matrices.tolist())


def _matrices(given: ArrayLike) -> NDArray[np.float64]:
    """Matrices `(k, d, d)`, without negative zeros."""
    matrices = reals("isometries", given) + 0.0
    if matrices.ndim != 3:
        raise ArgumentError("isometries", f"shape {matrices.shape}", "matrices (k, d, d)")
    return matrices
