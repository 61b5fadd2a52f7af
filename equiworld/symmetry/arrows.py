"""Frames read from arrows: one rule, for the door and for models."""

from __future__ import annotations

import itertools
from dataclasses import replace

import torch
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.groups import SO2, Group
from equiworld.symmetry.constants import constant, made_once
from equiworld.symmetry.frame import Frame
from equiworld.symmetry.representative import MARGIN, representative

__all__ = ["MARGIN", "frame_of"]

_CLEAR_SINE = 0.1  # of the angle from which on a second arrow is preferred
_LEAST_SINE = 1e-4  # below, a second arrow magnifies rounding so much that it is reported
_QUARTER_TURN = ((1.0, 0.0, 0.0, 1.0), (0.0, -1.0, 1.0, 0.0))  # x y ↦ x −y, y x
_ROUNDING = 64  # in units of the last place: what is shorter beside another arrow has no direction


def frame_of(
    arrows: Tensor,
    group: Group,
    *,
    pose: slice | None = None,
    pseudoscalars: Tensor | None = None,
    pseudovectors: Tensor | None = None,
    origin: Tensor | None = None,
) -> Frame:
    """The frame that arrows fix: frame(g·arrows) = g·frame(arrows) for every g of the group.

    A pose is a frame by itself. Else the first axis lies along the first arrow that is longer than a margin, in space
    the second one towards the first other arrow that is clearly off it; never the longest, for a maximum is a tie
    waiting to happen. Under reflections the first pseudoscalar beyond the margin says which mirror image it is. Of a
    finite group the frame is the element that brings the arrows nearest to a fixed direction of no symmetry.

    Args:
        arrows: `(…, d, n)`, vectors in the order of their rank, each in units of its scale.
        group: that the frame turns with.
        pose: which of the arrows are the orthonormal axes of a body: in the plane one, a heading; in space three.
        pseudoscalars: `(…, m)`, numbers that reflections negate, in units of their scales.
        pseudovectors: `(…, d, m)`, likewise det(R) R v; of a group without reflections they are arrows.
        origin: `(…, d)`; the world's origin if None.
    """
    dim = arrows.shape[-2]
    if group.axis is not None and not group.finite:
        return _about_axis(group, arrows, pose, origin)
    if pose is not None and not group.finite and (dim == 3 or group.proper):
        axes = arrows[..., pose] if dim == 3 else _plane_axes(arrows[..., pose.start])
        # Under reflections a pose in space is fixed with its handedness.
        hand = None if group.proper else torch.linalg.det(axes).sign()
        return Frame(
            axes, origin, axial=None if hand is None else hand[..., None, None] * axes, handedness=hand
        )
    if pose is not None and not group.finite and pseudovectors is None:
        axes, hand = _mirrored(_plane_axes(arrows[..., pose.start]), arrows, pseudoscalars)
        known = hand != 0
        axial = None if pseudoscalars is None else hand[..., None, None] * axes
        return Frame(axes, origin, known.to(axes.dtype), known, axial=axial, handedness=hand)
    arrows = _finite(arrows)
    if pseudovectors is not None:
        pseudovectors = _finite(pseudovectors)
    if group.finite:
        every = _elements(group, arrows.dtype, arrows.device)
        found = representative(every, arrows, pseudoscalars, pseudovectors)
        return Frame(found.mean, origin, found.gap, found.fixed, found.element, found.axial, found.handedness)
    every = arrows if pseudovectors is None else torch.cat((arrows, pseudovectors), -1)
    certainty: Tensor | None = None
    fixed: Tensor | None = None
    if pose is not None:
        axes = _plane_axes(arrows[..., pose.start])
    elif dim == 2:
        axis, length, fixed, _ = _first_direction(every)
        axes, certainty = _plane_axes(axis), length.clamp(max=1.0) * fixed
    else:
        axes, certainty, fixed = _of_two_arrows(every)
    if group.proper:
        return Frame(axes, origin, certainty, fixed)
    if pseudovectors is not None and pseudovectors.shape[-1]:
        frame = _signed(axes, arrows, pseudoscalars, pseudovectors, origin, pose is not None)
    else:
        axes, hand = _mirrored(axes, arrows, pseudoscalars)
        frame = Frame(axes, origin, fixed=hand != 0, axial=hand[..., None, None] * axes, handedness=hand)
    assert frame.fixed is not None
    fixed = frame.fixed if fixed is None else fixed & frame.fixed
    sure = fixed.to(axes.dtype)
    return replace(frame, certainty=sure if certainty is None else certainty * sure, fixed=fixed)


