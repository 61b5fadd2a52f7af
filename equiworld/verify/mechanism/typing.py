"""Fields of a Symmetry for the pieces of an observation, from what generators of a finite group do to them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equiworld.symmetry import (
    Concatenation,
    Field,
    Orthogonal,
    Permuted,
    Point,
    Pseudovector,
    Rotation,
    Scalar,
    SignedPermutation,
    SymmetricMatrix,
    Vector,
)
from equiworld.verify.mechanism.layout import DIFFERENCE, Piece
from equiworld.verify.mechanism.model_map import FREE, Array, Model, ModelMap
from equiworld.verify.mechanism.sources import Source

__all__ = ["Typed", "fields_of_piece", "mixing_field"]

_SIX, _TEN = 6, 10
Typed = tuple[str, Field, tuple[int, ...]]
"""The name of a field, the field, and where its numbers are in the key's array."""


def mixing_field(matrices: Sequence[Array]) -> Field | None:
    """The field of numbers that generators mix by matrices `(n, n)`; None where these are not orthogonal.

    >>> mixing_field([np.array([[0.0, -1.0], [-1.0, 0.0]])])
    SignedPermutation(orders=((1, 0),), signs=((-1, -1),))
    """
    if all(np.abs(each.T @ each - np.eye(len(each))).max() < 1e-9 for each in matrices):
        if all((np.abs(each - np.eye(len(each))) < 1e-9).all() for each in matrices):
            return Scalar(len(matrices[0]))
        if all((np.abs(np.abs(each).max(1) - 1) < 1e-9).all() for each in matrices):
            orders = [np.abs(each).argmax(1) for each in matrices]
            signs = [
                np.sign(each[np.arange(len(each)), order])
                for each, order in zip(matrices, orders, strict=True)
            ]
            return SignedPermutation(
                [order.tolist() for order in orders], [sign.astype(int).tolist() for sign in signs]
            )
        return Orthogonal([each.tolist() for each in matrices])
    return None


def fields_of_piece(
    piece: Piece, source: Source | None, model: Model, maps: Sequence[ModelMap]
) -> tuple[list[Typed], list[str]]:
    """The fields of one piece, and what of it could not be typed, in words."""
    if piece.source == DIFFERENCE:
        return _difference(piece, maps)
    if source is None:
        return [], []  # the layout has said it
    typed, untyped = list[Typed](), list[str]()
    left = list(zip(piece.at, piece.indices, strict=True))
    for first in source.quaternions:
        inside = [(at, index) for at, index in left if first <= index < first + 4]
        if not inside:
            continue
        left = [pair for pair in left if pair not in inside]
        found = _quaternion(first, inside, model)
        if found is None:
            untyped.append(f"{_where(piece)}: the quaternion at {source.name}[{first}]")
        else:
            typed.append(found)
    for name, chosen in _segments(source.name, left, model):
        found_field = _linear(source, model, [index for _, index in chosen], maps)
        if isinstance(found_field, str):
            untyped.append(f"{_where(piece)}, {source.name}: {found_field}")
        else:
            typed.append((name, found_field, tuple(at for at, _ in chosen)))
    return typed, untyped


def _where(piece: Piece) -> str:
    return f"{piece.key}[{piece.at[0]}:{piece.at[-1] + 1}]"


def _difference(piece: Piece, maps: Sequence[ModelMap]) -> tuple[list[Typed], list[str]]:
    one, other = piece.indices
    stay = all(found.bodies[one] == one and found.bodies[other] == other for found in maps)
    flat = all(not found.isometry[2, :2].any() for found in maps)
    if not stay or (len(piece.at) == 2 and not flat):
        return [], [f"{_where(piece)}: the way between bodies {one} and {other}, which change places"]
    matrices = [found.isometry[: len(piece.at), : len(piece.at)] for found in maps]
    field = Vector() if len(piece.at) == 3 else mixing_field(matrices)
    return [("way", field, piece.at)] if field is not None else [], []


