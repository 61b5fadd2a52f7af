"""Observations in their frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.groups import GroupElement
from equiworld.symmetry.field import Array
from equiworld.symmetry.symmetry import Symmetry

__all__ = ["Canonical"]


@dataclass(frozen=True)
class Canonical:
    """B observations in their frames, and the way back.

    Attributes:
        observation: of the form that was given, float64, snapped: equal to the bit for s and g·s; None where only the
            way back was asked for.
        element: the batch `(B,)` of elements h with observation = h·canonical.
        degeneracy: `(B,)` in [0, 1], how badly the frame is fixed.
        degenerate: `(B,)` bool, where nothing fixes the frame although actions turn with it: what is decided there is
            equal in law only.
        margin: `(B,)` in [0, 1/2], distance of the nearest number from a seam of the grid, in steps.
    """

    observation: Any
    element: GroupElement
    degeneracy: Array
    degenerate: NDArray[np.bool_]
    margin: Array

    @staticmethod
    def unmoved(symmetry: Symmetry, observation: Any, count: int) -> Canonical:
        """`count` observations as they are, without a door."""
        nothing = np.zeros(count)
        return Canonical(
            observation, symmetry.group.identity(count), nothing, nothing > 0, np.full(count, 0.5)
        )
