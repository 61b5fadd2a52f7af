"""How far what a policy decides jumps where its frame changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Seams", "largest_distance"]


@dataclass(frozen=True)
class Seams:
    """What a representative's choice costs: π behind a door jumps where another element of the group takes over.

    At an observation in its frame c the jump to the frame of k is |π(c) − ρ(k)·π(k⁻¹·c)|: how far the policy inside is
    from commuting with k. It is felt only where the choice is about to change.

    Attributes:
        gap: `(B,)` in [0, 1], by how much the chosen frame is ahead of the next: 0 on a seam.
        jump: `(B,)`, the largest over the elements, in the units of actions.
        elements: how many elements there are to change to, besides the identity; 0 for a connected group, whose frame
            turns with the world and has no seam but where nothing fixes it.

    >>> print(Seams(np.array([0.9, 0.01]), np.array([0.3, 0.5]), 1))
    1 other element; jumps of up to 0.5, median 0.4; 1 of 2 observations within 0.05 of a seam, jumps there up to 0.5
    """

    gap: NDArray[np.float64]
    jump: NDArray[np.float64]
    elements: int

    NEAR = 0.05

    @property
    def largest(self) -> float:
        """The largest jump of all."""
        return float(self.jump.max(initial=0.0))

    @property
    def largest_near(self) -> float:
        """The largest jump among observations near a seam; 0 where none is."""
        return float(self.jump[self.gap < self.NEAR].max(initial=0.0))

    def __str__(self) -> str:
        if not self.elements:
            return "no other element to change to: no seam but where nothing fixes the frame"
        near, noun = int((self.gap < self.NEAR).sum()), "element" if self.elements == 1 else "elements"
        return (
            f"{self.elements} other {noun}; jumps of up to {self.largest:.2g}, median {np.median(self.jump):.2g}; "
            f"{near} of {len(self.gap)} observations within {self.NEAR} of a seam, jumps there up to "
            f"{self.largest_near:.2g}"
        )


def largest_distance(first: Any, others: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
    """`(B,)`, of actions `(B, size)` from the farthest of others."""
    apart = [np.linalg.norm(np.asarray(other) - first, axis=-1) for other in others]
    return np.max(apart, axis=0) if apart else np.zeros(len(first))
