"""One other way to declare an array of numbers, and whether it fits what was seen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.groups.arrays import Array
from equiworld.symmetry import Field, Symmetry
from equiworld.verify.check.pairs import Pairs, blocks_of

__all__ = ["Candidate"]


@dataclass(frozen=True)
class Candidate:
    """A field, and how its numbers lie in the array: x ↦ signs · x[order] is what the field moves.

    Attributes:
        declared: the field.
        words: what a reader is told.
        order: which of the array's numbers come to each place of the field's; None for their own.
        signs: ±1 for each of those places.
        centre: what the field turns about, if not the symmetry's centre.
    """

    declared: Field
    words: str
    order: tuple[int, ...] | None = None
    signs: tuple[int, ...] | None = None
    centre: tuple[float, ...] | None = None

    def laid(self, array: Array) -> Array:
        """The numbers as the field has them."""
        moved = array if self.order is None else array[..., list(self.order)]
        return moved if self.signs is None else moved * np.array(self.signs)

    def transform(self, g: GroupElement, array: Array, centre: Array) -> Array:
        """What g makes of the array."""
        about = centre if self.centre is None else np.asarray(self.centre)
        moved = np.asarray(self.declared.transform(g, self.laid(array), about), np.float64)
        moved = moved if self.signs is None else moved * np.array(self.signs)
        return moved if self.order is None else moved[..., np.argsort(self.order)]

    def residual(
        self, pairs: Pairs, elements: GroupElement, symmetry: Symmetry, tolerance: float
    ) -> float | None:
        """How far it is from what was seen, relative to the numbers' scale; None if it does not fit."""
        own = symmetry if self.centre is None else replace(symmetry, centre=self.centre)
        laid = replace(pairs, before=self.laid(pairs.before), after=self.laid(pairs.after))
        try:
            blocks = blocks_of(self.declared, laid, elements, own)
        except (ArgumentError, ValueError):  # no quaternion, no representation, no label of the group
            return None
        if not all(block.within(tolerance).all() for block in blocks):
            return None
        return max(float(block.relative.max(initial=0.0)) for block in blocks)
