"""How far two observations are from one another, and one from its goal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from equiworld.groups.arrays import Array
from equiworld.symmetry import Point, Symmetry
from equiworld.symmetry.features import Kind
from equiworld.symmetry.validation import goal_of

__all__ = ["GoalError", "field_errors", "goal_error", "sizes"]

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
    """How far from the goal: the mean distance of points to theirs in the goal, `(…,)`.

    Of the pairs that `symmetry.goal` declares, that with the most points; clouds have no points that correspond. None
    if no points have a goal.
    """
    centre = np.asarray(symmetry.centre)
    pairs = [
        (symmetry.observation[goal].count, part, goal)
        for goal, part in goal_of(symmetry.goal).items()
        if part is not None and isinstance(symmetry.observation[goal], Point)
    ]
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
