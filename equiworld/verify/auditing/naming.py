"""Groups and elements in words."""

from __future__ import annotations

import numpy as np

from equiworld.groups import Group, GroupElement, Isometries
from equiworld.verify.elements import describe, rotation_angle, rotation_axis

__all__ = ["name_of", "words_of"]


def name_of(group: Group) -> str:
    """A group as it is written, of finite ones that would fill lines in words."""
    if isinstance(group, Isometries) and group.order == 2 and not group.stores_labels and not group.proper:
        values, vectors = np.linalg.eigh(group.elements().matrix[1])
        if (values[1:] > 0).all():  # a reflection
            normal = np.round(vectors[:, 0] * np.sign(vectors[:, 0].sum() or 1.0), 6) + 0.0
            return f"left_right({tuple(normal.tolist())})"
    if isinstance(group, Isometries):
        return f"Isometries of {group.order} elements"
    return repr(group)


def words_of(g: GroupElement) -> str:
    """One element in words: what it turns about, or mirrors across, where it shifts, which label."""
    if g.dim != 3:
        return describe(g)
    words = []
    axis, angle = rotation_axis(g), float(np.degrees(rotation_angle(g)))
    about = "" if axis is None else f"({', '.join(f'{each:.3g}' for each in np.round(axis, 3) + 0.0)})"
    if g.determinant < 0:  # minus a turn: by half a turn that is a mirror
        plain = np.isclose(angle, 180.0, atol=1e-6)
        words.append(f"mirror across {about}" if plain else f"inversion, {angle:.1f}° about {about}")
    elif axis is not None:
        words.append(f"{angle:.1f}° about {about}")
    shift = float(np.linalg.norm(g.translation))
    if shift > 0:
        words.append(f"shifted {shift:.3g}")
    if g.stored_label is not None and int(g.stored_label):
        words.append(f"label {int(g.stored_label)}")
    return ", ".join(words) or "identity"
