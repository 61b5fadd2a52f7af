"""Why a symmetry is broken, as far as something found it out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from equiworld.groups import GroupElement
from equiworld.symmetry import Symmetry

__all__ = ["Cause", "Explain"]


@dataclass(frozen=True)
class Cause:
    """One thing that breaks the symmetry.

    Attributes:
        name: what it is, in a few words: "stiffness of joints left_knee and right_knee".
        text: what was found, in a sentence.
        share: of the deviation, what goes when this is mended; None where it was not measured.
        data: numbers as JSON holds them.

    >>> print(Cause("stiffness of the knees", "1 at the left one, 0 at the right one", 0.35))
    stiffness of the knees: 1 at the left one, 0 at the right one (35 % of the deviation)
    """

    name: str
    text: str
    share: float | None = None
    data: dict[str, Any] | None = None

    def __str__(self) -> str:
        share = "" if self.share is None else f" ({100 * self.share:.0f} % of the deviation)"
        return f"{self.name}: {self.text}{share}"


Explain = Callable[[gym.Env, Symmetry, Sequence[GroupElement]], Sequence[Cause]]
"""Finds causes: gets the environment, its declaration, and the elements under which it deviates."""
