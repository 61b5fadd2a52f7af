"""The picture of the orientation benchmark: one-step error around the circle, tasks solved beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from equiworld.benchmarks.orientation_report import by_model

from equiworld.files import write_atomically

__all__ = ["COLOURS", "draw"]

# Okabe and Ito's palette, and a marker for each: told apart without colour vision, and in grey.
COLOURS = {"equivariant": "#0072B2", "plain": "#D55E00", "augmented": "#009E73"}
MARKERS = {"equivariant": "o", "plain": "s", "augmented": "^"}
LINES = {"equivariant": "-", "plain": "--", "augmented": ":"}
SHADE = "#F0E442"


def draw(result: Mapping[str, Any], path: Path) -> Path:
    """Draw a result of the orientation benchmark to a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    # A canvas of its own, not pyplot: no window system is asked for and no figure of the caller is touched.
    figure = Figure(figsize=(11.5, 5.4), layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.08))
    canvas = FigureCanvasAgg(figure)
    half_width = result["config"]["half_width"]
    figure.suptitle(
        f"PushT, trained on block headings within ±{half_width:g}° (shaded), tested with the whole scene turned",
        fontsize=13,
    )
    left, right = figure.add_subplot(1, 2, 1, projection="polar"), figure.add_subplot(1, 2, 2)
    _draw_errors(left, result)
    _draw_success(right, result)
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=12)
    return write_atomically(path, lambda file: canvas.print_figure(file, format="png", dpi=130))


def _draw_errors(axes: Any, result: Mapping[str, Any]) -> None:
    """relMSE by angle, its radius logarithmic."""
    models = by_model(result)
    values = [row["rel_mse"] for rows in models.values() for row in rows]
    low, high = np.floor(np.log10(min(values))) - 0.35, np.log10(max(values)) + 0.25
    half_width = np.radians(result["config"]["half_width"])
    axes.bar(0.0, high - low, 2 * half_width, bottom=0.0, color=SHADE, alpha=0.45, linewidth=0)
    for name, rows in models.items():
        closed = [*rows, rows[0]]
        angles = np.radians([row["angle"] for row in closed])
        # The logarithm is taken here: matplotlib's logarithmic polar radius draws its ticks over the data.
        radii = np.log10([row["rel_mse"] for row in closed]) - low
        style = {"color": COLOURS[name], "linestyle": LINES[name], "marker": MARKERS[name]}
        axes.plot(angles, radii, markersize=5, linewidth=1.8, **style)
    powers = np.arange(np.ceil(low), np.floor(high) + 1)
    axes.set_rlim(0.0, high - low)
    axes.set_rticks(powers - low, [_power(int(power)) for power in powers], fontsize=10)
    axes.set_rlabel_position(112.5)
    axes.set_thetagrids(np.arange(0, 360, 45), fontsize=11)
    axes.grid(alpha=0.4)
    axes.set_title(
        "One-step error (relMSE, 1 = predicts no motion)\nby angle of the scene", fontsize=12, pad=16
    )


def _draw_success(axes: Any, result: Mapping[str, Any]) -> None:
    """Tasks solved by angle, with Wilson intervals."""
    models = by_model(result, played=True)
    half_width = result["config"]["half_width"]
    axes.axvspan(-half_width, half_width, color=SHADE, alpha=0.45, linewidth=0)
    axes.axvspan(360 - half_width, 360 + half_width, color=SHADE, alpha=0.45, linewidth=0)
    for index, (name, rows) in enumerate(models.items()):
        closed = [*rows, {**rows[0], "angle": 360.0}]
        angles = np.array([row["angle"] for row in closed]) + 5.0 * (index - (len(models) - 1) / 2)
        middle = 100 * np.array([row["success"] for row in closed])
        ends = 100 * np.array([[row["success_low"], row["success_high"]] for row in closed]).T
        axes.errorbar(
            angles,
            middle,
            np.maximum(np.abs(ends - middle), 0.0),
            color=COLOURS[name],
            linestyle=LINES[name],
            marker=MARKERS[name],
            markersize=6,
            linewidth=1.8,
            elinewidth=1.0,
            capsize=2.5,
            label=name,
        )
    axes.set_xlim(-18, 378)
    axes.set_ylim(-4, 104)
    axes.set_xticks(np.arange(0, 361, 45), [f"{angle}°" for angle in range(0, 361, 45)], fontsize=11)
    axes.set_yticks(np.arange(0, 101, 20), [f"{share} %" for share in range(0, 101, 20)], fontsize=11)
    axes.set_xlabel("angle by which the whole scene is turned", fontsize=11)
    axes.grid(alpha=0.4)
    tasks = next(iter(models.values()))[0]["tasks"]
    axes.set_title(f"Tasks solved\n{tasks} at each angle, 95 % intervals", fontsize=12, pad=10)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _power(exponent: int) -> str:
    return f"{10.0**exponent:g}"
