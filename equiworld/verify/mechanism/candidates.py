"""The isometries that are tried on a mechanism: mirrors and turns that keep the vertical, and the identity."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equiworld.verify.mechanism.kinematics import Kinematics
from equiworld.verify.mechanism.model_map import Array

__all__ = ["Candidate", "candidate_isometries"]

_TURNS = (8, 7, 6, 5, 4, 3, 2)
_MIRRORS = 12  # planes through the vertical, 15° apart
_KEEPS = 0.5  # the cosine that gravity and its image have at least: less is another direction, not a fault


class Candidate(NamedTuple):
    """An isometry of space to be tried.

    Attributes:
        name: such as "mirror y".
        isometry: R, `(3, 3)`.
    """

    name: str
    isometry: Array


def candidate_isometries(kinematics: Kinematics) -> list[Candidate]:
    """Turns of order 2 to 8 about the vertical, mirrors, and the identity, along the axes of the first floating body.

    Without one they are along the axes of the world. The vertical is the axis nearest to gravity.
    """
    frame, model = _frame(kinematics), kinematics.model
    gravity = frame.T @ model.opt.gravity
    length = float(np.linalg.norm(gravity))
    up = np.zeros(3)
    up[int(np.abs(gravity).argmax()) if length else 2] = 1.0
    axes = [np.roll(up, 1), np.roll(up, 2)]  # horizontal, right-handed with up
    normals = {"xyz"[int(axis.argmax())]: axis for axis in (*axes, up)}
    ordered = [letter for letter in "yxz" if letter in normals]  # left and right first
    found = [(f"mirror {letter}", _mirror(normals[letter])) for letter in ordered]
    found += [(f"turn by 1/{n}", _turn(axes, up, 2 * np.pi / n)) for n in _TURNS]
    for step in range(_MIRRORS):
        if step % (_MIRRORS // 2):
            angle = np.pi * step / _MIRRORS
            normal = np.cos(angle) * axes[0] + np.sin(angle) * axes[1]
            found.append((f"mirror at {180 * step // _MIRRORS}°", _mirror(normal)))
    found.append(("exchange", np.eye(3)))
    return [
        Candidate(name, frame @ own @ frame.T)
        for name, own in found
        if not length or gravity @ own @ gravity >= _KEEPS * length**2
    ]


def _frame(kinematics: Kinematics) -> Array:
    """The axes of the first floating body; those of the world where none floats."""
    for body in kinematics.children(0):
        if kinematics.is_free(body):
            return kinematics.frames[body]
    return np.eye(3)


def _mirror(normal: Array) -> Array:
    return np.asarray(np.eye(3) - 2 * np.outer(normal, normal) + 0.0)


def _turn(axes: list[Array], up: Array, angle: float) -> Array:
    """The rotation by an angle about `up`, quarters exact."""
    cosine, sine = np.cos(angle), np.sin(angle)
    cosine, sine = (
        float(np.round(each)) if abs(each - np.round(each)) < 1e-12 else each for each in (cosine, sine)
    )
    first, second = axes
    plane = np.outer(first, first) + np.outer(second, second)
    return np.asarray(
        np.outer(up, up) + cosine * plane + sine * (np.outer(second, first) - np.outer(first, second))
    )
