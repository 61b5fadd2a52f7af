"""Frames that a planner draws its noise in."""

from __future__ import annotations

from equiworld.errors import ArgumentError
from equiworld.nn import Frame, frame_from_heading, frame_from_two_vectors, identity_frame
from equiworld.symmetry import Features, Symmetry

__all__ = ["planning_frame"]


def planning_frame(kind: str | None, symmetry: Symmetry, state: Features) -> Frame:
    """The frame of each of B states.

    Args:
        kind: "state" for the body's frame: its heading, or else its first vectors; None for the world's own.
        symmetry: that says which channel is the heading.
        state: batch shape `(B,)`.

    Raises:
        ArgumentError: the state has nothing to make a frame from.
    """
    channels = symmetry.channels()
    if kind is None:
        return identity_frame(tuple(state.batch_shape), symmetry.dim, dtype=state.dtype)
    points = state.points
    origin = (
        points.mean(-1) if points.shape[-1] else state.vectors.new_zeros(*state.batch_shape, symmetry.dim)
    )
    if symmetry.reference is not None:
        origin = state.select(channels[symmetry.reference])[..., 0]
    if symmetry.heading is not None:
        return frame_from_heading(state.select(channels[symmetry.heading])[..., 0], origin)
    # Differences of points first: they are there in every state, a velocity may vanish.
    arrows = [points[..., i] - points[..., 0] for i in range(1, points.shape[-1])]
    arrows += [state.vectors[..., i] for i in range(state.vectors.shape[-1])]
    if len(arrows) < symmetry.dim - 1:
        raise ArgumentError(
            "frame", repr(kind), f"a state with a heading, or {symmetry.dim} points", ("None",)
        )
    scale = symmetry.length_scale
    if symmetry.dim == 2:
        return frame_from_heading(arrows[0], origin, scale=scale)
    return frame_from_two_vectors(arrows[0], arrows[1], origin, scale=scale)