def _quaternion(first: int, inside: Sequence[tuple[int, int]], model: Model) -> Typed | None:
    """The orientation of the first floating body, whose own axes the group's labels turn."""
    free = np.flatnonzero(model.jnt_type == FREE)
    if len(inside) < 4 or len(free) != 1 or int(model.jnt_qposadr[free[0]]) + 3 != first:
        return None
    return "orientation", Rotation(form="wxyz", body=True), tuple(at for at, _ in inside)


def _segments(
    source: str, left: list[tuple[int, int]], model: Model
) -> list[tuple[str, list[tuple[int, int]]]]:
    """What has a name of its own: of a floating robot its place, velocity and spin, apart from its joints."""
    free = np.flatnonzero(model.jnt_type == FREE)
    if source not in ("qpos", "qvel") or len(free) != 1:
        names = {"qpos": "joints", "qvel": "joint_rates"}
        names |= {"cvel": "body_velocities", "cfrc_ext": "contact_forces", "cinert": "inertias"}
        names |= {"qfrc_actuator": "torques", "xpos": "places"}
        return [(names.get(source, source.replace(" ", "_")), left)] if left else []
    if source == "qpos":
        at = int(model.jnt_qposadr[free[0]])
        inside = {"position": [p for p in left if at <= p[1] < at + 3]}
        if len(inside["position"]) == 1:
            inside = {"height": inside["position"]}
    else:
        at = int(model.jnt_dofadr[free[0]])
        inside = {"velocity": [p for p in left if at <= p[1] < at + 3]}
        inside["spin"] = [p for p in left if at + 3 <= p[1] < at + 6]
    taken = [pair for pairs in inside.values() for pair in pairs]
    inside["joints" if source == "qpos" else "joint_rates"] = [pair for pair in left if pair not in taken]
    return [(name, pairs) for name, pairs in inside.items() if pairs]


def _linear(source: Source, model: Model, indices: list[int], maps: Sequence[ModelMap]) -> Field | str:
    """The field of some of a source's numbers; or why there is none."""
    matrices = [source.matrix(found) for found in maps]
    inside = np.array(indices)
    outside = np.setdiff1d(np.arange(len(matrices[0])), inside)
    for found, matrix in zip(maps, matrices, strict=True):
        if matrix[np.ix_(inside, outside)].any():
            return f"under {found.name} some come from numbers that are not observed"
        if not np.abs(matrix[indices]).any(axis=1).all():
            return f"under {found.name} nothing comes to some of them"
        if source.offset is not None and np.abs(source.offset(found)[indices]).max(initial=0.0) > 1e-9:
            return f"under {found.name} they are shifted as well as turned"
    named = _named(source, model, indices, maps)
    field = named or mixing_field([matrix[np.ix_(inside, inside)] for matrix in matrices])
    return field if field is not None else "they are mixed by matrices that are not orthogonal"


def _named(source: Source, model: Model, indices: list[int], maps: Sequence[ModelMap]) -> Field | None:
    """A field by what it means: points and vectors of a floating body, of all bodies."""
    free = np.flatnonzero(model.jnt_type == FREE)
    if source.name in ("qpos", "qvel") and len(free) == 1:
        at = int((model.jnt_qposadr if source.name == "qpos" else model.jnt_dofadr)[free[0]])
        if indices == [at, at + 1, at + 2]:
            return Point() if source.name == "qpos" else Vector()
    width = {"cvel": _SIX, "cfrc_ext": _SIX, "cinert": _TEN}.get(source.name)
    if width is None or len(indices) % width or indices != list(range(indices[0], indices[0] + len(indices))):
        return None
    first, count = indices[0] // width, len(indices) // width
    if indices[0] % width:
        return None
    orders = [(found.bodies[first : first + count] - first).tolist() for found in maps]
    parts = (Pseudovector(), Vector()) if width == _SIX else (SymmetricMatrix(), Vector(), Scalar())
    return Permuted(Concatenation(parts), orders)
