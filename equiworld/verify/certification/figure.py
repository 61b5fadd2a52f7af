"""The figure of a certificate: final error over the elements, deviation by step."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.groups import GroupElement
from equiworld.verify.certification.orbit import Orbit
from equiworld.verify.drawing import draw_orbit_on_sphere, draw_to, sphere_axes
from equiworld.verify.elements import rotation_angle, rotation_axis

__all__ = ["draw"]

_SMALLEST = 1e-17
"""Where an exact zero is drawn on a logarithmic axis."""

_COLOURS = {"active": "#0b5fa5", "passive": "#d1660a"}
_LINES = {"active": "-", "passive": ":"}
_FILLS = {"active": "full", "passive": "none"}
_SIZES = {"active": 9, "passive": 13}  # so that one is seen around the other
_MARKERS = {False: "o", True: "^"}  # of elements that mirror


def draw(
    path: str | os.PathLike[str],
    title: str,
    elements: GroupElement,
    orbits: Sequence[Orbit],
    tolerance: float,
) -> Path:
    """Draw orbits to a file, whole or not at all; the suffix of `path` says the format.

    Elements that turn in one plane lie on a circle, at their angle; others over the sphere of rotation axes.
    Where no final error is known, of environments without a goal say, deviations are drawn alone.
    """
    judged = any(np.isfinite(orbit.final_error).any() for orbit in orbits)
    angles = _angles_in_one_plane(elements)

    def fill(figure: Any) -> None:
        figure.suptitle(title)
        columns = figure.add_gridspec(1, 1 + judged)
        if judged and angles is not None:
            _draw_circle(figure.add_subplot(columns[0], projection="polar"), elements, orbits, angles)
        elif judged:
            lines = columns[0].subgridspec(len(orbits), 1)
            for index, orbit in enumerate(orbits):
                _draw_sphere(sphere_axes(figure, lines[index]), elements, orbit)
        _draw_deviations(figure.add_subplot(columns[-1]), orbits, tolerance)

    return draw_to(path, (10, 4.5), fill)


def _angles_in_one_plane(elements: GroupElement) -> NDArray[np.float64] | None:
    """Signed angles [rad] of elements that all turn about one axis, or in the plane; None of others."""
    angles = np.array([rotation_angle(g) for g in elements])
    if elements.dim == 2:
        return angles
    axes = [rotation_axis(g) for g in elements]
    known = np.array([axis for axis in axes if axis is not None])
    if not len(known):
        return None
    along = known @ known[0]
    if not np.allclose(np.abs(along), 1.0):
        return None
    upright = known[0][np.argmax(np.abs(known[0]))]
    angles[[axis is not None for axis in axes]] *= np.sign(along) * np.sign(upright)
    return angles


def _draw_circle(
    axes: Any, elements: GroupElement, orbits: Sequence[Orbit], angles: NDArray[np.float64]
) -> None:
    """Final errors at the angle of each element in its plane."""
    _draw_errors(axes, elements, orbits, angles)
    axes.set_rlim(bottom=0)
    axes.set_title("final error by angle of g [units of the observation]")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.3, -0.15), fontsize=8)


def _draw_sphere(axes: Any, elements: GroupElement, orbit: Orbit) -> None:
    """The mean final error at the axis and angle of each element in space."""
    turns = [rotation_angle(g) * np.asarray(_axis(g)) for g in elements]
    judged = [errors[np.isfinite(errors)] for errors in orbit.final_error]
    means = [errors.mean() if len(errors) else np.nan for errors in judged]
    mirrored = [bool(g.determinant < 0) for g in elements]
    draw_orbit_on_sphere(axes, turns, means, mirrored=mirrored)
    axes.set_title(
        f"{orbit.mode}: mean final error [units of the observation]\nby axis and angle of g", fontsize=10
    )


def _axis(g: GroupElement) -> NDArray[np.float64]:
    axis = rotation_axis(g)
    return np.zeros(3) if axis is None else axis


def _draw_errors(
    axes: Any,
    elements: GroupElement,
    orbits: Sequence[Orbit],
    places: NDArray[np.float64],
) -> None:
    """The final error of every episode at the place of its element, and their mean."""
    # Points without a line: between two elements nothing was measured.
    mirrored = [bool(g.determinant < 0) for g in elements]
    for orbit in orbits:
        own, named = _COLOURS[orbit.mode], set[bool]()
        for index, (errors, mirror) in enumerate(zip(orbit.final_error, mirrored, strict=True)):
            errors = errors[np.isfinite(errors)]
            if not len(errors):
                continue
            style = {"color": own, "marker": _MARKERS[mirror], "ls": ""}
            axes.plot(np.full(len(errors), places[index]), errors, ms=3, alpha=0.3, **style)
            what = f"{orbit.mode}, {'mirrored, ' if mirror else ''}mean"
            label = {} if mirror in named else {"label": what}
            look = {"ms": _SIZES[orbit.mode], "fillstyle": _FILLS[orbit.mode]}
            axes.plot([places[index]], [errors.mean()], **look, **style, **label)
            named.add(mirror)


def _draw_deviations(axes: Any, orbits: Sequence[Orbit], tolerance: float) -> None:
    """The largest deviation by step, against the tolerance."""
    for orbit in orbits:
        deviation = orbit.deviation_by_step
        drawn = np.maximum(deviation, _SMALLEST)
        style = {"color": _COLOURS[orbit.mode], "linestyle": _LINES[orbit.mode]}
        axes.plot(np.arange(len(drawn)), drawn, label=orbit.mode, **style)
    axes.axhline(tolerance, color="black", linestyle="--", label="tolerance")
    axes.set_yscale("log")
    axes.set_xlabel("environment step")
    axes.set_ylabel("largest |obs_g − g·obs| [units of the observation]")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
