"""What a check of a declaration found: a verdict for each field, the layout with values, and what could not be told."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.results import text_table, to_plain
from equiworld.symmetry import Field
from equiworld.verify.elements import describe

__all__ = [
    "FieldCheck",
    "Role",
    "SymmetryCheck",
    "Verdict",
    "kind_of",
    "places_in_words",
    "shortened",
    "shown",
    "traits_of",
]

Verdict = Literal["exact", "approximate", "false", "broken", "untested"]
Role = Literal["observation", "info", "action", "reward", "end"]

_NARROW, _WIDE = 44, 160  # letters of a field in the table, and in a line of its own
FOLLOWS = "follows from what the action is declared to be"

_SLACK = 1e-9
_SHOWN = 6  # numbers of an example that are printed
_COLUMNS = {
    "name": "field",
    "place": "place",
    "declared": "declared",
    "before": "at s",
    "after": "at g·s",
    "expected": "expected",
    "relative": "deviation",
    "first": "from step",
    "verdict": "verdict",
}


@dataclass(frozen=True)
class FieldCheck:
    """One field: what it was declared to be, and what it was seen to do.

    Attributes:
        name: of the field; "action", "reward" and "end" (terminated, truncated) are checked as well.
        role: what it is a part of.
        declared: its field, as it is written.
        place: where its numbers lie: key and indices.
        verdict: "exact" to rounding, "approximate" within the tolerance, "false"; "untested" where nothing told;
            "broken" is a reward or an end that is not invariant, and is said not to be.
        relative: the largest deviation from ρ(g) of what was seen at s, in units of `scale`.
        by_step: the same after 0, 1, … actions; NaN where nothing was compared.
        scale: by how much the numbers differ among all that was seen, in their own units.
        first_step: the first step at which the tolerance is exceeded; None if it never is.
        element: which of `SymmetryCheck.elements` it deviates most at; None if nothing was compared.
        before: an example, at s.
        after: the same at g·s.
        expected: ρ(g) of the first.
        fits: what would fit instead, in words, where one exchange mends it.
        notes: what else was seen, and what could not be.

    >>> from equiworld.groups import SO2
    >>> speed = FieldCheck("speed", "observation", "Scalar(2)", "2–3", "false", fits="Vector() would fit to 2e-16")
    >>> speed.problem(SO2().grid(4))
    'speed: declared Scalar(2); Vector() would fit to 2e-16'
    """

    name: str
    role: Role
    declared: str
    place: str
    verdict: Verdict
    relative: float = 0.0
    by_step: tuple[float, ...] = ()
    scale: float = 0.0
    first_step: int | None = None
    element: int | None = None
    before: tuple[float, ...] = ()
    after: tuple[float, ...] = ()
    expected: tuple[float, ...] = ()
    fits: str | None = None
    notes: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        """One line of the layout."""
        values = {name: _numbers(getattr(self, name)) for name in ("before", "after", "expected")}
        relative = None if not self.by_step else self.relative
        return {
            "name": self.name if self.role != "info" else f"info {self.name}",
            "place": self.place,
            "declared": shortened(self.declared, _NARROW),
            **values,
            "relative": "–" if relative is None else f"{relative:.2g}",
            "first": "–" if self.first_step is None else str(self.first_step),
            "verdict": self.verdict,
        }

    def problem(self, elements: GroupElement) -> str | None:
        """What is wrong with it, in one line; None if nothing is."""
        if self.verdict != "false":
            return None
        where = "" if self.element is None else f" under {describe(elements[self.element])}"
        when = "" if self.first_step is None else f" from step {self.first_step} on"
        fitted = self.first_step and not np.isnan(self.by_step[0])
        though = ", though it fits at first" if fitted else ""
        told = f"off by {self.relative:.2g} of its scale{when}{where}{though}"
        if self.fits == FOLLOWS:
            return f"{self.name}: {FOLLOWS}"
        return f"{self.name}: declared {shortened(self.declared, _WIDE)}; {self.fits or told}"


@dataclass(frozen=True)
class SymmetryCheck:
    """What `check_symmetry` found; `print` it.

    Attributes:
        env: its id.
        group: the group's name.
        holds: where the declaration itself says that it holds.
        fields: one each, in the order of the arrays; then action, reward and end of episodes.
        elements: the group elements, a batch.
        by_kind: by kind of element ("turns", "shifts", …), the largest deviation of any observed field, and of
            the reward where it is to be invariant.
        never: of turns, shifts, mirrors and exchanges of labels, what the group has and no run began at.
        config: elements, states, steps, tolerance, seed, and how the simulator was brought to g·s.
        notes: what was seen besides, and what could not be tested.
        seconds: how long it took [s].
    """

    env: str
    group: str
    holds: str
    fields: list[FieldCheck] = field(hash=False)
    elements: GroupElement = field(hash=False)
    by_kind: Mapping[str, float] = field(hash=False)
    never: tuple[str, ...]
    config: Mapping[str, Any] = field(hash=False)
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """The worst of all fields that were tested, but of what is broken as declared; "untested" if none was."""
        found = {each.verdict for each in self.fields}
        order: tuple[Verdict, ...] = ("false", "approximate", "exact")
        return next((verdict for verdict in order if verdict in found), "untested")

    @property
    def ok(self) -> bool:
        """Whether all kinds of elements were tested, and nothing is false; see `untested` for what never changed."""
        return self.verdict in ("exact", "approximate") and not self.never

    @property
    def untested(self) -> tuple[str, ...]:
        """The names of the fields of which nothing can be said."""
        return tuple(each.name for each in self.fields if each.verdict == "untested")

    def field(self, name: str) -> FieldCheck:
        """The field of a name.

        Raises:
            ArgumentError: there is none.
        """
        for each in self.fields:
            if each.name == name:
                return each
        raise ArgumentError("name", repr(name), "the name of a field", [each.name for each in self.fields])

    def table(self) -> str:
        """The layout: where each field lies, an example of it at s and at g·s, and how far off it is."""
        return text_table([each.row() for each in self.fields], _COLUMNS)

    @property
    def problems(self) -> tuple[str, ...]:
        """What is false, a line each, and what would fit instead."""
        found = (each.problem(self.elements) for each in self.fields)
        return tuple(problem for problem in found if problem is not None)

    def __str__(self) -> str:
        config = self.config
        about = (
            f"{self.env} under {self.group}: {self.verdict.upper()}. {len(self.elements)} elements, "
            f"{config['states']} states, {config['steps']} steps from each, moved by {config['moved_by']}, "
            f"tolerance {config['tolerance']:.2g}; declared to hold {self.holds}"
        )
        kinds = ", ".join(f"{kind} {worst:.2g}" for kind, worst in self.by_kind.items())
        about += f". NEVER TESTED under {', '.join(self.never)}" if self.never else ""
        lines = [about, self.table(), f"largest deviation by kind of element: {kinds or 'nothing compared'}"]
        lines += [f"  FALSE {problem}" for problem in self.problems]
        lines += [f"  {each.name}: {note}" for each in self.fields for note in each.notes]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it; what was never compared is "nan"."""
        names = ("env", "group", "holds", "by_kind", "never", "config", "notes", "seconds")
        found = {name: getattr(self, name) for name in names}
        found |= {"verdict": self.verdict, "ok": self.ok, "problems": self.problems}
        found |= {"fields": self.fields, "elements": list(self.elements)}
        return to_plain(found, allow_nonfinite=True)


