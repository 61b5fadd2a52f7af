"""A declaration that holds, enlarged by the mirror images that the simulator has too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from equiworld.errors import ArgumentError
from equiworld.groups import SO2, Cyclic, Group, GroupElement
from equiworld.rollout import EnvLike
from equiworld.symmetry import (
    Field,
    Heading,
    Parts,
    Point,
    Pseudoscalar,
    Pseudovector,
    Scalar,
    Symmetry,
    Vector,
)
from equiworld.verify.check.report import FieldCheck, SymmetryCheck
from equiworld.verify.check.trials import Move
from equiworld.verify.check_symmetry import check_symmetry
from equiworld.verify.discovery.proposal import with_mirrors

__all__ = ["audited", "enlarged", "holds"]

_ROUNDS = 3  # of mending what an example shows


def audited(
    env: EnvLike, proposed: Symmetry, move: Move | None, settings: Mapping[str, Any]
) -> tuple[Symmetry, SymmetryCheck]:
    """A proposal and its check; about another centre, or cut to quarter turns, where it holds only so.

    Raises:
        ArgumentError: nothing brings the simulator to g·s.
    """
    first = _mending(env, proposed, move, settings)
    if holds(first[1]):
        return first
    # Each from the fields as they were: what walls do to a shift would be taken for another type.
    for group in _parts_of(proposed):
        less = _mending(env, replaced(proposed, group=group), move, settings)
        if holds(less[1]):
            return less
    return first


def _mending(
    env: EnvLike, proposed: Symmetry, move: Move | None, settings: Mapping[str, Any]
) -> tuple[Symmetry, SymmetryCheck]:
    """The proposal, with fields and a centre that its false examples show, and its check."""
    for left in reversed(range(_ROUNDS)):
        found = check_symmetry(env, proposed, move=move, **settings)
        if holds(found) or not left:
            break
        mended = _mended(found, proposed, _retyped)
        centre = _centre_by_example(found, proposed) or proposed.centre
        if not mended and centre == proposed.centre:
            break
        proposed = replaced(proposed, fields=mended, centre=centre)
    return proposed, found


def _mended(
    found: SymmetryCheck,
    symmetry: Symmetry,
    other: Callable[[FieldCheck, Symmetry, GroupElement], Field | None],
) -> dict[str, Field]:
    """By name of a false field, another that its example shows."""
    false = [each for each in found.fields if each.role == "observation" and each.verdict == "false"]
    others = {each.name: other(each, symmetry, found.elements) for each in false}
    return {name: each for name, each in others.items() if each is not None}


def _retyped(found: FieldCheck, symmetry: Symmetry, elements: GroupElement) -> Field | None:
    """A vector that is a point, or the other way round, as one example shows; None if it is neither."""
    declared = symmetry.observation[found.name]
    if found.element is None or not isinstance(declared, Point | Vector):
        return None
    g, before, after = elements[found.element], np.array(found.before), np.array(found.after)
    others: tuple[Field, ...] = (Vector(declared.count), Point(declared.count), Scalar(len(before)))
    for other in others:
        apart = np.abs(other.transform(g, before, symmetry.centre) - after).max()
        if type(other) is not type(declared) and apart < 1e-6 * (np.abs(after).max() + 1e-12):
            return other
    return None


def holds(found: SymmetryCheck) -> bool:
    """Whether what was tested is true, exactly or within the tolerance."""
    return found.verdict in ("exact", "approximate")


def _parts_of(symmetry: Symmetry) -> tuple[Group, ...]:
    """Subgroups that walls and boxes leave."""
    if symmetry.dim != 2 or symmetry.group.finite:
        return ()
    return SO2(), Cyclic(4), Cyclic(2)


def _centre_by_example(found: SymmetryCheck, symmetry: Symmetry) -> tuple[float, ...] | None:
    """The centre about which the points that do not fit would: (1 − R) Δ is what they are off by."""
    rows, wanted = [], []
    for each in found.fields:
        declared = symmetry.observation.get(each.name)
        if each.role == "observation" and isinstance(declared, Point) and each.element is not None:
            matrix = found.elements[each.element].matrix
            off = np.reshape(each.after, (-1, symmetry.dim)) - np.reshape(each.expected, (-1, symmetry.dim))
            rows.append(np.eye(symmetry.dim) - matrix)
            wanted.append(off[0])
    if not rows or np.linalg.matrix_rank(np.concatenate(rows), tol=1e-3) < symmetry.dim:
        return None
    change = np.linalg.lstsq(np.concatenate(rows), np.concatenate(wanted), rcond=1e-6)[0]
    return tuple((np.round(np.asarray(symmetry.centre) + change, 7) + 0.0).tolist())


def enlarged(
    env: EnvLike, symmetry: Symmetry, move: Move | None, settings: Mapping[str, Any]
) -> tuple[Symmetry, SymmetryCheck] | None:
    """The declaration with reflections, and its check; None if they do not hold, or it has them.

    Fields that keep to it under turns may be others under reflections: a rate that changes sign, a heading whose mirror
    axis has to be known, marks that change place. What one mirrored observation shows of them is tried.
    """
    group = with_mirrors(symmetry.group)
    if group is None:
        return None
    try:
        tried = replaced(symmetry, group=group)
    except ArgumentError:  # a field that has no mirror image, as quaternions
        return None
    for _ in range(_ROUNDS):
        try:
            found = check_symmetry(env, tried, move=move, **settings)
        except ArgumentError:
            return None
        if holds(found):
            return tried, found
        mended = _mended(found, tried, _by_example)
        if not mended:
            break
        tried = replaced(tried, fields=mended)
    return _with_other_action(env, tried, move, settings)


def _with_other_action(
    env: EnvLike, symmetry: Symmetry, move: Move | None, settings: Mapping[str, Any]
) -> tuple[Symmetry, SymmetryCheck] | None:
    """With an action that reflections negate."""
    others: dict[type[Field], type[Field]] = {Scalar: Pseudoscalar, Vector: Pseudovector}
    if type(symmetry.action) not in others:
        return None
    tried = replaced(symmetry, action=others[type(symmetry.action)](symmetry.action.count))
    found = check_symmetry(env, tried, move=move, **settings)
    return (tried, found) if holds(found) else None


def replaced(symmetry: Symmetry, fields: Mapping[str, Field] | None = None, **changes: Any) -> Symmetry:
    """The declaration with other fields, by name; those that share a key stay where they are."""
    named = {**symmetry.observation, **(fields or {})}
    if symmetry.places:
        at = {name: places for name, (_, places) in symmetry.places.items()}
        key = next(iter(symmetry.places.values()))[0]
        return replace(symmetry, observation={key: Parts(named, at)}, places={}, **changes)
    return replace(symmetry, observation=named, **changes)


def _by_example(found: FieldCheck, symmetry: Symmetry, elements: GroupElement) -> Field | None:
    """Another field that an example under a reflection shows; None if none does."""
    declared = symmetry.observation[found.name]
    if found.element is None or not found.before:
        return None
    g = elements[found.element]
    if g.determinant > 0:
        return None
    before, after = np.array(found.before), np.array(found.after)
    if isinstance(declared, Heading):
        turn = np.arctan2(g.matrix[1, 0], g.matrix[0, 0])
        return replace(declared, axis=float((turn - before[0] - after[0]) / 2 % np.pi))
    if isinstance(declared, Point) and declared.count > 1:
        moved = Point(declared.count).transform(g, before, symmetry.centre).reshape(-1, g.dim)
        apart = np.linalg.norm(after.reshape(-1, 1, g.dim) - moved[None], axis=-1)
        try:
            return replace(declared, mirror=tuple(apart.argmin(-1).tolist()))
        except ArgumentError:  # no exchange in pairs
            return None
    others: tuple[Field, ...] = (Pseudoscalar(declared.count),) if isinstance(declared, Scalar) else ()
    others = (Pseudovector(declared.count),) if isinstance(declared, Vector) else others
    centre = np.asarray(symmetry.centre)
    size = np.abs(after).max() + 1e-12
    for other in others:
        if np.abs(other.transform(g, before, centre) - after).max() < 1e-6 * size:
            return other
    return None