def _about_axis(group: Group, arrows: Tensor, pose: slice | None, origin: Tensor | None) -> Frame:
    """The frame of a group of rotations about an axis in space, from what of arrows lies across it; a body's first."""
    assert group.axis is not None
    if not group.proper:
        raise ArgumentError("group", group, "rotations about an axis: reflections are the door's")
    if pose is not None:
        arrows = torch.cat((arrows[..., pose], arrows[..., : pose.start], arrows[..., pose.stop :]), -1)
    basis = _basis(group, arrows.dtype, arrows.device)
    plane = frame_of((basis.mT @ arrows)[..., :2, :], SO2())

    def raised(matrix: Tensor) -> Tensor:
        whole = torch.nn.functional.pad(matrix, (0, 1, 0, 1))
        whole[..., 2, 2] = 1.0
        return basis @ whole @ basis.mT

    return Frame(raised(plane.axes), origin, plane.certainty, plane.fixed, raised(plane.completed()))


def _finite(arrows: Tensor) -> Tensor:
    """Zero in the place of arrows that are not finite: replaced first, they spoil neither lengths nor gradients."""
    return torch.where(arrows.isfinite().all(-2, keepdim=True), arrows, 0.0)


def _plane_axes(axis: Tensor) -> Tensor:
    """A unit vector `(…, 2)` of the plane and itself turned by a quarter, as columns."""
    return (axis @ constant(_QUARTER_TURN, axis.dtype, axis.device)).unflatten(-1, (2, 2))


@made_once
def _basis(group: Group, dtype: torch.dtype, device: torch.device) -> Tensor:
    assert group.axis is not None
    return torch.as_tensor(group.axis.basis, dtype=dtype, device=device)


