"""Observations and plans in their frames, in torch, and how the frames stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor

from equiworld.groups import Group, GroupElement
from equiworld.symmetry.canonical import Canonical
from equiworld.symmetry.crossing import as_arrays, as_tensors
from equiworld.symmetry.features import Features
from equiworld.symmetry.field import Array
from equiworld.symmetry.observing import read, resized
from equiworld.symmetry.symmetry import Symmetry

__all__ = ["Framed", "Pose"]


class Pose(NamedTuple):
    """How B frames stand, in torch on the CPU.

    Attributes:
        rotation: `(B, d, d)`, from frame to world.
        origin: `(B, d)`, relative to the symmetry's centre.
        margin: `(B,)`, see `Canonical`.
        certainty: `(B,)` in [0, 1], how well the frame is fixed.
        fixed: `(B,)`, whether it is; 1 or 0.
    """

    rotation: Tensor
    origin: Tensor
    margin: Tensor
    certainty: Tensor
    fixed: Tensor

    def leave(self, group: Group, turns: bool, *tensors: Tensor) -> tuple[list[NDArray[Any]], Canonical]:
        """Tensors `(B, …)` of the CPU as NumPy's, and how the frames stand, in one go; no observation.

        Args:
            group: of the frames.
            turns: whether actions turn with them.
            tensors: what leaves with them.
        """
        *arrays, axes, place, margin, certainty, fixed = as_arrays([*tensors, *self])
        element = GroupElement(group, axes, place)
        return arrays, Canonical(None, element, 1.0 - certainty, (fixed == 0) & turns, margin)


@dataclass(frozen=True)
class Framed:
    """What is seen of B observations in their frames, in torch, and plans that were carried there.

    Attributes:
        shown: Features of the fields that were asked for, group by group, float64, on the CPU.
        plans: `(B, …, size)` actions in the frames of now, float64.
        leave: brings tensors `(B, …)` of the CPU to NumPy, with how the frames stand: see `Pose.leave`.
        observation: in NumPy, if it was asked for.
    """

    shown: tuple[Features, ...]
    plans: Tensor
    leave: Callable[..., tuple[list[NDArray[Any]], Canonical]]
    observation: Any = None

    @staticmethod
    def seen(symmetry: Symmetry, found: Canonical, groups: Sequence[Sequence[str]], plans: Array) -> Framed:
        """Of observations and plans that are in their frames, in NumPy, by the names of fields that are wanted."""
        symmetry = resized(symmetry, found.observation)
        arrays: dict[Any, Array] = {"plan": plans}
        for index, channels in enumerate(read(symmetry, found.observation, *groups)):
            arrays |= {(index, kind): array for kind, array in channels.items()}
        start, *parts = as_tensors(arrays, torch.float64)
        shown = tuple(Features(*parts[first : first + 3]) for first in range(0, len(parts), 3))
        return Framed(shown, start, lambda *tensors: (as_arrays(tensors), found), found.observation)
