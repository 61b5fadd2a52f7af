"""A cell: the unit of work, of resuming and of reporting."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from equiworld.errors import ArgumentError

__all__ = ["Cell"]

_UNSAFE = re.compile(r"[^\w.=+,-]+")


@dataclass(frozen=True)
class Cell:
    """One arm of one question in one world with one seed, and where else the question puts it.

    Attributes:
        question: its name.
        world: name of the world that it is asked in.
        arm: name of what is compared.
        seed: of everything random in it.
        at: further coordinates, `(name, value)` pairs of numbers, strings or booleans.

    >>> Cell.at_point("success", "pusht", "augmented", 2, size=2000).id
    'success/pusht/augmented/2/size=2000'
    """

    question: str
    world: str
    arm: str
    seed: int
    at: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        for name, value in self.at:
            if not isinstance(value, int | float | str | bool):
                raise ArgumentError(f"at[{name!r}]", type(value).__name__, "a number, a string or a boolean")

    @classmethod
    def at_point(cls, question: str, world: str, arm: str, seed: int, **at: Any) -> Cell:
        """A cell with its further coordinates by name."""
        return cls(question, world, arm, seed, tuple(at.items()))

    @property
    def point(self) -> dict[str, Any]:
        """The further coordinates by name."""
        return dict(self.at)

    @property
    def id(self) -> str:
        """A readable name, for people and for files; keys are made of the coordinates themselves."""
        further = [f"{name}={value}" for name, value in self.at]
        return "/".join([self.question, self.world, self.arm, str(self.seed), *further])

    @property
    def slug(self) -> str:
        """The id without its question, as part of the name of a file; a hash beside it tells apart what looks alike."""
        return _UNSAFE.sub("-", "_".join(self.id.split("/")[1:]))[:120]

    @property
    def coordinates(self) -> dict[str, Any]:
        """What begins each of its rows."""
        return {
            "question": self.question,
            "world": self.world,
            "arm": self.arm,
            "seed": self.seed,
            **self.point,
        }
