"""The families of groups by name, what a name stands for, and the smallest group that holds two."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.groups.matrix_group import MatrixGroup, checked_group

__all__ = ["GROUPS", "common_group", "parsed_group"]

G = TypeVar("G", bound=MatrixGroup)

GROUPS: dict[str, type[Any]] = {}
"""Every family, smaller before larger within the continuous ones of a dimension; `registry` fills it."""


def parsed_group(name: str) -> Any:
    """See `equiworld.groups.group_from_name`."""
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


def _group(node: ast.expr) -> Any:
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


def _generated(first: MatrixGroup, second: MatrixGroup) -> MatrixGroup | None:
    """The finite group that two finite ones generate together; None where there is none."""
    if (
        not (first.finite and second.finite and first.dim in (2, 3))
        or first.stores_labels
        or second.stores_labels
    ):
        return None
    try:
        return GROUPS["Isometries"](np.concatenate([first.all_matrices(), second.all_matrices()]))
    except ArgumentError:  # they generate infinitely many elements
        return None


def common_group(first: G, second: G) -> G:
    """The smallest listed group that includes both.

    Raises:
        ArgumentError: They move different spaces, or no listed family holds both.

    >>> from equiworld.groups import O2, SE2, Cyclic, Dihedral
    >>> common_group(SE2(), O2())
    E2()
    >>> common_group(Cyclic(4), Dihedral(6))
    Dihedral(12)
    """
    if checked_group("first", first).dim != checked_group("second", second).dim:
        raise ArgumentError("group", f"{first!r} with {second!r}", "groups of one dimension")
    return _common(first, second)


@lru_cache(maxsize=256)
def _common(first: MatrixGroup, second: MatrixGroup) -> Any:
    order = list(GROUPS)
    first, second = sorted((first, second), key=lambda group: (order.index(type(group).__name__), group.name))
    candidates: list[MatrixGroup | None] = [
        first,
        second,
        first.joined(second) or second.joined(first),
        _generated(first, second),
    ]
    # The continuous families, in the order of the list: about an axis, then of the whole space.
    for axis in {each.axis.direction for each in (first, second) if each.axis is not None}:
        candidates += [GROUPS[name](axis) for name in ("SO2", "O2")]
        candidates += [GROUPS[name](axis, along) for name in ("SE2", "E2") for along in (False, True)]
    candidates += [family() for family in GROUPS.values() if getattr(family, "finite", None) is False]
    for candidate in candidates:
        if candidate is not None and candidate.includes(first) and candidate.includes(second):
            return candidate
    raise ArgumentError("group", f"{first!r} with {second!r}", "groups that a listed family holds", GROUPS)
