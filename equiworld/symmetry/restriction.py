"""A declaration under a subgroup."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.groups.matrix_group import checked_group
from equiworld.symmetry.declaration import Declaration

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
    if group != symmetry.group.kernel():
        expected = (
            f"{symmetry.group.kernel()!r}, which moves no labels; for others declare how they move the fields"
        )
        raise ArgumentError("group", f"{group!r}, where labels of {symmetry.group!r} move fields", expected)
    return replace(
        whole,
        group=group,
        observation={name: field.plain() for name, field in symmetry.observation.items()},
        action=symmetry.action.plain(),
        info={name: field.plain() for name, field in symmetry.info.items()},
    )
