"""The families of groups by name, what a name stands for, and the smallest group that holds two."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from equiworld.errors import ArgumentError, UnknownNameError

if TYPE_CHECKING:
    from equiworld.groups.group import Group

__all__ = ["GROUPS", "common_group", "group_from_name"]

GROUPS: dict[str, type[Group]] = {}
"""Every family, smaller before larger within the continuous ones of a dimension; `registry` fills it."""


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


def _generated(first: Group, second: Group) -> Group | None:
    """The finite group that two finite ones generate together; None where there is none."""
    if (
        not (first.finite and second.finite and first.dim in (2, 3))
        or first.stores_labels
        or second.stores_labels
    ):
        return None
    try:
        return GROUPS["Isometries"](np.concatenate([first.elements().matrix, second.elements().matrix]))  # type: ignore[call-arg]
    except ArgumentError:  # they generate infinitely many elements
        return None


def common_group(first: Group, second: Group) -> Group:
    """The smallest listed group that includes both.

    Raises:
        ArgumentError: They move different spaces, or no listed family holds both.

    >>> common_group(group_from_name("SE2"), group_from_name("O2"))
    E2()
    >>> common_group(group_from_name("Cyclic(4)"), group_from_name("Dihedral(6)"))
    Dihedral(12)
    """
    from equiworld.groups.element import checked_group

    if checked_group("first", first).dim != checked_group("second", second).dim:
        raise ArgumentError("group", f"{first!r} with {second!r}", "groups of one dimension")
    return _common(first, second)


@lru_cache(maxsize=256)
def _common(first: Group, second: Group) -> Group:
    order = list(GROUPS)
    first, second = sorted((first, second), key=lambda group: (order.index(type(group).__name__), group.name))
    candidates: list[Group | None] = [
        first,
        second,
        first.joined(second) or second.joined(first),
        _generated(first, second),
    ]
    # The continuous families, in the order of the list: about an axis, then of the whole space.
    for axis in {each.axis.direction for each in (first, second) if each.axis is not None}:
        candidates += [GROUPS[name](axis) for name in ("SO2", "O2")]  # type: ignore[call-arg]
        candidates += [GROUPS[name](axis, along) for name in ("SE2", "E2") for along in (False, True)]  # type: ignore[call-arg]
    candidates += [family() for family in GROUPS.values() if getattr(family, "finite", None) is False]
    for candidate in candidates:
        if candidate is not None and candidate.includes(first) and candidate.includes(second):
            return candidate
    raise ArgumentError("group", f"{first!r} with {second!r}", "groups that a listed family holds", GROUPS)
