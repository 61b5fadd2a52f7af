"""Frames that turn with the world."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from equiworld.symmetry.features import Features

__all__ = ["Frame"]


@dataclass(frozen=True)
class Frame:
    """Orthonormal axes and an origin for each example, read from what turns with the world.

    Attributes:
        axes: `(…, d, d)`, the axes as columns, from frame to world coordinates. Where nothing fixes an axis its column
            is zero: whatever passes through the frame and back then stays equivariant.
        origin: `(…, d)`, where the frame sits in the world; None for the world's origin.
        certainty: `(…,)` in [0, 1], how well the arrows fix it: product of their lengths, at most 1 each, and of the
            sine between them; None for 1.
        fixed: `(…,)` bool, whether all axes are fixed, and no two arrows so nearly parallel that rounding matters;
            None if they are whatever the example.
        representative: `(…, d, d)`, of a finite group: the element itself.
        axial: `(…, d, d)`, what stands for the axes where pseudovectors pass through the frame; None for the axes.
        handedness: `(…,)`, what pseudoscalars are multiplied by: det of the axes, 0 where nothing tells; None for 1.

    >>> from equiworld.groups import SE2
    >>> from equiworld.symmetry import frame_of
    >>> frame = frame_of(torch.tensor([[0.0], [2.0]]), SE2(), origin=torch.tensor([5.0, 5.0]))
    >>> z = Features(torch.zeros(0), torch.tensor([[0.0], [2.0]]), torch.tensor([[5.0], [6.0]]))
    >>> frame.to_frame(z).points.flatten()  # one unit ahead
    tensor([1., 0.])
    >>> bool(frame.from_frame(frame.to_frame(z)).points.eq(z.points).all())
    True
    """

    axes: Tensor
    origin: Tensor | None = None
    certainty: Tensor | None = None
    fixed: Tensor | None = None
    representative: Tensor | None = None
    axial: Tensor | None = None
    handedness: Tensor | None = None

    def to_frame(self, features: Features) -> Features:
        """World to frame: vectors Aᵀ v, points Aᵀ (p − origin). Batch shapes broadcast."""
        return features.moved(self.axes.transpose(-1, -2), origin=self.origin)

    def from_frame(self, features: Features) -> Features:
        """Frame to world: vectors A v, points A p + origin. Batch shapes broadcast."""
        return features.moved(self.axes, self.origin)

    def combined(self, turn: Tensor) -> Frame:
        """The frame whose axes are combined by `turn` `(d, d)`, an isometry: A ↦ A·turn."""
        sign = torch.linalg.det(turn).sign()
        axial = None if self.axial is None else sign * self.axial @ turn
        hand = None if self.handedness is None else sign * self.handedness
        return replace(self, axes=self.axes @ turn, axial=axial, handedness=hand)

    def completed(self) -> Tensor:
        """The axes `(…, d, d)` with any orthonormal ones in the place of those that nothing fixes."""
        if self.representative is not None:
            return self.representative
        axes, dim = self.axes, self.axes.shape[-1]
        known = axes.detach().square().sum(-2) > 0.5
        first = torch.where(known[..., :1], axes[..., 0], _unit(axes, 0))
        if dim == 2:
            second = torch.where(known[..., 1:], axes[..., 1], _quarter_turn(first))
            return torch.stack((first, second), -1)
        farthest = torch.nn.functional.one_hot(first.abs().argmin(-1), 3).to(axes.dtype)
        normal = torch.nn.functional.normalize(_without(farthest, first), dim=-1)
        second = torch.where(known[..., 1:2], axes[..., 1], normal)
        third = torch.where(known[..., 2:], axes[..., 2], torch.linalg.cross(first, second))
        return torch.stack((first, second, third), -1)


def _quarter_turn(vector: Tensor) -> Tensor:
    return torch.stack((-vector[..., 1], vector[..., 0]), -1)


def _without(vectors: Tensor, axis: Tensor) -> Tensor:
    return vectors - (vectors * axis).sum(-1, keepdim=True) * axis


def _unit(like: Tensor, axis: int) -> Tensor:
    unit = torch.zeros_like(like[..., 0])
    unit[..., axis] = 1.0
    return unit
