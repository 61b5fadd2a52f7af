"""What was discovered, in words and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from equiworld.results import to_plain
from equiworld.symmetry import Symmetry
from equiworld.symmetry.serialise import symmetry_to_dict
from equiworld.verify.check.report import SymmetryCheck
from equiworld.verify.discovery.algebra import Algebra
from equiworld.verify.discovery.field_types import FieldGuess
from equiworld.verify.discovery.finite import FiniteGuess
from equiworld.verify.discovery.proposal import as_code
from equiworld.verify.discovery.transitions import Transitions

__all__ = ["Discovery", "notes_of"]


@dataclass(frozen=True)
class Discovery:
    """A proposal, and what speaks for it.

    Attributes:
        env: its id.
        algebra: the continuous symmetry of the dynamics; None where a declaration was there to begin with.
        fields: what each key seems to be.
        finite: isometries that were tried in a model of the data.
        symmetry: the proposal; None if nothing was found.
        audit: the check of the proposal in the simulator; None where nothing brings it to g·s.
        notes: what is to be known of it.
        seconds: how long it took [s].
        also: another declaration that the simulator confirms, of a group that is no part of the proposal's.
    """

    env: str
    algebra: Algebra | None
    fields: tuple[FieldGuess, ...]
    finite: tuple[FiniteGuess, ...]
    symmetry: Symmetry | None
    audit: SymmetryCheck | None
    notes: tuple[str, ...]
    seconds: float
    also: Symmetry | None = None

    @property
    def code(self) -> str:
        """Python that makes the declaration: to be read, confirmed, pasted."""
        return "# no symmetry was found" if self.symmetry is None else as_code(self.symmetry, self.fields)

    def __str__(self) -> str:
        lines = [
            f"{self.env}: {'no symmetry' if self.symmetry is None else repr(self.symmetry.group)} proposed"
        ]
        if self.algebra is not None:
            below, above = self.algebra.gap
            lines.append(
                f"  algebra in {self.algebra.dim} dimensions: {len(self.algebra.turns)} turns and "
                f"{len(self.algebra.shifts)} shifts, null space of dimension {self.algebra.null.shape[1]} "
                f"(residuals {below:.1e} inside, {above:.1e} outside; "
                f"the same in {self.algebra.confidence:.0%} of resamples)"
            )
        lines += [f"  {each}" for each in self.finite]
        audit = "not audited" if self.audit is None else f"audit: {self.audit.verdict}"
        lines += [f"  {audit}", *(f"  note: {note}" for note in self.notes), "", self.code]
        if self.also is not None:
            lines += ["", "# it has this symmetry too:", as_code(self.also)]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        algebra = self.algebra
        found = {
            "env": self.env,
            "symmetry": None if self.symmetry is None else symmetry_to_dict(self.symmetry),
            "code": self.code,
            "also": None if self.also is None else symmetry_to_dict(self.also),
            "dimension": None if algebra is None else algebra.dimension,
            "turns": None if algebra is None else algebra.turns,
            "shifts": None if algebra is None else algebra.shifts,
            "singular_values": None if algebra is None else algebra.values,
            "confidence": None if algebra is None else algebra.confidence,
            "fields": [
                {"name": each.name, "field": repr(each.declared), "sure": each.sure, "note": each.note}
                for each in self.fields
            ],
            "finite": [
                {"name": each.name, "residual": each.residual, "holds": each.holds} for each in self.finite
            ],
            "audit": None if self.audit is None else self.audit.to_dict(),
            "notes": self.notes,
            "seconds": self.seconds,
        }
        return to_plain(found, allow_nonfinite=True)


def notes_of(data: Transitions, algebra: Algebra) -> list[str]:
    """What transitions and algebra leave open, in words."""
    found = []
    if data.still:
        told = ", ".join(data.still)
        found.append(f"{told} never change within an episode: what the dynamics makes of them is not known")
    together = [name for name in data.before if name.startswith("numbers_")]
    if together:
        found.append(
            f"the observation is one array: {', '.join(together)} turn or rest together; name its parts"
        )
    if algebra.confidence < 0.95:
        found.append(f"only {algebra.confidence:.0%} of resamples of the points give this dimension")
    if algebra.hidden:
        found.append(
            f"at {algebra.hidden:.0%} of the points something that is not observed, such as a velocity, takes part in "
            "the step: it may hide a symmetry, or look like a break"
        )
    if algebra.kinked:
        found.append(
            f"{algebra.kinked:.0%} of the points have no derivative, as where contact begins; few others were found"
        )
    if algebra.coarse:
        found.append(
            "rounding is not far below what actions change: what they move but little may hide a symmetry"
        )
    if algebra.unreached:
        found.append(
            f"no action moves {', '.join(algebra.unreached)} at any of the points: what acts there is not known"
        )
    if len(algebra.shifts) and not len(algebra.turns):
        found.append("shifts hold without turns: the library has no group of shifts alone")
    return found
