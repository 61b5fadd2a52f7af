"""Orthonormal frames that turn with the world: into the frame, any map, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.nn.axes import without
from equiworld.symmetry.features import Features

__all__ = [
    "Frame",
    "frame_from_arrows",
    "frame_from_axes",
    "frame_from_heading",
    "frame_from_two_vectors",
    "identity_frame",
]

_LEAST_SINE = 0.1  # of the angle from which on a vector tells how a frame is turned


@dataclass(frozen=True)
class Frame:
    """A rotation and an origin for each example; frames know no reflections.

    Attributes:
        rotation: `(…, d, d)`, the frame's axes as columns: it maps frame to world coordinates.
        origin: `(…, d)`, where the frame sits in the world.
        degeneracy: `(…,)` in [0, 1]. At 1 nothing in the data fixed the frame and a default stands in:
            it does not turn with the world, and whoever uses it must know.

    >>> import torch
    >>> frame = frame_from_heading(torch.tensor([0.0, 1.0]), torch.tensor([5.0, 5.0]))
    >>> z = Features(torch.zeros(0), torch.tensor([[0.0], [2.0]]), torch.tensor([[5.0], [6.0]]))
    >>> frame.to_frame(z).points.flatten()  # one unit ahead
    tensor([1., 0.])
    >>> bool(frame.from_frame(frame.to_frame(z)).points.eq(z.points).all())
    True
    """

    rotation: Tensor
    origin: Tensor
    degeneracy: Tensor

    def __post_init__(self) -> None:
        shape = self.origin.shape
        if self.rotation.shape != (*shape, shape[-1]) or self.degeneracy.shape != shape[:-1]:
            raise ArgumentError(
                "frame",
                f"rotation {tuple(self.rotation.shape)}, origin {tuple(shape)}, "
                f"degeneracy {tuple(self.degeneracy.shape)}",
                "rotation (…, d, d), origin (…, d), degeneracy (…,) with one batch shape",
            )

    def __getitem__(self, index: Any) -> Frame:
        """Index the batch shape; `frame[:, None]` serves many samples for each example."""
        return Frame(self.rotation[index], self.origin[index], self.degeneracy[index])

    def to_frame(self, features: Features) -> Features:
        """World to frame: vectors Rᵀ v, points Rᵀ (p − origin). Batch shapes broadcast."""
        back = self.rotation.transpose(-1, -2)
        points = features.points
        if points.shape[-1]:
            points = back @ (points - self.origin.unsqueeze(-1))
        return _features(features.scalars, back @ features.vectors, points)

    def from_frame(self, features: Features) -> Features:
        """Frame to world: vectors R v, points R p + origin. Batch shapes broadcast."""
        points = features.points
        if points.shape[-1]:
            points = self.rotation @ points + self.origin.unsqueeze(-1)
        return _features(features.scalars, self.rotation @ features.vectors, points)


def identity_frame(
    batch_shape: Sequence[int],
    dim: int,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | None = None,
) -> Frame:
    """The world's own axes and origin: what a plain network or planner uses. Not degenerate, not equivariant.

    >>> identity_frame((4,), 2).rotation.shape
    torch.Size([4, 2, 2])
    """
    rotation = torch.eye(dim, dtype=dtype, device=device).expand(*batch_shape, dim, dim)
    origin = torch.zeros(*batch_shape, dim, dtype=dtype, device=device)
    return Frame(rotation, origin, origin.new_zeros(tuple(batch_shape)))


def frame_from_heading(
    heading: Tensor, origin: Tensor | None = None, *, scale: float = 1.0, unit: bool = False
) -> Frame:
    """The frame of the plane whose first axis is the heading.

    Args:
        heading: `(…, 2)`, usually of length 1; any other length is normalised.
        origin: `(…, 2)`; the world's origin if not given.
        scale: the length from which on a heading counts as fully known, in its own units.
        unit: the headings are known to have length 1: they are taken as they are, in a fifth of the time.

    Returns:
        The frame, degeneracy 1 − min(|heading|/scale, 1). A heading that is zero or not finite gives
        the world's axes with degeneracy 1; its gradient is zero.

    >>> frame_from_heading(torch.tensor([0.0, 2.0])).rotation
    tensor([[ 0., -1.],
            [ 1.,  0.]])
    >>> float(frame_from_heading(torch.zeros(2)).degeneracy)
    1.0
    """
    origin = _checked_origin("heading", heading, 2, origin)
    if unit:
        normal = torch.stack((-heading[..., 1], heading[..., 0]), -1)
        return Frame(torch.stack((heading, normal), -1), origin, torch.zeros_like(heading[..., 0]))
    axis, length, known = _direction(heading)
    normal = torch.stack((-axis[..., 1], axis[..., 0]), -1)
    certainty = torch.where(known, (length / scale).clamp(max=1.0), 0.0)
    return Frame(torch.stack((axis, normal), -1), origin, 1.0 - certainty)


def frame_from_two_vectors(
    first: Tensor, second: Tensor, origin: Tensor | None = None, *, scale: float = 1.0
) -> Frame:
    """The frame of space by Gram–Schmidt: along u, then v made normal to it, then their cross product.

    Args:
        first: u, `(…, 3)`, of any length.
        second: v, `(…, 3)`, of any length.
        origin: `(…, 3)`; the world's origin if not given.
        scale: the length from which on u and v count as fully known, in their own units.

    Returns:
        The frame, degeneracy 1 − |sin ∠(u, v)|·min(|u|/scale, 1)·min(|v|/scale, 1). Parallel, zero or
        non-finite vectors give some orthonormal frame with degeneracy 1 and finite gradients.

    >>> frame = frame_from_two_vectors(torch.tensor([0.0, 0.0, 2.0]), torch.tensor([1.0, 0.0, 5.0]))
    >>> frame.rotation
    tensor([[0., 1., 0.],
            [0., 0., 1.],
            [1., 0., 0.]])
    """
    origin = _checked_origin("first", first, 3, origin)
    if second.shape != first.shape:
        raise ArgumentError("second", tuple(second.shape), f"the shape of first, {tuple(first.shape)}")
    axis, first_length, first_known = _direction(first)
    other, second_length, second_known = _direction(second)
    normal, sine, _ = _direction(without(other, axis))
    # Below a few rounding errors the remainder is noise: it has no direction worth following.
    known = first_known & second_known & (sine > 8 * torch.finfo(sine.dtype).eps)
    farthest = F.one_hot(axis.detach().abs().argmin(-1), 3).to(axis.dtype)
    # Projected twice: after heavy cancellation one pass leaves a part along the axis.
    normal = F.normalize(without(torch.where(known.unsqueeze(-1), normal, farthest), axis), dim=-1)
    rotation = torch.stack((axis, normal, torch.linalg.cross(axis, normal)), -1)
    lengths = (first_length / scale).clamp(max=1.0) * (second_length / scale).clamp(max=1.0)
    certainty = torch.where(known, sine.clamp(max=1.0) * lengths, 0.0)
    return Frame(rotation, origin, 1.0 - certainty)


def frame_from_axes(axes: Tensor, origin: Tensor | None = None) -> Frame:
    """The frame whose axes are known, such as those of a body's pose.

    Args:
        axes: `(…, d, d)`, an axis in each column; orthonormal, which is not checked.
        origin: `(…, d)`; the world's origin if not given.

    Returns:
        The frame, never degenerate.

    >>> frame_from_axes(torch.eye(3).expand(4, 3, 3)).degeneracy
    tensor([0., 0., 0., 0.])
    """
    if axes.ndim < 2 or axes.shape[-1] != axes.shape[-2]:
        raise ArgumentError("axes", tuple(axes.shape), "shape (…, d, d)")
    origin = _checked_origin("axes", axes[..., 0], axes.shape[-1], origin)
    return Frame(axes, origin, torch.zeros_like(origin[..., 0]))


def frame_from_arrows(arrows: Tensor, origin: Tensor | None = None, *, scale: float = 1.0) -> Frame:
    """The frame of space along the first vector, turned about it as the first of the others that can say how.

    Of points on an axis, as the keypoints of a body of revolution are, none tells how far a frame is turned about it;
    whatever else there is, such as the way to a robot, then does.

    Args:
        arrows: `(…, 3, n)`, n ≥ 2. A vector counts if it is at least 6° off the first one.
        origin: `(…, 3)`; the world's origin if not given.
        scale: as for `frame_from_two_vectors`.

    >>> arrows = torch.tensor([[2.0, -2.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    >>> frame_from_arrows(arrows).rotation
    tensor([[1., 0., 0.],
            [0., 1., 0.],
            [0., 0., 1.]])
    """
    if arrows.shape[-2] != 3 or arrows.shape[-1] < 2:
        raise ArgumentError("arrows", tuple(arrows.shape), "shape (…, 3, n), n ≥ 2")
    first, others = arrows[..., :1], arrows[..., 1:]
    with torch.no_grad():
        lengths = torch.linalg.vector_norm(others, dim=-2) * torch.linalg.vector_norm(first, dim=-2)
        normal = torch.linalg.vector_norm(torch.linalg.cross(first.expand_as(others), others, dim=-2), dim=-2)
        known = (normal > _LEAST_SINE * lengths) & (normal > 0)
        # The first that is known; where none is, the one that is best known.
        chosen = torch.where(known.any(-1), known.to(torch.int8).argmax(-1), normal.argmax(-1))
        index = chosen[..., None, None].expand(*others.shape[:-1], 1)
    return frame_from_two_vectors(first[..., 0], others.gather(-1, index)[..., 0], origin, scale=scale)


def _direction(vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Unit vectors `(…, d)`, lengths `(…,)`, and whether they are known; else the first axis and length 0."""
    size = vectors.detach().abs().amax(-1, keepdim=True)
    known = (size > torch.finfo(vectors.dtype).tiny ** 0.5) & (size < torch.inf)  # NaN compares false
    size = torch.where(known, size, 1.0)
    default = torch.zeros_like(vectors)
    default[..., 0] = 1.0
    # Replaced before dividing, not after: a NaN in the branch not taken would still reach the gradient.
    # Dividing by the largest entry first keeps the square inside the float range.
    scaled = torch.where(known, vectors, default) / size
    norm = torch.linalg.vector_norm(scaled, dim=-1, keepdim=True)
    length = torch.where(known, norm * size, 0.0)
    return scaled / norm, length.squeeze(-1), known.squeeze(-1)


def _checked_origin(name: str, vectors: Tensor, dim: int, origin: Tensor | None) -> Tensor:
    """The origin, or zeros; refuses shapes that do not fit."""
    if vectors.shape[-1:] != (dim,):
        raise ArgumentError(name, tuple(vectors.shape), f"shape (…, {dim})")
    if origin is None:
        return torch.zeros_like(vectors)
    if origin.shape != vectors.shape:
        raise ArgumentError("origin", tuple(origin.shape), f"the shape of {name}, {tuple(vectors.shape)}")
    return origin


def _features(scalars: Tensor, vectors: Tensor, points: Tensor) -> Features:
    """Features whose scalars follow the batch shape that the frame gave the vectors."""
    if scalars.shape[:-1] != vectors.shape[:-2]:
        scalars = scalars.expand(*vectors.shape[:-2], scalars.shape[-1])
    return Features(scalars, vectors, points)
