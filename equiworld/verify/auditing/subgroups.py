"""The subgroups that an audit tells apart, and the elements that tell them apart."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from equiworld.groups import (
    E2,
    E3,
    O2,
    O3,
    SE2,
    SE3,
    SO2,
    SO3,
    Cyclic,
    Dihedral,
    Group,
    GroupElement,
    Isometries,
    left_right,
)
from equiworld.verify.auditing.naming import name_of, words_of

__all__ = ["Lattice", "Subgroup", "subgroups_of", "telling_elements"]

_CLOSE = 1e-9
_TURNS = (6, 4, 3, 2)
_MOST_FINITE = 48  # elements of a finite group all of whose subgroups of two generators are listed
_MOST_TESTED = 40
_DRAWN = 4  # elements of each continuous subgroup


@dataclass(frozen=True)
class Subgroup:
    """A subgroup of the group that is audited.

    Attributes:
        name: as it is written, or in words where no family is called so.
        contains: whether an element belongs to it.
        size: dimension, then how many elements or components: what is larger comes first.
        group: itself; None where it is told in words.
    """

    name: str
    contains: Callable[[GroupElement], bool]
    size: tuple[float, float]
    group: Group | None = None


@dataclass(frozen=True)
class Lattice:
    """Subgroups, and the elements by which they are told apart.

    Attributes:
        subgroups: the group first, the largest before smaller ones.
        elements: a batch.
    """

    subgroups: Sequence[Subgroup]
    elements: GroupElement

    @cached_property
    def members(self) -> list[frozenset[int]]:
        """By subgroup, which of the elements belong to it."""
        every = list(enumerate(self.elements))
        return [frozenset(index for index, g in every if each.contains(g)) for each in self.subgroups]

    @cached_property
    def own(self) -> list[frozenset[int]]:
        """By subgroup, which elements it has and no smaller one does."""
        return [
            inside.difference(*(each for each in self.members if each < inside)) for inside in self.members
        ]

    def tried(self, state: int) -> list[int]:
        """Which elements are tried in a state: one of each subgroup's own, another in the next state.

        So each subgroup is asked about in every state.
        """
        return sorted({sorted(own)[state % len(own)] for own in self.own if own})


def subgroups_of(group: Group, gravity: Sequence[float] | None = None) -> list[Subgroup]:
    """The group itself and subgroups of it, the largest first.

    Of the plane's and space's groups the families that are in it, about each axis; shifts alone, along each axis and
    all; of finite ones what any two of their elements generate; of others those that move no labels, and what moves
    some labels.

    Args:
        group: that is audited.
        gravity: a direction whose stabilisers are listed beside those of the axes.

    >>> from equiworld.groups import Dihedral
    >>> [each.name for each in subgroups_of(Dihedral(2))]
    ['Dihedral(2)', 'Cyclic(2)', '2 of 4 elements: 0.0°, mirrored', '2 of 4 elements: 180.0°, mirrored']
    """
    if group.finite:
        found = list(_finite(group))
    elif group.stores_labels:
        found = list(_labelled(group))
    else:
        found = [_of_group(each) for each in _families(group, gravity) if group.includes(each)]
        found += list(_shifts(group))
    whole = Subgroup(name_of(group), lambda g: True, _size(group), group)
    rest = [each for each in found if each.name != whole.name]
    return [whole, *sorted(rest, key=lambda each: each.size, reverse=True)]


def _of_group(group: Group) -> Subgroup:
    return Subgroup(name_of(group), lambda g: _contains(group, g), _size(group), group)


def _contains(group: Group, g: GroupElement) -> bool:
    plain = g if g.stored_label is None else GroupElement(_space_of(g.dim), g.matrix, g.translation)
    return group.contains(plain, atol=_CLOSE)


def _space_of(dim: int) -> Group:
    return E2() if dim == 2 else E3()


def _size(group: Group) -> tuple[float, float]:
    dimension = float(getattr(group, "algebra_dim", 0))
    if group.finite:
        return 0.0, float(group.order)
    if not hasattr(group, "algebra_dim"):
        return float(getattr(group.kernel(), "algebra_dim", 0)), float(group.labels.order)
    return dimension, 1.0 if group.proper else 2.0


def _families(group: Group, gravity: Sequence[float] | None) -> Iterator[Group]:
    """Candidates, whether in the group or not."""
    if group.dim == 2:
        yield from (E2(), SE2(), O2(), SO2())
        for n in _TURNS:
            yield from (Dihedral(n), Cyclic(n))
        yield from (left_right((0.0, 1.0)), left_right((1.0, 0.0)))
        return
    yield from (E3(), SE3(), O3(), SO3())
    axes = [tuple(row) for row in np.eye(3).tolist()]
    if gravity is not None and not any(np.allclose(np.abs(gravity), axis) for axis in axes):
        axes.append(tuple(gravity))
    for axis in axes:
        for along in (True, False):
            yield from (E2(axis, along), SE2(axis, along))
        yield from (O2(axis), SO2(axis))
        yield from (family(n, axis) for n in (4, 3, 2) for family in (Dihedral, Cyclic))
        yield left_right(axis)


def _shifts(group: Group) -> Iterator[Subgroup]:
    """Shifts alone: no family is called so."""
    if not group.has_translations:
        return

    def alone(g: GroupElement) -> bool:
        return bool(np.abs(g.matrix - np.eye(g.dim)).max() < _CLOSE and int(g.label) == 0)

    yield Subgroup("shifts", alone, (float(group.shift_dim), 1.0))
    for index in range(group.dim):
        rest = np.arange(group.dim) != index
        if np.abs(group.shifts(np.eye(group.dim)[index]) - np.eye(group.dim)[index]).max() < _CLOSE:
            yield Subgroup(
                f"shifts along {'xyz'[index]}",
                _both(alone, _without(rest)),
                (1.0, 1.0),
            )


Contains = Callable[[GroupElement], bool]


def _both(one: Contains, other: Contains) -> Contains:
    return lambda g: one(g) and other(g)


def _without(directions: np.ndarray) -> Contains:
    """Whether an element shifts nothing along these axes."""
    return lambda g: bool(np.abs(g.translation[directions]).max() < _CLOSE)


def _labelled_in(labels: frozenset[int]) -> Contains:
    return lambda g: int(g.label) in labels


def _finite(group: Group) -> Iterator[Subgroup]:
    """What one or two of its elements generate."""
    table, every = group.labels.table, group.elements()
    known: set[frozenset[int]] = {frozenset([0]), frozenset(range(len(table)))}
    if len(table) > _MOST_FINITE:
        return
    labels = range(1, len(table))
    for pair in itertools.chain(((one,) for one in labels), itertools.combinations(labels, 2)):
        members = _closed(table, pair)
        if members in known:
            continue
        known.add(members)
        moved = sorted(members - {0})
        name = (
            f"{len(members)} of {len(table)} elements: {'; '.join(words_of(every[each]) for each in moved)}"
        )
        own: Group | None = group.subgroup(moved) if isinstance(group, Isometries) else None
        if isinstance(group, Dihedral | Cyclic) and max(moved) < group.n:
            own = Cyclic(len(members), None if group.axis is None else group.axis.direction)
            name = repr(own)
        yield Subgroup(name, _labelled_in(members), (0.0, float(len(members))), own)


def _closed(table: np.ndarray, generators: Sequence[int]) -> frozenset[int]:
    found, queue = {0}, [0]
    while queue:
        one = queue.pop()
        for each in generators:
            product = int(table[each, one])
            if product not in found:
                found.add(product)
                queue.append(product)
    return frozenset(found)


def _labelled(group: Group) -> Iterator[Subgroup]:
    """What moves no labels, and what moves some."""
    kernel = group.kernel()
    for each in subgroups_of(kernel):
        yield Subgroup(
            f"{each.name}, labels kept",
            _both(_labelled_in(frozenset([0])), each.contains),
            each.size,
            each.group,
        )
    table, (dimension, _) = group.labels.table, _size(group)
    known = {frozenset([0]), frozenset(range(len(table)))}
    for pair in itertools.chain(
        ((index,) for _, index in group.labels.generators),
        itertools.combinations([index for _, index in group.labels.generators], 2),
    ):
        members = _closed(table, pair)
        if members not in known:
            known.add(members)
            name = f"{len(members)} of {len(table)} exchanges of labels, with all turns and shifts"
            yield Subgroup(
                name,
                _labelled_in(members),
                (dimension, float(len(members))),
            )


def telling_elements(
    group: Group, subgroups: Sequence[Subgroup], rng: np.random.Generator, scale: float
) -> GroupElement | None:
    """Elements by which the subgroups can be told apart, a batch; of continuous ones drawn, of finite ones all.

    Args:
        group: that is audited.
        subgroups: as `subgroups_of` lists them.
        rng: of the drawing.
        scale: the longest shift.

    Returns:
        The batch, without the identity; None if there is nothing else.
    """
    found: list[GroupElement] = []
    for g in _candidates(group, subgroups, rng, scale):
        own = g.within(group) if g.group != group else g
        if not any(own.is_close(other) for other in (group.identity(), *found)):
            found.append(own)
    return GroupElement.stack(found) if found else None


def _candidates(
    group: Group, subgroups: Sequence[Subgroup], rng: np.random.Generator, scale: float
) -> Iterator[GroupElement]:
    for each in subgroups:
        members = each.group
        if members is None or (group.stores_labels and members is not group):
            continue
        if members.finite and members.order <= _MOST_TESTED:
            yield from members.elements()
        else:
            yield from members.sample(rng, _DRAWN, scale=scale)
    if group.stores_labels and not group.finite:
        yield from group.section()
        yield from group.kernel().sample(rng, _DRAWN, scale=scale)
    if not group.has_translations:
        return
    for number in range(2):
        for arrow in (*np.eye(group.dim), rng.normal(size=group.dim) / np.sqrt(group.dim)):
            shift = group.shifts(arrow) * scale * rng.uniform(0.3, 1.0) * (-1.0) ** number
            yield GroupElement(group, np.eye(group.dim), shift)
