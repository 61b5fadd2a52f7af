"""What the data say of one claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from equiworld.results import to_plain

__all__ = ["Answer", "Verdict"]

Answer = Literal["consistent", "contradicted", "undecided", "untestable"]


@dataclass(frozen=True)
class Verdict:
    """One claim, and how well it explains what was measured, beside its rivals.

    Attributes:
        claim: what it is about.
        declared: what is claimed.
        best: the rival, or the claim itself, that explains most.
        scores: by hypothesis, the share of the measured variance that it explains; at most 1.
        answer: "consistent" if none explains notably more; "contradicted" if another does in 95 % of resamples of the
            episodes; "undecided" between; "untestable" where no hypothesis explains the data.
        confidence: share of resamples that agree with the answer.
        note: further words.

    >>> print(Verdict("frame of the step", "world", "body", {"world": 0.1, "body": 0.98}, "contradicted", 1.0))
    frame of the step: declared world, CONTRADICTED (100 %): body explains 0.98, world 0.10
    """

    claim: str
    declared: str
    best: str
    scores: Mapping[str, float]
    answer: Answer
    confidence: float
    note: str = ""

    def __str__(self) -> str:
        told = f"{self.claim}: declared {self.declared}, "
        word = self.answer.upper() if self.answer == "contradicted" else self.answer
        told += f"{word} ({100 * self.confidence:.0f} %)"
        if self.scores:
            told += f": {self.best} explains {self.scores[self.best]:.2f}"
            if self.best != self.declared and self.declared in self.scores:
                told += f", {self.declared} {self.scores[self.declared]:.2f}"
        return told + (f"; {self.note}" if self.note else "")

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return dict(to_plain(vars(self), allow_nonfinite=True))
