"""A declaration out of an algebra and the types of the keys, and as code that a person can paste."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from equiworld.groups import E2, E3, O2, O3, SE2, SE3, SO2, SO3, Cyclic, Dihedral, Group
from equiworld.groups.arrays import Array
from equiworld.symmetry import Concatenation, Field, Parts, Point, Symmetry
from equiworld.verify.discovery.algebra import Algebra
from equiworld.verify.discovery.field_types import FieldGuess

__all__ = ["as_code", "declared", "group_of", "with_mirrors"]

_EXACT = 1e-5  # of an axis that is one of the coordinate axes


def group_of(algebra: Algebra) -> Group | None:
    """The group of the library whose algebra it is, or that of the turns where shifts are missing; None if none."""
    turns, shifts = len(algebra.turns), len(algebra.shifts)
    if not turns:
        return None
    if algebra.dim == 2:
        return SE2() if shifts == 2 else SO2()
    if turns == 3:
        return SE3() if shifts == 3 else SO3()
    axis = _clean(algebra.turns[0])
    across = algebra.shifts - np.outer(algebra.shifts @ axis, axis)
    if shifts < 2 or np.linalg.matrix_rank(across, tol=0.1) < 2:
        return SO2(tuple(axis))
    return SE2(tuple(axis), along=shifts == 3)


def _clean(axis: Array) -> Array:
    """A unit vector, upright rather than upside down, without rounding."""
    axis = axis / np.linalg.norm(axis)
    axis = axis * np.sign(axis[np.abs(axis).argmax()])
    rounded = np.round(axis)
    return rounded + 0.0 if np.abs(axis - rounded).max() < _EXACT else axis


def with_mirrors(group: Group) -> Group | None:
    """The group with the reflections that it lacks; None if it has them, or there is none such."""
    if isinstance(group, SE2):
        return E2(None if group.axis is None else group.axis.direction, group.along)
    if isinstance(group, SO2):
        return O2(None if group.axis is None else group.axis.direction)
    if isinstance(group, SE3):
        return E3()
    if isinstance(group, SO3):
        return O3()
    if isinstance(group, Cyclic):
        return Dihedral(group.n, None if group.axis is None else group.axis.direction)
    return None


def declared(
    group: Group,
    guesses: Sequence[FieldGuess],
    centre: Array | None,
    parts: Mapping[str, int] | None,
    flat: bool,
) -> Symmetry:
    """The proposed declaration."""
    fields = {guess.name: guess.declared for guess in guesses}
    action = fields.pop("action")
    observation: dict[str, Field] = {"observation": Parts(fields)} if parts is not None else fields
    about = () if centre is None else tuple(_plain(number) for number in centre)
    goal = {
        name: f"{other}"
        for name in fields
        if name.startswith("goal_")
        for other in fields
        if other != name and other.split("_")[1:] == name.split("_")[1:] and fields[other] == fields[name]
    }
    return Symmetry(group, observation, action=action, centre=about, goal=goal, flat=flat)


def _plain(number: float) -> float:
    """Without the digits that rounding made."""
    near = round(float(number), 4)
    return near if abs(near - number) < 1e-5 * max(1.0, abs(number)) else float(number)


def as_code(symmetry: Symmetry, guesses: Sequence[FieldGuess] = ()) -> str:
    """Python that makes the declaration, with what is unsure marked."""
    told = {guess.name: guess for guess in guesses}
    kinds = sorted({type(part).__name__ for part in _all_fields(symmetry)})
    groups = type(symmetry.group).__name__
    imported = ", ".join(sorted((*kinds, "Symmetry")))
    lines = [f"from equiworld.groups import {groups}", f"from equiworld.symmetry import {imported}", ""]
    lines += ["symmetry = Symmetry(", f"    {symmetry.group!r},", "    {"]
    for name, field in symmetry.observation.items():
        guess = told.get(name)
        doubt = "" if guess is None or guess.sure else "  # to be confirmed"
        note = f": {guess.note}" if guess is not None and guess.note else ""
        lines.append(f"        {name!r}: {_written(field)},{doubt}{note}")
    lines += ["    },", f"    action={_written(symmetry.action)},"]
    if any(symmetry.centre):
        lines.append(f"    centre={tuple(symmetry.centre)},")
    if symmetry.goal:
        lines.append(f"    goal={dict(symmetry.goal)},")
    if symmetry.flat:
        lines.append("    flat=True,")
    return "\n".join([*lines, ")"])


def _written(field: Field) -> str:
    """A field as code, without what is the default."""
    text = re.sub(r"\b(low=-3\.14159\d*|axis=0\.0|signs=None|mirror=None|count=1)\b(, )?", "", repr(field))
    text = re.sub(r", (?=\))", "", re.sub(r"\bcount=(\d+)", r"\1", text))
    mirror = field.mirror if isinstance(field, Point) else None
    return text if mirror is None else f"{text[:-1]}, mirror={mirror})"


def _all_fields(symmetry: Symmetry) -> list[Field]:
    found: list[Field] = []
    for field in (*symmetry.observation.values(), symmetry.action):
        found += field.parts if isinstance(field, Concatenation) else [field]
        if isinstance(field, Concatenation):
            found.append(field)
    return found
