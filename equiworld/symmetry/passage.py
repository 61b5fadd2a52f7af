"""From one frame to another: what was planned at one decision, as the next one sees it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from equiworld.groups import GroupElement
from equiworld.symmetry.constants import constant
from equiworld.symmetry.crossing import as_arrays, as_tensors
from equiworld.symmetry.features import KINDS, Kind
from equiworld.symmetry.grid import on_grid, power_of_two
from equiworld.symmetry.symmetry import Symmetry
from equiworld.symmetry.tensors import decoded, features_of_action

__all__ = ["Passage"]


class Passage:
    """Actions from the frames of one decision to those of another.

    How two frames stand to each other is snapped, so that it is the same to the bit wherever in the world they stand.

    Args:
        symmetry: of the actions.
        step: of the grid, in units of what is seen in the frame.
    """

    def __init__(self, symmetry: Symmetry, step: float) -> None:
        group, dim = symmetry.group, symmetry.dim
        self.symmetry, self.step = symmetry, step
        self._shifted = torch.from_numpy(group.shifts(np.eye(dim)))
        self._whole = group.has_translations and torch.equal(self._shifted, torch.eye(dim).double())
        self._across: Tensor | None = None
        if group.axis is not None:
            plane = torch.from_numpy(group.axis.basis[:, :2])
            self._across = plane @ plane.mT
        self._mirror: dict[Kind, Tensor] = {}
        """What a reflection does to channels beside R: signs of pseudo ones, points of a body that change places."""
        if not group.proper and not symmetry.action.labelled:
            mirrored = int(np.flatnonzero(group.labels.determinants < 0)[0])
            for kind, images in symmetry.action.label_images(group).items():
                if not np.array_equal(images[mirrored], np.eye(images.shape[-1])):
                    self._mirror[kind] = torch.from_numpy(images[mirrored])

    def shifts(self, vectors: Tensor) -> Tensor:
        """`Group.shifts` of tensors `(B, d)`."""
        return vectors if self._whole else vectors @ self._shifted.to(vectors.device)

    def relative(self, before: GroupElement, now: GroupElement) -> GroupElement:
        """See `Door.relative`."""
        known = {
            "axes": before.matrix,
            "place": before.translation,
            "now": now.matrix,
            "here": now.translation,
        }
        turn, shift = as_arrays(self._apart(*as_tensors(known, torch.float64)))
        label = None if now.stored_label is None else (now.inverse() @ before).stored_label
        return GroupElement(self.symmetry.group, turn, shift, label)

    def carried(self, actions: Tensor, axes: Tensor, place: Tensor, now: Tensor, here: Tensor) -> Tensor:
        """Actions of one frame as another sees them, where no labels are moved.

        Args:
            actions: `(B, …, size)`.
            axes, place: of the frames that they are in, `(B, d, d)` and `(B, d)`.
            now, here: of the others.
        """
        turn, shift = self._apart(axes, place, now, here)
        inner = (1,) * (actions.ndim - 2)
        turn, shift = (each.view(len(each), *inner, *each.shape[1:]) for each in (turn, shift))
        found = features_of_action(self.symmetry, actions).moved(turn, shift)
        channels: dict[Kind, Tensor] = {kind: getattr(found, kind) for kind in KINDS}
        for kind, image in self._mirror.items():
            mirrors = (torch.linalg.det(turn) < 0)[(..., *[None] * (1 if kind == "scalars" else 2))]
            channels[kind] = torch.where(mirrors, channels[kind] @ image.mT, channels[kind])
        centre = constant(self.symmetry.centre, actions.dtype, actions.device)
        return decoded(self.symmetry.action, channels, centre)

    def _apart(self, axes: Tensor, place: Tensor, now: Tensor, here: Tensor) -> tuple[Tensor, Tensor]:
        """How frames stand in others, snapped: rotations `(B, d, d)` and shifts `(B, d)`."""
        found, upper = torch.linalg.qr(on_grid(now.mT @ axes, self.step))
        turn = found * upper.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)
        shift = (now.mT @ (place - here).unsqueeze(-1)).squeeze(-1)
        shift = on_grid(shift, self.step * power_of_two(self.symmetry.length_scale))
        if self._across is not None:
            one = torch.eye(3, dtype=torch.float64)
            turn = one + self._across @ (turn - one) @ self._across
        return turn, self.shifts(shift)
