"""Frames that a planner draws its noise in, by name, and what stands in where a frame degenerates."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.nn import Frame, frame_from_arrows, frame_from_axes, frame_from_heading
from equiworld.symmetry import Features, Symmetry
from equiworld.symmetry.orientations import first_rotation

__all__ = ["FRAMES", "orbit_length", "planning_frame", "reference_point", "symmetrised"]


def planning_frame(kind: str | None, symmetry: Symmetry, state: Features, goal: Features) -> Frame | None:
    """The frame of each of B states.

    Args:
        kind: a key of `FRAMES`, or None for the world's own axes.
        symmetry: that says which channels are what.
        state: batch shape `(B,)`.
        goal: likewise.

    Raises:
        ArgumentError: the state has nothing to make such a frame from.
    """
    return None if kind is None else FRAMES[kind](symmetry, state, goal)


def reference_point(symmetry: Symmetry, state: Features) -> Tensor:
    """The point `(B, d)` that frames sit at: the body's reference, or the mean of all points."""
    if symmetry.reference is not None:
        return state.select(symmetry.channels()[symmetry.reference]).mean(-1)
    if state.points.shape[-1]:
        return state.points.mean(-1)
    return state.vectors.new_zeros(*state.batch_shape, symmetry.dim)


def _of_state(symmetry: Symmetry, state: Features, goal: Features) -> Frame:
    """The body's: its axes or its heading, or else its first points and vectors."""
    origin, axes = reference_point(symmetry, state), first_rotation(symmetry)
    if axes is not None:
        return frame_from_axes(state.select(axes), origin)
    if symmetry.heading is not None:
        return frame_from_heading(state.select(symmetry.channels()[symmetry.heading])[..., 0], origin)
    return _of_arrows("state", _arrows(state), origin, symmetry)


def _of_goal(symmetry: Symmetry, state: Features, goal: Features) -> Frame:
    """Along the way to the goal; in space, turned about it as the body's first arrow is."""
    if not goal.points.shape[-1]:
        raise ArgumentError("frame", "'goal'", "a goal with points", ("state", None))
    origin, channels = reference_point(symmetry, state), symmetry.channels(symmetry.goal)
    target = goal.select(next(each for each in channels.values() if each.kind == "points")).mean(-1)
    return _of_arrows("goal", [target - origin, *_arrows(state)], origin, symmetry)


def _of_vectors(symmetry: Symmetry, state: Features, goal: Features) -> Frame:
    """Of the first vectors, one in the plane and two in space: for latents, whose vectors are learned."""
    vectors = [state.vectors[..., index] for index in range(state.vectors.shape[-1])]
    return _of_arrows("vectors", vectors, reference_point(symmetry, state), symmetry)


FRAMES: dict[str, Callable[[Symmetry, Features, Features], Frame]] = {
    "state": _of_state,
    "goal": _of_goal,
    "vectors": _of_vectors,
}
"""One line a frame. Each turns with the world and says how degenerate it is."""


def _arrows(state: Features) -> list[Tensor]:
    """Differences of points first: they are there in every state, a velocity may vanish."""
    points, vectors = state.points, state.vectors
    arrows = [points[..., i] - points[..., 0] for i in range(1, points.shape[-1])]
    return arrows + [vectors[..., i] for i in range(vectors.shape[-1])]


def _of_arrows(kind: str, arrows: list[Tensor], origin: Tensor, symmetry: Symmetry) -> Frame:
    if len(arrows) < symmetry.dim - 1:
        expected = f"a state with a heading, or {symmetry.dim} points or {symmetry.dim - 1} vectors"
        raise ArgumentError("frame", repr(kind), expected, (None,))
    if symmetry.dim == 2:
        return frame_from_heading(arrows[0], origin, scale=symmetry.length_scale)
    return frame_from_arrows(torch.stack(arrows, -1), origin, scale=symmetry.length_scale)


# --------------------------------------------------------------------------------- where a frame degenerates


@lru_cache(maxsize=8)
def _subgroup(dim: int, dtype: torch.dtype) -> Tensor:
    """A finite group of rotations, `(n, d, d)`: quarter turns of the plane, the tetrahedron's of space."""
    if dim == 2:
        quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=dtype)
        return torch.stack([torch.linalg.matrix_power(quarter, power) for power in range(4)])
    cycle = torch.eye(3, dtype=dtype).roll(1, 0)
    halves = [torch.diag(torch.tensor(signs, dtype=dtype)) for signs in _HALF_TURNS]
    return torch.stack(
        [torch.linalg.matrix_power(cycle, power) @ half for power in range(3) for half in halves]
    )


_HALF_TURNS = ((1.0, 1.0, 1.0), (1.0, -1.0, -1.0), (-1.0, 1.0, -1.0), (-1.0, -1.0, 1.0))


def orbit_length(dim: int) -> int:
    """How many samples in a row `symmetrised` makes of one."""
    return len(_subgroup(dim, torch.float64)) if dim in (2, 3) else 1


def symmetrised(noise: Tensor, dim: int) -> Tensor:
    """Noise whose samples are whole orbits of a finite group of rotations.

    Where no frame turns with the world, a sampler can still not prefer any of these rotations: turned by one of them,
    the set of samples is the same set. Samples left over from the last whole orbit become zero.

    Args:
        noise: `(H, B, arrows, d, n)`.
        dim: d, 2 or 3; for others the noise comes back as it is.

    Returns:
        `(H, B, arrows, d, n)`.
    """
    if dim not in (2, 3):
        return noise
    elements = _subgroup(dim, noise.dtype)
    orbits = noise.shape[-1] // len(elements)
    turned = torch.einsum("gij,hbajn->hbaing", elements, noise[..., :orbits]).flatten(-2)
    closed = torch.zeros_like(noise)
    closed[..., : turned.shape[-1]] = turned
    return closed
