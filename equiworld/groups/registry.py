"""All families of groups, by name, and the smallest one that holds two."""

from __future__ import annotations

import re

from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.groups.euclidean import E2, E3, SE2, SE3
from equiworld.groups.finite import Cyclic, Dihedral, smallest_polygon
from equiworld.groups.group import Group
from equiworld.groups.orthogonal import O2, O3, SO2, SO3
from equiworld.groups.permutation import Permutation

__all__ = ["GROUPS", "common_group", "group_from_name", "rotations_of"]

GROUPS: dict[str, type[Group]] = {
    "SO2": SO2,
    "O2": O2,
    "SE2": SE2,
    "E2": E2,
    "SO3": SO3,
    "O3": O3,
    "SE3": SE3,
    "E3": E3,
    "Cyclic": Cyclic,
    "Dihedral": Dihedral,
    "Permutation": Permutation,
}
"""Every family, smaller before larger within the continuous ones of a dimension."""

_CALL = re.compile(r"(\w+)(?:\((\d*)\))?")


def group_from_name(name: str) -> Group:
    """The group that a name such as "SE2" or "Cyclic(4)" stands for; inverse of `group.name`.

    Raises:
        UnknownNameError: No such family.
        ArgumentError: The size is missing, not wanted, or below 1.

    >>> group_from_name("SE2"), group_from_name("Cyclic(4)")
    (SE2(), Cyclic(4))
    """
    match = _CALL.fullmatch(name.strip()) if isinstance(name, str) else None
    if match is None:
        raise ArgumentError("group", repr(name), 'a name such as "SE2" or "Cyclic(4)"', GROUPS)
    family, size = match.group(1), match.group(2)
    if family not in GROUPS:
        raise UnknownNameError("group", family, GROUPS, "add a line to equiworld.groups.registry.GROUPS")
    try:
        return GROUPS[family](int(size)) if size else GROUPS[family]()  # type: ignore[call-arg]
    except TypeError:
        expected = "no number in parentheses" if size else f'a size, such as "{family}(4)"'
        raise ArgumentError("group", repr(name), expected) from None


def rotations_of(group: Group) -> Group:
    """The subgroup of all elements that keep orientation.

    >>> rotations_of(E2()), rotations_of(Dihedral(3)), rotations_of(SO3())
    (SE2(), Cyclic(3), SO3())
    """
    if group.proper:
        return group
    for whole, part in ((O2(), SO2()), (E2(), SE2()), (O3(), SO3()), (E3(), SE3())):
        if group == whole:
            return part
    if isinstance(group, Dihedral):
        return Cyclic(group.n)
    raise ArgumentError("group", group, "a group of isometries of the plane or of space")


def common_group(first: Group, second: Group) -> Group:
    """The smallest listed group that includes both.

    Raises:
        ArgumentError: They move different spaces, or no listed family holds both.

    >>> common_group(group_from_name("SE2"), group_from_name("O2"))
    E2()
    >>> common_group(group_from_name("Cyclic(4)"), group_from_name("Dihedral(6)"))
    Dihedral(12)
    """
    if first.dim != second.dim:
        raise ArgumentError("group", f"{first!r} with {second!r}", "groups of one dimension")
    candidates: list[Group | None] = [first, second, smallest_polygon(first, second)]
    # The continuous families, which take no size, in the order of the list.
    candidates += [family() for family in GROUPS.values() if getattr(family, "finite", None) is False]
    for candidate in candidates:
        if candidate is not None and candidate.includes(first) and candidate.includes(second):
            return candidate
    raise ArgumentError("group", f"{first!r} with {second!r}", "groups that a listed family holds", GROUPS)
