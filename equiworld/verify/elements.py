"""Group elements in words and in columns of a table: axis, angle, shift, mirror."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.groups.rotations import rotation_vector

__all__ = [
    "ELEMENTS_STREAM",
    "NOTHING_TO_COMPARE",
    "describe",
    "element_columns",
    "orbit_elements",
    "rotation_angle",
    "rotation_axis",
]

NOTHING_TO_COMPARE = "a group with elements besides the identity: with it alone there is nothing to compare"

ELEMENTS_STREAM = 0x63657274
"""Keeps elements' random numbers apart from those that environments draw from the same seed."""


def orbit_elements(
    group: Group, dim: int, count: int, rng: np.random.Generator, scale: float
) -> GroupElement:
    """The identity, and `count` elements that are not the identity (all others, of a small finite group).

    Args:
        group: of them.
        dim: of the space that they have to move.
        count: how many besides the identity.
        rng: that they are drawn with; of a finite group they are even.
        scale: longest translation.

    Raises:
        ArgumentError: a group of another dimension, or one that has the identity alone.
    """
    if group.dim != dim:
        raise ArgumentError("group", f"{group!r} of dimension {group.dim}", f"dimension {dim}")
    identity = group.identity()
    pool = group.grid(count + 1) if group.finite else group.sample(rng, count, scale=scale)
    others = [g for g in pool if not g.is_close(identity)][:count]
    if not others:
        raise ArgumentError("group", repr(group), NOTHING_TO_COMPARE)
    return GroupElement.stack([identity, *others])


def rotation_angle(g: GroupElement) -> float:
    """The angle [rad] by which one element turns: signed in the plane, of the axis-angle form in space."""
    vector = rotation_vector(_proper(g))
    return float(vector[0]) if g.dim == 2 else float(np.linalg.norm(vector))


def rotation_axis(g: GroupElement) -> NDArray[np.float64] | None:
    """The unit vector `(3,)` that one element turns about; None in the plane, and where nothing turns."""
    if g.dim != 3:
        return None
    vector = rotation_vector(_proper(g))
    length = float(np.linalg.norm(vector))
    return vector / length if length > 1e-9 else None


def element_columns(g: GroupElement) -> dict[str, Any]:
    """One element as columns of a result file.

    With a mirror, `angle_deg` is in the plane the direction that +x is taken to; in space element = −(turn).

    >>> from equiworld.groups import SE3
    >>> columns = element_columns(SE3().rotation([0.0, 0.0, np.pi / 2]))
    >>> round(columns["angle_deg"], 9), columns["axis"], columns["shift"], columns["mirrored"]
    (90.0, [0.0, 0.0, 1.0], [0.0, 0.0, 0.0], False)
    """
    axis = rotation_axis(g)
    return {
        "angle_deg": float(np.degrees(rotation_angle(g))),
        "axis": None if axis is None else axis.tolist(),
        "shift": g.translation.tolist(),
        "mirrored": bool(g.determinant < 0),
    }


def describe(g: GroupElement) -> str:
    """One element in words: its angle, its translation's length, and whether it mirrors."""
    words = [f"{np.degrees(rotation_angle(g)):.1f}°"]
    shift = float(np.linalg.norm(g.translation))
    if shift > 0:
        words.append(f"shifted {shift:.3g}")
    if g.determinant < 0:
        words.append("mirrored")
    if g.stored_label is not None and int(g.stored_label):
        words.append(f"label {int(g.stored_label)}")
    return ", ".join(words)


def _proper(g: GroupElement) -> NDArray[np.float64]:
    """Its matrix in space without the mirror."""
    return -g.matrix if g.determinant < 0 and g.dim % 2 else g.matrix
