"""Comparison of two recorded loops, step by step: is one of them g·(the other)?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from equiworld.groups import GroupElement
from equiworld.groups.arrays import Array
from equiworld.symmetry import Cloud, Symmetry
from equiworld.verify.certification.recording import Trace
from equiworld.verify.distances import field_errors

__all__ = ["compare", "ignored", "motion"]


def compare(
    symmetry: Symmetry, g: GroupElement, trace: Trace, reference: Trace
) -> tuple[Array, dict[str, float]]:
    """How far a trace is from g·reference, as long as both episodes last.

    Returns:
        `(E, T + 1)`, the largest distance over the points observed, in their units (over all fields where no
        points are observed); NaN where one has ended. And by field the largest deviation over all of it:
        distances of points and vectors, differences of scalars, headings as unit vectors.
    """
    both = trace.alive & reference.alive
    deviations = np.full(both.shape, np.nan)
    by_field: dict[str, float] = dict.fromkeys(symmetry.observation, 0.0)
    for step in np.flatnonzero(both.any(1)).tolist():
        expected = symmetry.transform_observation(g, _doubled(reference.observations[step]))
        points: list[Array] = []
        others: list[Array] = []
        for name, kind, error in field_errors(symmetry, trace.observations[step], expected):
            by_field[name] = max(by_field[name], float(error[both[step]].max()))
            (points if kind == "points" else others).append(error)
        worst = np.max(points or others, axis=0)
        deviations[step, both[step]] = worst[both[step]]
    return deviations.T, by_field


def motion(symmetry: Symmetry, trace: Trace) -> float:
    """How far anything observed moved from where it began, at most: points, or all fields without points.

    Goals do not count, which may be the only points that are observed; nor do clouds: their order means nothing, so one
    drawn anew has moved without anything moving.
    """
    moved = 0.0
    for step in range(1, len(trace.observations)):
        alive = trace.alive[step]
        errors = [
            (kind, error)
            for name, kind, error in field_errors(symmetry, trace.observations[step], trace.observations[0])
            if not isinstance(symmetry.observation[name], Cloud) and name not in symmetry.goal
        ]
        points = [error for kind, error in errors if kind == "points"] or [error for _, error in errors]
        moved = max([moved, *(float(error[alive].max(initial=0.0)) for error in points)])
    return moved


def ignored(symmetry: Symmetry, g: GroupElement, trace: Trace, reference: Trace) -> bool:
    """Whether the episodes began at s where they should have begun at g·s."""
    begun = trace.alive[0] & reference.alive[0]
    first, start = trace.observations[0], reference.observations[0]
    expected = symmetry.transform_observation(g, _doubled(start))
    slack = 1e-6 * symmetry.length_scale

    def apart(one: Any, other: Any) -> float:
        return max(float(error[begun].max(initial=0.0)) for *_, error in field_errors(symmetry, one, other))

    return apart(first, start) < slack < apart(expected, start)


def _doubled(obs: Any) -> Any:
    """The observation in float64: turning it must not round it."""
    if isinstance(obs, Mapping):
        return {name: np.asarray(array, dtype=np.float64) for name, array in obs.items()}
    return np.asarray(obs, dtype=np.float64)
