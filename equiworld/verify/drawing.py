"""Figures without a window system, and orbits in space over the sphere of rotation axes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.errors import ArgumentError
from equiworld.files import write_atomically

__all__ = ["draw_orbit_on_sphere", "draw_to", "sphere_axes"]

_NAMED = {"+x": (0, 0), "+y": (90, 0), "−y": (-90, 0), "−x": (168, 0), "+z": (0, 76), "−z": (0, -76)}
"""Longitude and latitude [deg] of the names of directions: all within the map."""

_SIZES = (30.0, 230.0)
"""Areas [pt²] of the markers of a turn by 0 and by 180°."""

_NO_TURN = (0.985, 0.06)  # of the axes: a corner outside the map
_STILL = 1e-9  # [rad] below which there is no axis


def draw_to(path: str | os.PathLike[str], size: tuple[float, float], fill: Callable[[Any], None]) -> Path:
    """Draw a figure to a file, whole or not at all; the suffix of `path` says the format.

    Args:
        path: of the file.
        size: width and height [in].
        fill: draws in the figure.

    Raises:
        ArgumentError: matplotlib does not write that format.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # A canvas of its own, not pyplot: no window system is asked for and no figure of the caller is touched.
    figure = Figure(figsize=size, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    kind = Path(path).suffix.lower().removeprefix(".")
    kinds = canvas.get_supported_filetypes()
    if kind not in kinds:
        raise ArgumentError("path", os.fspath(path), "a file name with a suffix that says the format", kinds)
    fill(figure)
    return write_atomically(path, lambda file: canvas.print_figure(file, format=kind, dpi=150))


def sphere_axes(figure: Any, *spec: Any) -> Any:
    """Axes over the sphere of directions in Mollweide's projection, which keeps areas.

    Args:
        figure: of matplotlib.
        spec: where, as `Figure.add_subplot` takes it.
    """
    axes = figure.add_subplot(*spec, projection="mollweide")
    axes.grid(color="0.85", linewidth=0.6)
    axes.set_xticks(np.radians([-90, 0, 90]), ["", "", ""])
    axes.set_yticks(np.radians([-45, 0, 45]), ["", "", ""])
    axes.set_facecolor("0.985")
    for name, place in _NAMED.items():
        axes.text(*np.radians(place), name, color="0.45", fontsize=9, ha="center", va="center", zorder=1.5)
    return axes


def draw_orbit_on_sphere(
    axes: Any,
    rotation_vectors: ArrayLike,
    values: ArrayLike,
    *,
    mirrored: Sequence[bool] | None = None,
    unit: str = "",
    log: bool = False,
    span: tuple[float, float] | None = None,
) -> Any:
    """Values at elements of a group in space: a disc at the axis of each, its colour the value, its size the angle.

    Elements about one axis are discs within each other, the smallest angle on top; one that does not turn stands
    in the corner. Shifts are not drawn.

    Args:
        axes: of `sphere_axes`.
        rotation_vectors: `(n, 3)`, axis times angle [rad]; of an element that mirrors, those of its proper part.
        values: `(n,)`; what is not finite, or not positive on a logarithmic scale, is an empty ring.
        mirrored: which elements mirror; they are triangles.
        unit: words at the scale of colours.
        log: whether colours go with the logarithm, if there is more than a decade of them.
        span: of the colours; that of the values if None.

    Returns:
        What the colours belong to, for another figure's scale; None if nothing can be coloured.
    """
    from matplotlib.colors import LogNorm, Normalize

    vectors, shades = np.atleast_2d(np.asarray(rotation_vectors, float)), np.asarray(values, float)
    turned = np.linalg.norm(vectors, axis=1)
    known = np.isfinite(shades) & ((shades > 0) | (not log))
    mirrors = np.zeros(len(vectors), bool) if mirrored is None else np.asarray(mirrored, bool)
    if span is None:
        span = (shades[known].min(), shades[known].max()) if known.any() else (1.0, 1.0)
    decades = log and span[1] / span[0] > 10  # within one, powers of ten say little
    norm = (LogNorm if decades else Normalize)(*_opened(*span, log=decades))
    shown = None
    for marker, which in (("o", ~mirrors), ("^", mirrors)):
        for turning in (turned > _STILL, turned <= _STILL):
            chosen = np.flatnonzero(which & turning)
            chosen = chosen[np.argsort(-turned[chosen], kind="stable")]  # the smallest on top
            looks = {"marker": marker, "edgecolors": "0.25", "linewidths": 0.7, "clip_on": False, "zorder": 3}
            if len(chosen) and turned[chosen[0]] <= _STILL:
                places, looks["transform"] = np.tile(_NO_TURN, (len(chosen), 1)), axes.transAxes
                below = (_NO_TURN[0], _NO_TURN[1] - 0.06)
                axes.text(*below, "no turn", fontsize=8, ha="center", va="top", transform=axes.transAxes)
            else:
                places = _places(vectors[chosen])
            areas, full = _areas(turned[chosen]), known[chosen]
            axes.scatter(*places[~full].T, s=areas[~full], c="none", **looks)
            if full.any():
                colours = {"c": shades[chosen][full], "norm": norm, "cmap": "viridis"}
                shown = axes.scatter(*places[full].T, s=areas[full], **colours, **looks)
    _legend_of_sizes(axes, bool(mirrors.any()))
    if shown is not None:
        axes.figure.colorbar(shown, ax=axes, label=unit, shrink=0.6, aspect=14, pad=0.02)
    return shown


def _areas(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    return _SIZES[0] + (_SIZES[1] - _SIZES[0]) * np.clip(angles / np.pi, 0, 1) ** 2


def _places(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longitude and latitude [rad] of axes `(n, 2)`."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), _STILL)
    return np.stack([np.arctan2(unit[:, 1], unit[:, 0]), np.arcsin(np.clip(unit[:, 2], -1, 1))], axis=1)


def _opened(low: float, high: float, *, log: bool) -> tuple[float, float]:
    """Ends that are not one, as a scale of colours wants them."""
    if high > low:
        return low, high
    return (low / 2, low * 2) if log else (low - 0.5, low + 0.5)


def _legend_of_sizes(axes: Any, mirrors: bool) -> None:
    from matplotlib.lines import Line2D

    looks: dict[str, Any] = {"linestyle": "", "markerfacecolor": "0.8", "markeredgecolor": "0.25"}
    sizes = {angle: float(np.sqrt(_areas(np.radians([angle]))[0])) for angle in (45, 90, 180)}
    handles = [
        Line2D([], [], marker="o", markersize=size, label=f"{angle}°", **looks)
        for angle, size in sizes.items()
    ]
    if mirrors:
        handles.append(Line2D([], [], marker="^", markersize=9, label="mirrored", **looks))
    axes.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=4, frameon=False, fontsize=9,
        columnspacing=1.6, handletextpad=0.9,
    )  # fmt: skip
