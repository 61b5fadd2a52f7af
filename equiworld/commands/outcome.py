"""What a command hands to the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Command", "Outcome"]


@dataclass(frozen=True)
class Outcome:
    """What a command found.

    Attributes:
        text: to be shown.
        passed: whether the answer is the one hoped for; the exit code is 1 if not.
    """

    text: str
    passed: bool = True


class Command(Protocol):
    """A command with all its options given."""

    def run(self) -> Outcome:
        """Do the work and say what came of it."""
        ...
