"""What a command hands to the command line."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Outcome"]


@dataclass(frozen=True)
class Outcome:
    """What a command found.

    Attributes:
        text: to be shown.
        passed: whether the answer is the one hoped for; the exit code is 1 if not.

    >>> Outcome("12 transitions").passed
    True
    """

    text: str
    passed: bool = True