def _of_two_arrows(arrows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Axes of space by Gram–Schmidt, from the first arrow that is long enough and the first that is off it."""
    if not arrows.shape[-1]:
        arrows = torch.cat((arrows, arrows.sum(-1, keepdim=True)), -1)  # one of length 0 says as little
    first, length, known, index = _first_direction(arrows)
    lengths = torch.linalg.vector_norm(arrows, dim=-2)
    # Projected twice: after heavy cancellation one pass leaves a part along the axis.
    off = arrows
    for _ in range(2):
        off = off - first.unsqueeze(-1) * (first.unsqueeze(-1) * off).sum(-2, keepdim=True)
    heights = torch.linalg.vector_norm(off, dim=-2)
    others = torch.arange(arrows.shape[-1], device=index.device) != index.unsqueeze(-1)
    there = others & known.unsqueeze(-1) & heights.isfinite()
    there = there & (heights > MARGIN) & (heights > _ROUNDING * torch.finfo(heights.dtype).eps * lengths)
    clear = there & (heights > _CLEAR_SINE * lengths)
    second, height, found, index = _gathered(off, heights, clear, there)
    sine = height / _at(lengths, index).clamp(min=torch.finfo(height.dtype).tiny)
    axes = torch.stack((first, second, torch.linalg.cross(first, second)), -1)
    certainty = length.clamp(max=1.0) * height.clamp(max=1.0) * sine.clamp(max=1.0) * found
    return axes, certainty, found & (sine > _LEAST_SINE)


def _mirrored(axes: Tensor, arrows: Tensor, pseudoscalars: Tensor | None) -> tuple[Tensor, Tensor]:
    """Axes whose last one points to the side of the first pseudoscalar, and their handedness, 0 without one."""
    # A model does this at every step of every plan: row by row, for sums across rows take several times as long.
    last, rows = axes[..., -1:], arrows.detach().unbind(-2)
    numbers, size = last[..., 0, :] * rows[0], rows[0].abs()
    for coordinate, row in enumerate(rows[1:], 1):
        numbers, size = torch.addcmul(numbers, last[..., coordinate, :], row), size + row.abs()
    numbers = numbers.detach()
    if pseudoscalars is not None:
        told = pseudoscalars.detach()
        numbers, size = torch.cat((numbers, told), -1), torch.cat((size, told.abs()), -1)
    least = size.mul_(_ROUNDING * torch.finfo(size.dtype).eps).clamp_(min=MARGIN)
    there = numbers.abs() > least
    if not there.shape[-1]:
        return torch.cat((axes[..., :-1], 0.0 * last), -1), 0.0 * last[..., 0, 0]
    first = there.to(torch.int8).argmax(-1, keepdim=True)
    sign = torch.where(there, numbers.sign(), 0.0).gather(-1, first)
    return torch.cat((axes[..., :-1], last * sign.unsqueeze(-1)), -1), sign[..., 0]


def _signed(
    axes: Tensor,
    arrows: Tensor,
    pseudoscalars: Tensor | None,
    pseudovectors: Tensor,
    origin: Tensor | None,
    posed: bool,
) -> Frame:
    """Axes that were read from vectors and pseudovectors alike, and whose signs a reflection may therefore change.

    Of a heading it changes the second one alone.
    """
    signs = _mirrors(axes.shape[-1], posed, axes.dtype, axes.device)
    found = representative(signs, axes.mT @ arrows, pseudoscalars, axes.mT @ pseudovectors)
    return Frame(
        axes @ found.mean, origin, fixed=found.fixed, axial=axes @ found.axial, handedness=found.handedness
    )


@made_once
def _mirrors(dim: int, posed: bool, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The diagonal matrices of signs, `(k, d, d)`; those that leave the first axis if it is a heading."""
    signs = itertools.product((1.0,) if posed else (1.0, -1.0), *[(1.0, -1.0)] * (dim - 1))
    return torch.diag_embed(torch.tensor(list(signs), dtype=dtype, device=device))


@made_once
def _elements(group: Group, dtype: torch.dtype, device: torch.device) -> Tensor:
    """All matrices of a finite group, `(k, d, d)`."""
    return torch.as_tensor(group.elements().matrix, dtype=dtype, device=device)


def _first_direction(arrows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of the first arrow that is long enough: its direction, its length, whether there is one, and which it is."""
    lengths = torch.linalg.vector_norm(arrows, dim=-2)
    there = (lengths > MARGIN) & lengths.isfinite()
    return _gathered(arrows, lengths, there)


def _gathered(arrows: Tensor, lengths: Tensor, *levels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The direction of the first arrow of the first level that has one; zero if none has."""
    if not arrows.shape[-1]:
        nothing = arrows.sum(-1)
        return nothing, nothing[..., 0], nothing[..., 0] > 0, nothing[..., 0].to(torch.int64)
    known = levels[-1].any(-1)
    ranked = levels[0] if len(levels) == 1 else torch.cat(levels, -1)
    index = ranked.to(torch.int8).argmax(-1)
    if len(levels) > 1:
        index = index % arrows.shape[-1]
    chosen = arrows.gather(-1, index[..., None, None].expand(*arrows.shape[:-1], 1))[..., 0]
    length = torch.where(known, _at(lengths, index), 1.0)
    # Replaced before dividing: a NaN in the branch not taken would still reach the gradient.
    direction = torch.where(known.unsqueeze(-1), chosen, 0.0) / length.unsqueeze(-1)
    return direction, length * known, known, index


def _at(numbers: Tensor, index: Tensor) -> Tensor:
    return numbers.gather(-1, index.unsqueeze(-1))[..., 0]
