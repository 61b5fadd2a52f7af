"""What is claimed of a recording: which numbers are what, in which frame and form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from equiworld.arguments import integer
from equiworld.errors import ArgumentError
from equiworld.verify.recordings.reading import Recording

__all__ = ["Claims", "Places"]

Places = tuple[str, Sequence[int]]
"""A key, and which of its numbers."""

Frame = Literal["world", "body", "base", "target"]


@dataclass(frozen=True)
class Claims:
    """Which numbers of a recording are what; those that are not there are None, and what needs them is not tested.

    Attributes:
        position: the measured place, 3 numbers.
        rotation: the measured orientation, 3, 4, 6 or 9 numbers.
        form: of the orientation: "rotvec"; Euler's angles as scipy names them, "xyz" or "ZYX"; "wxyz" or "xyzw"; "6d",
            the first two columns of the matrix; "matrix", row by row.
        step: the commanded translation, 3 numbers.
        frame: of the step: "world", along the axes in which the position is measured; "body", along those of the
            measured orientation; "base", along axes that a fixed rotation takes to the world's; "target", no step but
            the place to go to.
        turn: the commanded rotation, a small rotation vector or small angles, 3 numbers.
        turn_frame: "world" or "body".
        sides: the commands of left and right, and the measured numbers of left and right: four of the same size.
        commanded: absolute targets, for drift, with `measured`.
        measured: what follows them, of the same size.
    """

    position: Places | None = None
    rotation: Places | None = None
    form: str = "rotvec"
    step: Places | None = None
    frame: Frame = "world"
    turn: Places | None = None
    turn_frame: Literal["world", "body"] = "world"
    sides: tuple[Places, Places, Places, Places] | None = None
    commanded: Places | None = None
    measured: Places | None = None

    def check(self, recording: Recording) -> None:
        """Refuse places that a recording does not have, or too few of them.

        Raises:
            ArgumentError: names the claim.
        """
        for name, got, options in (
            ("frame", self.frame, ("world", "body", "base", "target")),
            ("turn_frame", self.turn_frame, ("world", "body")),
        ):
            if got not in options:
                raise ArgumentError(name, got, "a frame", options)
        if not isinstance(self.form, str) or not (self.form in _WIDTHS or _EULER.fullmatch(self.form)):
            raise ArgumentError("form", self.form, 'a form, or Euler angles such as "xyz" and "ZYX"', _WIDTHS)
        for name in ("position", "step", "turn"):
            self._places(recording, name, getattr(self, name), 3)
        self._places(recording, "rotation", self.rotation, _WIDTHS.get(self.form, 3))
        if self.sides is not None:
            if not isinstance(self.sides, tuple | list) or len(self.sides) != 4 or None in self.sides:
                raise ArgumentError("sides", self.sides, "four (key, places): commands and what is measured")
            widths = [self._places(recording, "sides", each) for each in self.sides]
            if len(set(widths)) > 1:
                raise ArgumentError("sides", f"{widths} places", "as many of each")
        if (self.commanded is None) != (self.measured is None):
            raise ArgumentError("commanded", self.commanded, "given with measured, or neither")
        width = self._places(recording, "commanded", self.commanded)
        self._places(recording, "measured", self.measured, width)

    @staticmethod
    def _places(recording: Recording, name: str, places: Any, width: int | None = None) -> int | None:
        """How many places there are, if they are as they have to be."""
        if places is None:
            return None
        try:
            key, numbers = places
            numbers = [integer(name, each, least=0) for each in numbers]
        except (TypeError, ValueError) as error:
            raise ArgumentError(name, places, "(key, places)") from error
        if not isinstance(key, str) or key not in recording.sizes:
            raise ArgumentError(name, repr(key), "a key of the recording", recording.sizes)
        fits = len(numbers) == (width or len(numbers)) and len(set(numbers)) == len(numbers) > 0
        if not fits or max(numbers) >= recording.sizes[key]:
            expected = f"{'some' if width is None else width} different places below {recording.sizes[key]}"
            raise ArgumentError(name, numbers, expected)
        return len(numbers)


_WIDTHS = {"rotvec": 3, "wxyz": 4, "xyzw": 4, "6d": 6, "matrix": 9}
_EULER = re.compile(r"(?!.*(.)\1)(?:[xyz]{3}|[XYZ]{3})")
FORMS = {
    3: ("rotvec", "xyz", "zyx", "XYZ", "ZYX"),
    4: ("wxyz", "xyzw"),
    6: ("6d", "6d, rows"),
    9: ("matrix", "matrix, column by column"),
}
"""By how many numbers there are, the forms that they may have."""


def matrices(numbers: np.ndarray, form: str) -> np.ndarray:
    """Rotation matrices `(n, 3, 3)` of orientations in a form."""
    from scipy.spatial.transform import Rotation

    if form in ("wxyz", "xyzw"):
        quaternions = np.roll(numbers, -1, -1) if form == "wxyz" else numbers
        norms = np.linalg.norm(quaternions, axis=-1, keepdims=True)
        return Rotation.from_quat(np.where(norms > 0, quaternions, [0.0, 0.0, 0.0, 1.0])).as_matrix()
    if form == "rotvec":
        return Rotation.from_rotvec(numbers).as_matrix()
    if form.startswith("matrix"):
        found = numbers.reshape(-1, 3, 3)
        return found if form == "matrix" else np.swapaxes(found, 1, 2)
    if form.startswith("6d"):
        pairs = numbers.reshape(-1, 2, 3) if form == "6d" else np.swapaxes(numbers.reshape(-1, 3, 2), 1, 2)
        first = _unit(pairs[:, 0])
        second = _unit(pairs[:, 1] - (pairs[:, 1] * first).sum(-1, keepdims=True) * first)
        return np.stack([first, second, np.cross(first, second)], -1)
    return Rotation.from_euler(form, numbers).as_matrix()


def _unit(arrows: np.ndarray) -> np.ndarray:
    """Of length 1; those that have none stay 0, and explain nothing."""
    norms = np.linalg.norm(arrows, axis=-1, keepdims=True)
    return np.asarray(arrows / np.where(norms > 0, norms, 1.0))
