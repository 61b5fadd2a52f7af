"""A declaration out of an algebra and the types of the keys, and as code that a person can paste."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from equiworld import groups
from equiworld import symmetry as fields
from equiworld.groups import E2, E3, O2, O3, SE2, SE3, SO2, SO3, Cyclic, Dihedral, Group
from equiworld.groups.arrays import Array
from equiworld.symmetry import Field, Parts, Symmetry
from equiworld.verify.discovery.algebra import Algebra
from equiworld.verify.discovery.field_types import FieldGuess
from equiworld.verify.discovery.transitions import Places

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
    parts: Places | None,
    flat: bool,
) -> Symmetry:
    """The proposed declaration."""
    *observed, acted = guesses
    found = {guess.name: guess.declared for guess in observed}
    observation: dict[str, Field] = found
    if parts is not None:
        in_order = [place for name in found for place in parts[name]]
        told = {} if in_order == sorted(in_order) else {name: parts[name] for name in found}
        observation = {"observation": Parts(found, told)}
    about = () if centre is None else tuple(_plain(number) for number in centre)
    goal = {
        name: f"{other}"
        for name in found
        if name.startswith("goal_")
        for other in found
        if other != name and other.split("_")[1:] == name.split("_")[1:] and found[other] == found[name]
    }
    return Symmetry(group, observation, action=acted.declared, centre=about, goal=goal, flat=flat)


def _plain(number: float) -> float:
    """Without the digits that rounding made."""
    near = round(float(number), 4)
    return near if abs(near - number) < 1e-5 * max(1.0, abs(number)) else float(number)


def as_code(symmetry: Symmetry, guesses: Sequence[FieldGuess] = ()) -> str:
    """Python that makes the declaration, with what is unsure marked."""
    told = {guess.name: guess for guess in guesses[:-1]}  # the last is the action
    lines = ["symmetry = Symmetry(", f"    {symmetry.group!r},", "    {"]
    keys: dict[str, list[str]] = {}
    for name in symmetry.observation:
        keys.setdefault(symmetry.places[name][0] if symmetry.places else name, []).append(name)
    for key, names in keys.items():
        if not symmetry.places:
            lines += [_line(name, symmetry.observation[name], told.get(name), 8) for name in names]
            continue
        lines += [f"        {key!r}: Parts(", "            {"]
        lines += [_line(name, symmetry.observation[name], told.get(name), 16) for name in names]
        at = {name: symmetry.places[name][1] for name in names}
        in_order = [place for places in at.values() for place in places] == list(
            range(sum(map(len, at.values())))
        )
        lines += ["            },", *(() if in_order else (f"            at={at},",)), "        ),"]
    lines += ["    },", f"    action={_written(symmetry.action)},"]
    for setting in dataclasses.fields(Symmetry):
        value = getattr(symmetry, setting.name)
        if setting.name in _PLAIN and value and value != setting.default:
            lines.append(f"    {setting.name}={value!r},")
    rest = tuple(name for name in symmetry.observation if name not in symmetry.goal)
    if symmetry.state != rest:
        lines.append(f"    state={symmetry.state!r},")
    if not symmetry.reward:
        lines.append("    reward=False,")
    body = "\n".join([*lines, ")"])
    used = set(re.findall(r"\b([A-Z]\w*)\(", body))
    imports = [
        f"from {module.__name__} import {', '.join(sorted(used & set(module.__all__)))}"
        for module in (groups, fields)
        if used & set(module.__all__)
    ]
    return "\n".join([*imports, "", body])


_PLAIN = (
    "goal",
    "action_origin",
    "reference",
    "heading",
    "centre",
    "length_scale",
    "shapes",
    "holds",
    "flat",
)
"""Settings that are written as they stand, where they are not the default."""


def _line(name: str, field: Field, guess: FieldGuess | None, indent: int) -> str:
    doubt = "" if guess is None or guess.sure else "  # to be confirmed"
    note = f": {guess.note}" if guess is not None and guess.note else ""
    return f"{' ' * indent}{name!r}: {_written(field)},{doubt}{note}"


def _written(field: Any) -> str:
    """A field as code, without what is the default."""
    if isinstance(field, tuple) and any(isinstance(each, Field) for each in field):
        return f"({', '.join(map(_written, field))},)"
    if not isinstance(field, Field):
        return repr(field)
    told = []
    for setting in dataclasses.fields(field):
        value = getattr(field, setting.name)
        if setting.init and value != setting.default:
            alone = setting.name == "count"
            told.append(_written(value) if alone else f"{setting.name}={_written(value)}")
    return f"{type(field).__name__}({', '.join(told)})"
