"""The picture of the orientation benchmark: one-step error around the circle, tasks and paths beside it."""

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

SMALLEST = 1e-14  # [px] where an exact zero is drawn on a logarithmic axis


def draw(result: Mapping[str, Any], path: Path) -> Path:
    """Draw a result of the orientation benchmark to a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    # A canvas of its own, not pyplot: no window system is asked for and no figure of the caller is touched.
    figure = Figure(figsize=(11.5, 6.2), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.06))
    canvas = FigureCanvasAgg(figure)
    half_width = result["config"]["half_width"]
    figure.suptitle(
        f"PushT, trained on block headings within ±{half_width:g}° (shaded), tested with the whole scene turned",
        fontsize=13,
    )
    grid = figure.add_gridspec(2, 2, width_ratios=(1.0, 1.05))
    _draw_errors(figure.add_subplot(grid[:, 0], projection="polar"), result)
    upper, lower = figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, 1])
    _draw_success(upper, result)
    _draw_deviations(lower, result)
    handles, labels = lower.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=12)
    return write_atomically(path, lambda file: canvas.print_figure(file, format="png", dpi=130))


def _draw_errors(axes: Any, result: Mapping[str, Any]) -> None:
    """relMSE by angle, its radius logarithmic."""
    models = by_model(result)
    values = [row["relative_error"] for rows in models.values() for row in rows]
    low, high = np.floor(np.log10(min(values))) - 0.5, np.log10(max(values)) + 0.25
    half_width = np.radians(result["config"]["half_width"])
    axes.bar(0.0, high - low, 2 * half_width, bottom=0.0, color=SHADE, alpha=0.45, linewidth=0)
    for name, rows in models.items():
        closed = [*rows, rows[0]]
        angles = np.radians([row["angle_deg"] for row in closed])
        # The logarithm is taken here: matplotlib's logarithmic polar radius draws its ticks over the data.
        radii = np.log10([row["relative_error"] for row in closed]) - low
        axes.plot(angles, radii, markersize=5, **_style(name))
    powers = np.arange(np.ceil(low), np.floor(high) + 1)
    axes.set_rlim(0.0, high - low)
    axes.set_rticks(powers - low, [])
    back = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "boxstyle": "round,pad=0.1"}
    for power in powers:  # above the curves, and between two angles that were measured
        text = f"{10.0**power:g}"
        axes.text(
            np.radians(101.25), power - low, text, fontsize=9, ha="center", va="center", bbox=back, zorder=9
        )
    axes.set_thetagrids(np.arange(0, 360, 45), fontsize=11)
    axes.grid(alpha=0.4)
    axes.set_title(
        "one-step error (relMSE; 1: predicts no motion)\nby angle of the scene", fontsize=12, pad=14
    )


def _draw_success(axes: Any, result: Mapping[str, Any]) -> None:
    """Tasks solved by angle, with Wilson intervals."""
    models = by_model(result, played=True)
    for (name, rows), shift in zip(models.items(), (-5.0, 0.0, 5.0), strict=True):
        closed = [*rows, {**rows[0], "angle_deg": 360.0}]
        angles = np.array([row["angle_deg"] for row in closed]) + shift
        middle = 100 * np.array([row["success"] for row in closed])
        ends = 100 * np.array([[row["success_low"], row["success_high"]] for row in closed]).T
        lengths = np.maximum(np.abs(ends - middle), 0.0)
        axes.errorbar(angles, middle, lengths, elinewidth=0.9, capsize=2.0, markersize=6, **_style(name))
    axes.set_ylim(-6, 106)
    axes.set_yticks(np.arange(0, 101, 25), [f"{share} %" for share in range(0, 101, 25)], fontsize=10)
    tasks = next(iter(models.values()))[0]["tasks"]
    axes.set_title(f"tasks solved, of {tasks} at each angle (95 % intervals)", fontsize=12)
    _turns(axes, result)
    axes.tick_params(labelbottom=False)


def _draw_deviations(axes: Any, result: Mapping[str, Any]) -> None:
    """Median distance from the unturned path, turned along."""
    for name, rows in by_model(result, played=True).items():
        turned = rows[1:]
        values = np.maximum([row["deviation_median"] for row in turned], SMALLEST)
        axes.plot([row["angle_deg"] for row in turned], values, markersize=6, label=name, **_style(name))
    axes.set_yscale("log")
    axes.set_ylim(SMALLEST, 1e4)
    axes.set_yticks([1e-12, 1e-8, 1e-4, 1.0, 1e4])
    axes.tick_params(axis="y", labelsize=10)
    axes.set_ylabel("[px]", fontsize=11)
    axes.set_title("distance from the unturned path (median)", fontsize=12)
    axes.set_xlabel("angle by which the whole scene is turned", fontsize=11)
    _turns(axes, result)


def _turns(axes: Any, result: Mapping[str, Any]) -> None:
    """The axis of angles, with the slice shaded."""
    half_width = result["config"]["half_width"]
    for middle in (0, 360):
        axes.axvspan(middle - half_width, middle + half_width, color=SHADE, alpha=0.45, linewidth=0)
    axes.set_xlim(-18, 378)
    axes.set_xticks(np.arange(0, 361, 45), [f"{angle}°" for angle in range(0, 361, 45)], fontsize=11)
    axes.grid(alpha=0.4)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _style(name: str) -> dict[str, Any]:
    return {"color": COLOURS[name], "linestyle": LINES[name], "marker": MARKERS[name], "linewidth": 1.8}
