"""All families of groups, by name, and the smallest one that holds two."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.groups.euclidean import E2, E3, SE2, SE3
from equiworld.groups.finite import Cyclic, Dihedral, smallest_polygon
from equiworld.groups.group import Group
from equiworld.groups.isometries import Isometries
from equiworld.groups.orthogonal import O2, O3, SO2, SO3
from equiworld.groups.permutation import Permutation
from equiworld.groups.product import Product

__all__ = ["GROUPS", "common_group", "group_from_name", "rotations_of", "stabiliser"]

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
    "Isometries": Isometries,
    "Product": Product,
}
"""Every family, smaller before larger within the continuous ones of a dimension."""


def group_from_name(name: str) -> Group:
    """The group that a name such as "SE2" or "Cyclic(4)" stands for; inverse of `group.name`.

    Nothing is run: names of listed families, and numbers, lists and True or False as their arguments.

    Raises:
        UnknownNameError: No such family.
        ArgumentError: It is no such name, or an argument is missing, not wanted, or wrong.

    >>> group_from_name("SE2"), group_from_name("Cyclic(4)")
    (SE2(), Cyclic(4))
    """
    try:
        return _group(ast.parse(name.strip(), mode="eval").body)
    except (AttributeError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, ArgumentError | UnknownNameError):
            raise
        raise ArgumentError("group", repr(name), 'a name such as "SE2" or "Cyclic(4)"', GROUPS) from None
    except TypeError:
        raise ArgumentError(
            "group", repr(name), 'its arguments, such as in "Cyclic(4)"; "SE2" takes none'
        ) from None


def _group(node: ast.expr) -> Group:
    """The group of a name, or of a call with literal arguments and other groups."""
    call = node if isinstance(node, ast.Call) else ast.Call(node, [], [])
    if not isinstance(call.func, ast.Name):
        raise ValueError("no name of a group")
    family = call.func.id
    if family not in GROUPS:
        raise UnknownNameError("group", family, GROUPS, "add a line to equiworld.groups.registry.GROUPS")

    def value(argument: ast.expr) -> Any:
        if isinstance(argument, ast.Call | ast.Name):
            return _group(argument)
        return ast.literal_eval(argument)

    named = {each.arg: value(each.value) for each in call.keywords if each.arg}
    return GROUPS[family](*(value(each) for each in call.args), **named)


def rotations_of(group: Group) -> Group:
    """The subgroup of all elements that keep orientation.

    >>> rotations_of(E2()), rotations_of(Dihedral(3)), rotations_of(SO3())
    (SE2(), Cyclic(3), SO3())
    """
    if group.proper:
        return group
    if isinstance(group, O2):
        return SO2(_direction(group))
    if isinstance(group, E2):
        return SE2(_direction(group), group.along)
    for whole, part in ((O3(), SO3()), (E3(), SE3())):
        if group == whole:
            return part
    if isinstance(group, Dihedral):
        return Cyclic(group.n, _direction(group))
    raise ArgumentError("group", group, "a group of isometries of the plane or of space")


def _direction(group: Group) -> tuple[float, ...] | None:
    return None if group.axis is None else group.axis.direction


def stabiliser(group: Group, direction: ArrayLike) -> Group:
    """The subgroup that keeps a direction: what is left of a group where gravity points that way.

    Args:
        group: of space, all of it; or a finite one.
        direction: `(d,)`, of any length but 0.

    >>> stabiliser(SE3(), (0.0, 0.0, -1.0))
    SE2(axis=(0.0, 0.0, -1.0), along=True)
    >>> stabiliser(Dihedral(4), (1.0, 0.0)).order
    2
    """
    arrow = np.asarray(direction, np.float64)
    if arrow.shape != (group.dim,) or not np.isfinite(arrow).all() or not arrow.any():
        raise ArgumentError("direction", direction, f"{group.dim} finite numbers, not all 0, for {group!r}")
    if type(group) in (SO3, O3):
        return (SO2 if group.proper else O2)(arrow)
    if type(group) in (SE3, E3):
        return (SE2 if group.proper else E2)(arrow, along=True)
    if group.finite and not group.stores_labels:
        every = group.elements()
        kept = np.flatnonzero(np.abs(every.rotate(arrow) - arrow).max(-1) <= 1e-9 * np.abs(arrow).max())
        return Isometries(every.matrix[kept])
    raise ArgumentError("group", group, "SO3(), O3(), SE3(), E3() or a finite group")


def _generated(first: Group, second: Group) -> Group | None:
    """The finite group that two finite ones generate together; None where there is none."""
    if (
        not (first.finite and second.finite and first.dim in (2, 3))
        or first.stores_labels
        or second.stores_labels
    ):
        return None
    try:
        return Isometries(np.concatenate([first.elements().matrix, second.elements().matrix]))
    except ArgumentError:  # they generate infinitely many elements
        return None


@lru_cache(maxsize=256)
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
    order = list(GROUPS)
    first, second = sorted((first, second), key=lambda group: (order.index(type(group).__name__), group.name))
    candidates: list[Group | None] = [
        first,
        second,
        smallest_polygon(first, second),
        _generated(first, second),
    ]
    for axis in {_direction(first), _direction(second)} - {None}:
        candidates += [SO2(axis), O2(axis), SE2(axis), SE2(axis, along=True), E2(axis), E2(axis, along=True)]
    # The continuous families, in the order of the list.
    candidates += [SO2(), O2(), SE2(), E2(), SO3(), O3(), SE3(), E3()]
    for candidate in candidates:
        if candidate is not None and candidate.includes(first) and candidate.includes(second):
            return candidate
    raise ArgumentError("group", f"{first!r} with {second!r}", "groups that a listed family holds", GROUPS)
