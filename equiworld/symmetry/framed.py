"""Observations and plans in their frames, in torch, and how the frames stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from equiworld.groups import GroupElement
from equiworld.symmetry.canonical import Canonical
from equiworld.symmetry.crossing import as_arrays, as_tensors
from equiworld.symmetry.features import Features
from equiworld.symmetry.field import Array
from equiworld.symmetry.observing import read
from equiworld.symmetry.symmetry import Symmetry

__all__ = ["Framed", "Pose"]


@dataclass(frozen=True)
class Pose:
    """How B frames stand, in torch on the CPU.

    Attributes:
        symmetry: that they are frames of.
        turns: whether actions turn with them.
        rotation: `(B, d, d)`, from frame to world.
        origin: `(B, d)`, relative to the symmetry's centre.
        margin: `(B,)`, see `Canonical`.
        certainty: `(B,)` in [0, 1], how well the frame is fixed.
        fixed: `(B,)`, whether it is; 1 or 0.
    """

    symmetry: Symmetry
    turns: bool
    rotation: Tensor
    origin: Tensor
    margin: Tensor
    certainty: Tensor
    fixed: Tensor

    def leave(self, *tensors: Tensor) -> tuple[list[NDArray[Any]], Canonical]:
        """Tensors `(B, …)` of the CPU as NumPy's, with how the frames stand, in one go; no observation."""
        how = self.rotation, self.origin, self.margin, self.certainty, self.fixed
        *arrays, axes, place, margin, certainty, fixed = as_arrays([*tensors, *how])
        element = GroupElement(self.symmetry.group, axes, place)
        return arrays, Canonical(None, element, 1.0 - certainty, (fixed == 0) & self.turns, margin)


@dataclass(frozen=True)
class Framed:
    """What is seen of B observations in their frames, in torch, and plans that were carried there.

    Attributes:
        shown: Features of the fields that were asked for, group by group, float64, on the CPU.
        plans: `(B, …, size)` actions in the frames of now, float64.
        way: how the frames stand; a `Canonical` where it was found in NumPy.
    """

    shown: tuple[Features, ...]
    plans: Tensor
    way: Pose | Canonical

    @staticmethod
    def seen(symmetry: Symmetry, found: Canonical, groups: Sequence[Sequence[str]], plans: Array) -> Framed:
        """Of observations and plans that are in their frames, in NumPy, by the names of fields that are wanted."""
        symmetry = symmetry.sized(found.observation)
        arrays: dict[Any, Array] = {"plan": plans}
        for index, channels in enumerate(read(symmetry, found.observation, *groups)):
            arrays |= {(index, kind): array for kind, array in channels.items()}
        start, *parts = as_tensors(arrays, torch.float64)
        shown = tuple(Features(*parts[first : first + 3]) for first in range(0, len(parts), 3))
        return Framed(shown, start, found)

    @property
    def observation(self) -> Any:
        """In NumPy, where it was asked for."""
        return self.way.observation if isinstance(self.way, Canonical) else None

    def leave(self, *tensors: Tensor) -> tuple[list[NDArray[Any]], Canonical]:
        """See `Pose.leave`."""
        # An estimate of how frames stand is NumPy's where they were found there.
        return (as_arrays(tensors), self.way) if isinstance(self.way, Canonical) else self.way.leave(*tensors)