def traits_of(g: GroupElement) -> tuple[str, ...]:
    """What an element does: "turns" or "mirrors" space, "exchanges" labels, "shifts"; nothing of the identity."""
    reflects = bool(g.determinant < 0)
    found = {
        "mirrors": reflects,
        "turns": not reflects and np.abs(g.matrix - np.eye(g.dim)).max() > _SLACK,
        "exchanges": g.stored_label is not None and int(g.label) != 0,
        "shifts": np.abs(g.translation).max() > _SLACK,
    }
    return tuple(name for name, has in found.items() if has)


def kind_of(g: GroupElement) -> str:
    """What sort of isometry it is, in words."""
    return " with ".join(traits_of(g)) or "identity"


def places_in_words(places: Sequence[int]) -> str:
    """Indices as ranges: "0–2, 5"."""
    parts: list[list[int]] = []
    for place in places:
        if parts and place == parts[-1][-1] + 1:
            parts[-1].append(place)
        else:
            parts.append([place])
    words = [str(part[0]) if len(part) == 1 else f"{part[0]}–{part[-1]}" for part in parts]
    return shortened(", ".join(words), 24)


def shown(declared: Field) -> str:
    """A field as it is written: "Vector()" of one, "Vector(3)" of three."""
    text = re.sub(r"\d+\.\d{7,}", lambda found: f"{float(found[0]):.6g}", repr(declared))
    text = re.sub(r"\b(low=-3\.14159|axis=0\.0|signs=None|count=1)\b(, )?", "", text)
    return re.sub(r", (?=\))", "", re.sub(r"\bcount=(\d+)", r"\1", text))


def _numbers(values: tuple[float, ...]) -> str:
    """The first few numbers."""
    if not values:
        return "–"
    told = " ".join(f"{value + 0.0:.3g}" for value in values[:_SHOWN])
    return told if len(values) <= _SHOWN else f"{told} … ({len(values)})"


def shortened(text: str, most: int) -> str:
    """A text of at most so many letters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
