"""The figure of a certificate: final error around the orbit, deviation by step."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from equiworld.errors import ArgumentError
from equiworld.files import write_atomically
from equiworld.verify.orbit import rotation_angle

if TYPE_CHECKING:
    from equiworld.verify.certificate_report import Certificate

__all__ = ["draw"]

_SMALLEST = 1e-17
"""Where an exact zero is drawn on a logarithmic axis."""

_COLOURS = {"active": "#0b5fa5", "passive": "#d1660a"}
_LINES = {"active": "-", "passive": ":"}
_FILLS = {"active": "full", "passive": "none"}


def draw(certificate: Certificate, path: str | os.PathLike[str]) -> Path:
    """Draw it to a file, whole or not at all; the suffix of `path` says the format."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # A canvas of its own, not pyplot: no window system is asked for and no figure of the caller is touched.
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    kind = Path(path).suffix.lower().removeprefix(".")
    kinds = canvas.get_supported_filetypes()
    if kind not in kinds:
        raise ArgumentError("path", os.fspath(path), "a file name with a suffix that says the format", kinds)
    figure.suptitle(f"{certificate.config['env']}, {certificate.config['group']}: {certificate.verdict}")
    _draw_errors(figure.add_subplot(1, 2, 1, projection="polar"), certificate)
    _draw_deviations(figure.add_subplot(1, 2, 2), certificate)
    return write_atomically(path, lambda file: canvas.print_figure(file, format=kind, dpi=150))


def _draw_errors(axes: Any, certificate: Certificate) -> None:
    """Final error of every episode at the angle of its element, and their mean."""
    angles = np.array([rotation_angle(g) for g in certificate.elements])
    for orbit in certificate.orbits:
        colour = _COLOURS[orbit.mode]
        for errors in orbit.final_error.T:
            axes.plot(angles, errors, ".", color=colour, alpha=0.3)
        known = np.isfinite(orbit.final_error)
        counts = known.sum(1)
        means = np.where(known, orbit.final_error, 0.0).sum(1) / np.where(counts, counts, np.nan)
        # Points without a line: between two elements nothing was measured.
        axes.plot(
            angles, means, "o", ms=9, color=colour, fillstyle=_FILLS[orbit.mode], label=f"{orbit.mode}, mean"
        )
    axes.set_rlim(bottom=0)
    axes.set_title("final error by angle of g [units of the observation]")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.15, -0.15))


def _draw_deviations(axes: Any, certificate: Certificate) -> None:
    """The largest deviation by step, against the tolerance."""
    for orbit in certificate.orbits:
        deviation = orbit.deviation_by_step
        drawn = np.maximum(deviation, _SMALLEST)
        style = {"color": _COLOURS[orbit.mode], "linestyle": _LINES[orbit.mode]}
        axes.plot(np.arange(len(drawn)), drawn, label=orbit.mode, **style)
    axes.axhline(certificate.tolerance, color="black", linestyle="--", label="tolerance")
    axes.set_yscale("log")
    axes.set_xlabel("environment step")
    axes.set_ylabel("largest |obs_g − g·obs| [units of the observation]")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
