"""What each key is, read from how the generators move it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equiworld.groups.arrays import Array
from equiworld.symmetry import Field, Heading, Point, Rotation, Scalar, Vector
from equiworld.verify.check.report import shown
from equiworld.verify.discovery.algebra import Algebra
from equiworld.verify.discovery.movers import ACTION, EULER, Mover, basis_of_turns
from equiworld.verify.discovery.transitions import Transitions

__all__ = ["FieldGuess", "centre_of", "field_guesses"]

_ALIKE = 0.02  # how far a share of a turn may lie from 0, 1 or −1


@dataclass(frozen=True)
class FieldGuess:
    """What a key seems to be.

    Attributes:
        name: the key; while it is looked for "" for the action, and in what is reported "action".
        declared: the field.
        sure: whether the dynamics told it; else it was told by its size, or by a key that is like it.
        note: what is to be looked at; "" if nothing.

    >>> print(FieldGuess("speed", Vector(), True))
    speed: Vector()
    """

    name: str
    declared: Field
    sure: bool
    note: str = ""

    def __str__(self) -> str:
        doubt = "" if self.sure else "  # not told by the dynamics"
        return f"{self.name}: {shown(self.declared)}{doubt}" + (f"  # {self.note}" if self.note else "")


def field_guesses(algebra: Algebra, data: Transitions) -> list[FieldGuess]:
    """A field for each key and the action, in their order."""
    motions = [algebra.motion(turn) for turn in algebra.turns]
    found: dict[str, FieldGuess] = {}
    for name in (*data.before, ACTION):
        own = [(number, mover) for number, mover in enumerate(algebra.movers) if mover.key == name]
        width = data.action.shape[1] if name == ACTION else data.before[name].shape[1]
        if own:
            found[name] = _guess(algebra, motions, name, own, width, data)
    for name in data.still:
        found[name] = _by_likeness(name, data, found)
    order = [*data.before, ACTION]
    return [found[name] for name in order]


def _guess(
    algebra: Algebra,
    motions: Sequence[Array],
    name: str,
    own: Sequence[tuple[int, Mover]],
    width: int,
    data: Transitions,
) -> FieldGuess:
    """The form whose movers all turn as the others do; a Scalar if none does."""
    if not motions:
        return _without_turns(algebra, name, own, width)
    for form in ("arrow", "number", "matrix", "wxyz", "xyzw", *EULER):
        movers = [(number, mover) for number, mover in own if mover.form == form]
        shares = {round(_share(algebra, motions, number), 2) for number, _ in movers}
        if len(shares) != 1 or abs(share := shares.pop()) < _ALIKE:
            continue
        note = "" if abs(share - 1) < _ALIKE else f"turns by {share:g} where others turn by 1"
        if abs(share + 1) < _ALIKE:
            note = "turns the other way round: its axes are exchanged, or its angles are counted clockwise"
        return FieldGuess(name, _field(algebra, form, movers, motions, data, name), note == "", note)
    return FieldGuess(name, Scalar(width), True)


def _field(
    algebra: Algebra,
    form: str,
    movers: Sequence[tuple[int, Mover]],
    motions: Sequence[Array],
    data: Transitions,
    name: str,
) -> Field:
    if form == "number":
        low = 0.0 if data.before[name].min() >= 0.0 else -np.pi
        return Heading(len(movers), low=low)
    if form == "arrow":
        return Point(len(movers)) if _shifts(algebra, movers, motions) else Vector(len(movers))
    return Rotation(form=form)


def _without_turns(algebra: Algebra, name: str, own: Sequence[tuple[int, Mover]], width: int) -> FieldGuess:
    """By size: arrows if they fit, points if they shift; to be tried under finite groups."""
    arrows = [(number, mover) for number, mover in own if mover.form == "arrow"]
    if not arrows:
        return FieldGuess(name, Scalar(width), False)
    shifts = any(algebra.takes_part(number, "shift") for number, _ in arrows)
    return FieldGuess(name, Point(len(arrows)) if shifts else Vector(len(arrows)), False)


def _share(algebra: Algebra, motions: Sequence[Array], number: int) -> float:
    """By how much a mover turns where all others turn by 1."""
    turn = algebra.coordinates(number, "turn")
    if not turn:
        return float(motions[0][algebra.coordinates(number, "shift")[0]]) / float(algebra.turns[0][0])
    pairs = zip(motions, algebra.turns, strict=True)
    return float(np.mean([motion[turn] @ wanted for motion, wanted in pairs]))


def _shifts(algebra: Algebra, movers: Sequence[tuple[int, Mover]], motions: Sequence[Array]) -> bool:
    """Whether arrows are places: they shift in the null space, or turn about another place than 0."""
    for number, _ in movers:
        rows = algebra.coordinates(number, "shift")
        if not rows:
            return False
        if len(algebra.shifts) and algebra.takes_part(number, "shift"):
            return True
        if any(np.abs(motion[rows]).max() > _ALIKE for motion in motions):
            return True
    return False


def _by_likeness(name: str, data: Transitions, found: dict[str, FieldGuess]) -> FieldGuess:
    """Of what never changes in an episode: the field of the key of the same size whose name, or range, is nearest."""
    array = data.before[name]
    alike = [
        (-_common(other, name), _apart(data.before[other], array), other)
        for other in found
        if other != ACTION and other not in data.still and data.before[other].shape == array.shape
    ]
    constant = np.ptp(array, axis=0).max() <= 1e-12
    if alike and (not constant or min(alike)[0] < 0):
        other = min(alike)[2]
        note = f"never changes within an episode: typed as {other!r}, which is like it"
        return FieldGuess(name, found[other].declared, False, note)
    return FieldGuess(name, Scalar(array.shape[1]), False, "never changes within an episode")


def _common(first: str, second: str) -> int:
    """Letters that two names end with alike, counted in whole words."""
    words = [list(reversed(name.split("_"))) for name in (first, second)]
    alike = [one for one, other in zip(*words, strict=False) if one == other]
    return sum(map(len, alike)) if words[0][0] == words[1][0] else 0


def _apart(first: Array, second: Array) -> float:
    """How far two arrays' ranges lie apart, in their own width."""
    middle = np.abs(first.mean(0) - second.mean(0)).max()
    wide = np.abs(first.std(0) - second.std(0)).max()
    return float((middle + wide) / (first.std(0).mean() + second.std(0).mean() + 1e-12))


def centre_of(algebra: Algebra, guesses: Sequence[FieldGuess]) -> Array | None:
    """The place about which all points turn, least squares; None where shifts leave it free, or nothing turns."""
    points = {guess.name for guess in guesses if isinstance(guess.declared, Point)}
    rows, wanted = list[Array](), list[Array]()
    for turn in algebra.turns:
        motion, whole = algebra.motion(turn), np.tensordot(turn, basis_of_turns(algebra.dim), 1)
        for number, mover in enumerate(algebra.movers):
            if mover.key in points and mover.form == "arrow":
                rows.append(-whole)  # its rate is W (x − c)
                wanted.append(motion[algebra.coordinates(number, "shift")] * mover.scale)
    if not rows or len(algebra.shifts):
        return None
    found = np.linalg.lstsq(np.concatenate(rows), np.concatenate(wanted), rcond=1e-6)[0]
    return np.where(np.abs(found) < 1e-6 * max(1.0, np.abs(found).max()), 0.0, found)
