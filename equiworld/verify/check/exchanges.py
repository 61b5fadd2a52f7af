"""Other declarations in which things take each other's place: joints, marks on a body, whole bodies."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.symmetry import Field, Objects, Permuted, Point, SignedPermutation, Symmetry
from equiworld.verify.check.candidate import Candidate
from equiworld.verify.check.pairs import Pairs
from equiworld.verify.check.report import shown

__all__ = ["borrowed", "renamed_bodies", "renamed_numbers", "seen_joints", "seen_marks"]

_MOST_CHANGES = 4  # places that are named one by one


def seen_joints(
    declared: Field, pairs: Pairs, elements: GroupElement, symmetry: Symmetry
) -> Iterator[Candidate]:
    """The signed permutation that was seen: for each generator, which number comes to each place."""
    size = declared.size(symmetry.dim)
    orders, signs = [], []
    labels = elements.label
    for _, index in symmetry.group.labels.generators:
        rows = labels[pairs.element] == index
        if not rows.any():
            return
        before, after = pairs.before[rows], pairs.after[rows]
        apart = np.stack(
            [np.abs(after[:, :, None] - sign * before[:, None, :]).max(0) for sign in (1, -1)], -1
        )
        best = apart.reshape(size, -1).argmin(-1)
        orders.append((best // 2).tolist())
        signs.append((1 - 2 * (best % 2)).tolist())
    try:
        field = SignedPermutation(orders, signs)
    except ArgumentError:  # not each number once
        return
    yield Candidate(field, _changes(declared, field) or shown(field))


def _changes(declared: Field, seen: SignedPermutation) -> str | None:
    """The few places in which a declared permutation is another than what was seen; None if they are many."""
    if not isinstance(declared, SignedPermutation) or len(declared.orders) != len(seen.orders):
        return None
    plain = [[1] * seen.count] * len(seen.orders)
    told = []
    for number, (old, new, signs, told_signs) in enumerate(
        zip(declared.orders, seen.orders, declared.signs or plain, seen.signs or plain, strict=True)
    ):
        for place, entries in enumerate(zip(old, new, signs, told_signs, strict=True)):
            if entries[0] != entries[1] or entries[2] != entries[3]:
                sign = "+" if entries[3] > 0 else "−"
                under = f" under generator {number}" if len(seen.orders) > 1 else ""
                told.append(f"place {place} from {entries[1]} with sign {sign}{under}")
    return "the SignedPermutation with " + ", ".join(told) if 0 < len(told) <= _MOST_CHANGES else None


def seen_marks(size: int, pairs: Pairs, elements: GroupElement, symmetry: Symmetry) -> Iterator[Candidate]:
    """Marks on a body that is its own mirror image: which takes whose place under a reflection was seen."""
    rows = elements.determinant[pairs.element] < 0
    items = size // symmetry.dim
    if size % symmetry.dim or items < 2 or not rows.any():
        return
    g, centre = elements[pairs.element[rows]], np.asarray(symmetry.centre)
    moved = Point(items).transform(g, pairs.before[rows], centre).reshape(-1, items, symmetry.dim)
    after = pairs.after[rows].reshape(moved.shape)
    apart = np.linalg.norm(after[:, :, None] - moved[:, None], axis=-1).max(0)
    try:
        field = Point(items, mirror=tuple(apart.argmin(-1).tolist()))
    except ArgumentError:  # no exchange in pairs
        return
    yield Candidate(field, f"Point({items}, mirror={field.mirror})")


def borrowed(declared: Field, symmetry: Symmetry) -> Iterator[Candidate]:
    """The permutations of other fields, also counted from another number on, as motors may be."""
    for name, other in symmetry.observation.items():
        if (
            isinstance(declared, Permuted)
            and isinstance(other, Permuted)
            and not isinstance(declared, Objects)
        ):
            if other.bodies == declared.bodies and other.orders != declared.orders:
                yield Candidate(replace(declared, orders=other.orders), f"the same in the orders of {name!r}")
            continue
        size = declared.size(symmetry.dim)
        if isinstance(other, SignedPermutation) and other.size(symmetry.dim) == size:
            for start in range(size):
                order = tuple((place + start) % size for place in range(size))
                where = f", whose number 0 is number {start} here" if start else ""
                if start or other != declared:
                    yield Candidate(other, f"the permutation of {name!r}{where}", order)


def renamed_bodies(declared: Field, symmetry: Symmetry) -> Iterator[Candidate]:
    """Bodies two of which are called by each other's name."""
    if not isinstance(declared, Permuted) or isinstance(declared, Objects):
        return
    for i, j in itertools.combinations(range(declared.bodies), 2):
        orders = [_swapped(order, i, j) for order in declared.orders]
        if orders != [tuple(order) for order in declared.orders]:
            yield Candidate(replace(declared, orders=orders), f"bodies {i} and {j} exchanged")


def renamed_numbers(declared: SignedPermutation) -> Iterator[Candidate]:
    """Numbers two of which are called by each other's name, or one, or a pair, with the other sign."""
    orders = [tuple(order) for order in declared.orders]
    signs = [tuple(each) for each in declared.signs or [(1,) * declared.count] * len(orders)]

    def changed(new_orders: Sequence[Any], new_signs: Sequence[Any], words: str) -> Iterator[Candidate]:
        if (list(new_orders), list(new_signs)) != (orders, signs):
            yield Candidate(SignedPermutation(new_orders, new_signs), words)

    for i in range(declared.count):
        turned = [
            tuple(sign * (-1) ** ((place == i) + (order[place] == i)) for place, sign in enumerate(each))
            for order, each in zip(orders, signs, strict=True)
        ]
        yield from changed(orders, turned, f"number {i} with the other sign")
    for number, order in enumerate(orders):
        for i in range(declared.count):
            pair = {i, order[i]}
            flipped = tuple(-sign if place in pair else sign for place, sign in enumerate(signs[number]))
            words = f"the signs of numbers {sorted(pair)} changed in {declared!r}"
            yield from changed(orders, [*signs[:number], flipped, *signs[number + 1 :]], words)
    for i, j in itertools.combinations(range(declared.count), 2):
        new_orders = [_swapped(order, i, j) for order in orders]
        new_signs = [tuple(each[_other(place, i, j)] for place in range(len(each))) for each in signs]
        yield from changed(new_orders, new_signs, f"numbers {i} and {j} exchanged")


def _swapped(order: Sequence[int], i: int, j: int) -> tuple[int, ...]:
    """The same permutation where i and j are called by each other's name."""
    return tuple(_other(order[_other(place, i, j)], i, j) for place in range(len(order)))


def _other(place: int, i: int, j: int) -> int:
    return j if place == i else i if place == j else place
