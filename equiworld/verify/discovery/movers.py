"""The numbers of keys as items that may turn or shift, and what a small motion does to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from equiworld.groups.arrays import Array

__all__ = ["ACTION", "EULER", "Mover", "Unknown", "basis_of_turns", "movers_of", "unknowns_of"]

EULER = ("xyz", "ZYX")
"""Euler's angles that are tried."""

ACTION = ""
"""The key under which the action stands."""


@dataclass(frozen=True)
class Mover:
    """Consecutive numbers of a key that may move together.

    Attributes:
        key: of the observation; "" for the action.
        start: the first number.
        size: how many.
        form: "arrow", d numbers that turn and shift; "number", one that shifts, as angles do; "matrix", "wxyz",
            "xyzw", or "xyz" and "ZYX", Euler's angles: orientations, which turn.
        scale: of its numbers: by how much it shifts for a shift of 1.
    """

    key: str
    start: int
    size: int
    form: str
    scale: float

    @property
    def turns(self) -> bool:
        """Whether it has turns of its own."""
        return self.form != "number"

    def of(self, arrays: Mapping[str, Array]) -> Array:
        """Its numbers `(…, size)`."""
        return arrays[self.key][..., self.start : self.start + self.size]

    def turned(self, numbers: Array, basis: Array) -> Array:
        """The rate of its numbers under one turn W `(d, d)`."""
        if self.form == "arrow":
            return basis @ numbers
        if self.form == "matrix":
            return (basis @ numbers.reshape(3, 3)).ravel()
        if self.form in EULER:
            return _euler_rate(self.form, numbers, basis)
        rate = np.array([basis[2, 1], basis[0, 2], basis[1, 0]]) / 2
        w, v = (numbers[0], numbers[1:]) if self.form == "wxyz" else (numbers[3], numbers[:3])
        real, imaginary = -rate @ v, w * rate + np.cross(rate, v)
        return np.array([real, *imaginary]) if self.form == "wxyz" else np.array([*imaginary, real])


def _euler_rate(form: str, angles: Array, basis: Array) -> Array:
    """The rate of Euler's angles, by central differences: no other form of it is as short."""
    from scipy.spatial.transform import Rotation

    pose, step = Rotation.from_euler(form, angles).as_matrix(), 1e-5
    moved = [np.eye(3) + sign * step * basis + (step * basis) @ (step * basis) / 2 for sign in (1, -1)]
    up, down = (Rotation.from_matrix(each @ pose).as_euler(form) for each in moved)
    return np.asarray(((up - down + np.pi) % (2 * np.pi) - np.pi) / (2 * step))


@dataclass(frozen=True)
class Unknown:
    """One coordinate of a generator: how much a mover turns, or shifts, in one direction."""

    mover: int
    what: str
    which: int


def basis_of_turns(dim: int) -> Array:
    """A basis of so(d), `(d(d − 1)/2, d, d)`: the quarter turn in the plane, turns about the axes in space."""
    if dim == 2:
        return np.array([[[0.0, -1.0], [1.0, 0.0]]])
    basis = np.zeros((3, 3, 3))
    for axis in range(3):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        basis[axis, i, j], basis[axis, j, i] = -1.0, 1.0
    return basis


def movers_of(
    arrays: Mapping[str, Array], dim: int, angles: tuple[str, ...], euler: Mapping[str, str]
) -> list[Mover]:
    """All ways in which keys may move: what is wrong among them is in no null space.

    Euler's angles are told by `euler`, key and form: a turn of them about one axis is a shift of one number, so that
    they cannot be unknown beside arrows.
    """
    found = []
    for key, array in arrays.items():
        if key in euler:
            found.append(Mover(key, 0, 3, euler[key], 1.0))
            continue
        width = array.shape[1]
        size = dim if width % dim == 0 else 1
        for start in range(0, width, size):
            part = array[:, start : start + size]
            scale = 1.0 if key in angles else float(np.sqrt(part.var(0).mean())) or 1.0
            found.append(Mover(key, start, size, "number" if size == 1 else "arrow", scale))
        if dim == 3 and width == 9:
            found.append(Mover(key, 0, 9, "matrix", 1.0))
        if dim == 3 and width == 4:
            found += [Mover(key, 0, 4, form, 1.0) for form in ("wxyz", "xyzw")]
    return found


def unknowns_of(movers: list[Mover], dim: int) -> list[Unknown]:
    """The coordinates of a generator. Actions turn only: their zero is what does nothing."""
    found = list[Unknown]()
    for number, mover in enumerate(movers):
        if mover.turns:
            found += [Unknown(number, "turn", which) for which in range(len(basis_of_turns(dim)))]
        if mover.form in ("arrow", "number") and mover.key != ACTION:
            found += [Unknown(number, "shift", which) for which in range(mover.size)]
    return found
