"""How far two observations are from one another, and one from its goal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.symmetry import Symmetry
from equiworld.symmetry.features import Kind

__all__ = ["GoalError", "field_errors", "goal_error", "sizes"]

Array = NDArray[np.float64]
GoalError = Callable[[Any], Array]


def field_errors(symmetry: Symmetry, first: Any, second: Any) -> list[tuple[str, str, Array]]:
    """By field and kind of feature, the largest difference of two batches of observations, `(E,)`."""
    centre = np.asarray(symmetry.centre)
    found = []
    for name, declared in symmetry.observation.items():
        encoded = [declared.encode(_field(symmetry, name, obs), centre) for obs in (first, second)]
        for kind, channels in encoded[0].items():
            found.append((name, str(kind), sizes(kind, channels - encoded[1][kind]).max(-1)))
    return found


def sizes(kind: Kind, channels: Array) -> Array:
    """How large the items of channels are, `(…, n)`: numbers without their sign, lengths of vectors and points."""
    return np.abs(channels) if kind == "scalars" else np.linalg.norm(channels, axis=-2)


def goal_error(symmetry: Symmetry) -> GoalError | None:
    """How far from the goal: the mean distance of the body's points to theirs in the goal, `(…,)`.

    The body is that of the symmetry's `reference`: with "block_pos" and the goal fields "goal_pos" and
    "goal_keypoints", it compares "block_keypoints" with "goal_keypoints", the pair with the most points.
    None if no names match.
    """
    centre = np.asarray(symmetry.centre)
    if symmetry.reference is None:
        return None
    body = symmetry.reference.rpartition("_")[0]
    pairs = []
    for goal in symmetry.goal:
        part = f"{body}_{goal.partition('_')[2]}"
        declared = symmetry.observation[goal]
        if symmetry.observation.get(part) == declared and declared.kind == "points":
            pairs.append((declared.count, part, goal))
    if not pairs:
        return None
    _, part, goal = max(pairs)
    declared = symmetry.observation[goal]

    def error(obs: Any) -> Array:
        here, there = (
            declared.encode(_field(symmetry, name, obs), centre)["points"] for name in (part, goal)
        )
        return np.linalg.norm(here - there, axis=-2).mean(-1)

    return error


def _field(symmetry: Symmetry, name: str, obs: Any) -> Array:
    """The array of one field, float64."""
    return np.asarray(symmetry.observed(obs, [name])[name], dtype=np.float64)
