"""The picture of the benchmark in space: tasks solved and one-step error by angle, and how still keypoints hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equiworld.benchmarks import pictures
from equiworld.envs.cloudpush.surface import Array
from equiworld.files import write_atomically

__all__ = ["COLOURS", "draw"]

# Those of the demo in the plane, and others of Okabe and Ito's palette for what is only here.
COLOURS = {**pictures.COLOURS, "centred": "#CC79A7"}
MARKERS = {**pictures.MARKERS, "centred": "D"}
LINES = {**pictures.LINES, "centred": "-."}
OTHERS: tuple[tuple[str, str, Any], ...] = (
    ("#E69F00", "v", (0, (5, 1))),
    ("#56B4E9", "P", (0, (3, 1, 1, 1))),
    ("#000000", "X", (0, (1, 1))),
)

POINTS = 128  # of the environment's clouds
NOISE_LIMIT_MM = 0.2  # below it closed loops succeed
APART = 2.2  # [deg] between the markers of models at one angle

Row = Mapping[str, Any]


def draw(result: Mapping[str, Any], path: Path) -> Path:
    """Draw a result to a PNG file: the share of tasks solved, the one-step error, the noise of keypoints.

    Args:
        result: rows of kind "orbit" (`model`, `angle_deg`, `success` with `success_low` and `success_high`,
            `relative_error`), and, where there are any, of kind "model" (`parameters`) and "noise" (`points`,
            `noise_mm`); `config["half_width"]` [deg] is the trained slice. Numbers that are missing, None or NaN
            are left out.
        path: of the PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    noise = [row for row in result["rows"] if row.get("kind") == "noise"]
    panels = 3 if noise else 2
    # A canvas of its own, not pyplot: no window system is asked for and no figure of the caller is touched.
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
    figure = Figure(figsize=(4.6 * panels, 5.0), layout=layout)
    canvas = FigureCanvasAgg(figure)
    figure.suptitle(_title(result, panels), fontsize=13.5)
    axes = [figure.add_subplot(1, panels, index + 1) for index in range(panels)]
    models = _by_model(result)
    styles = _styles(models)
    _draw_success(axes[0], models, styles)
    _draw_errors(axes[1], models, styles)
    for panel in axes[:2]:
        _turns(panel, result["config"].get("half_width"))
    if noise:
        _draw_noise(axes[2], noise)
    handles, labels = axes[0].get_legend_handles_labels()
    sizes = {row["model"]: row.get("parameters") for row in result["rows"] if row.get("kind") == "model"}
    named = [_with_size(label, sizes.get(label)) for label in labels]
    columns = max(min(len(named), 4), 1)
    figure.legend(handles, named, loc="outside lower center", ncols=columns, frameon=False, fontsize=12)
    return write_atomically(path, lambda file: canvas.print_figure(file, format="png", dpi=130))


def _title(result: Mapping[str, Any], panels: int) -> str:
    half_width = result["config"].get("half_width")
    trained = "" if half_width is None else f"trained within {half_width:g}° of one orientation (shaded), "
    lines = (
        "Pushing a body to its goal in space, from point clouds:",
        f"{trained}tested with the world turned",
    )
    return ("\n" if panels < 3 else " ").join(lines)


def _draw_success(
    axes: Any, models: Mapping[str, Sequence[Row]], styles: Mapping[str, dict[str, Any]]
) -> None:
    """Share of tasks solved by angle, with its intervals."""
    for index, (name, rows) in enumerate(models.items()):
        angles = _column(rows, "angle_deg") + APART * (index - (len(models) - 1) / 2)
        middle, low, high = (100 * _column(rows, key) for key in ("success", "success_low", "success_high"))
        lengths = np.maximum([middle - low, high - middle], 0.0)
        # An interval that is not there is no reason to leave out what was measured.
        axes.errorbar(
            angles, middle, np.nan_to_num(lengths), elinewidth=0.9, capsize=2.0, label=name, **styles[name]
        )
    axes.set_ylim(-6, 106)
    axes.set_yticks(np.arange(0, 101, 25), [f"{share} %" for share in range(0, 101, 25)])
    axes.set_title("tasks solved (95 % intervals)", fontsize=12)


def _draw_errors(
    axes: Any, models: Mapping[str, Sequence[Row]], styles: Mapping[str, dict[str, Any]]
) -> None:
    """One-step relMSE by angle."""
    found = []
    for name, rows in models.items():
        errors = _positive(_column(rows, "relative_error"))
        axes.plot(_column(rows, "angle_deg"), errors, **styles[name])
        found += errors[np.isfinite(errors)].tolist()
    axes.axhline(1.0, color="0.45", linewidth=1.0, linestyle=(0, (4, 3)))
    axes.set_yscale("log")
    found.append(1.0)
    axes.set_ylim(min(found) / 2.0, max(found) * 3.0)
    _plain_decades(axes.yaxis)
    axes.set_title("one-step error (relMSE; 1: predicts no motion)", fontsize=12)


def _draw_noise(axes: Any, noise: Sequence[Row]) -> None:
    """Noise of keypoints over the points of a cloud, both logarithmic."""
    rows = sorted(noise, key=lambda row: row["points"])
    counts, values = _column(rows, "points"), _positive(_column(rows, "noise_mm"))
    axes.plot(counts, values, color=COLOURS["equivariant"], marker="o", markersize=6, linewidth=1.8)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    finite = [*values[np.isfinite(values)].tolist(), NOISE_LIMIT_MM]
    axes.set_ylim(min(finite) / 2.0, max(finite) * 2.0)
    axes.axhline(NOISE_LIMIT_MM, color="0.35", linewidth=1.0, linestyle=(0, (4, 3)))
    axes.axvline(POINTS, color="0.35", linewidth=1.0, linestyle=(0, (4, 3)))
    axes.text(
        counts[0], 0.93 * NOISE_LIMIT_MM, f"{NOISE_LIMIT_MM:g} mm", fontsize=9.5, color="0.35", va="top"
    )
    for value in values[counts == POINTS]:
        if np.isfinite(value):
            # Right above the falling curve; left below it where there is nothing to the right.
            left = counts[-1] == POINTS
            place = {"xytext": (-7, -8) if left else (7, 12), "textcoords": "offset points"}
            place |= {"ha": "right" if left else "left", "va": "top" if left else "bottom"}
            axes.annotate(f"{value:.2g} mm at {POINTS} points", (POINTS, value), fontsize=10, **place)
    axes.set_xticks(counts, [f"{count:g}" for count in counts])
    axes.minorticks_off()
    _plain_decades(axes.yaxis)
    axes.set_xlabel("points in the cloud", fontsize=11)
    axes.set_ylabel("[mm]", fontsize=11)
    axes.set_title("noise of keypoints from cloud to cloud", fontsize=12)
    _plain_frame(axes)


def _turns(axes: Any, half_width: float | None) -> None:
    """The axis of angles, with the trained slice shaded."""
    if half_width is not None:
        axes.axvspan(-6, half_width, color=pictures.SHADE, alpha=0.45, linewidth=0)
    axes.set_xlim(-6, 186)
    axes.set_xticks(np.arange(0, 181, 45), [f"{angle}°" for angle in range(0, 181, 45)])
    axes.set_xlabel("angle by which the whole world is turned", fontsize=11)
    _plain_frame(axes)


def _plain_frame(axes: Any) -> None:
    axes.grid(alpha=0.4)
    axes.tick_params(labelsize=10)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _plain_decades(axis: Any) -> None:
    """0.01, 0.1, 1 rather than powers of ten."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _by_model(result: Mapping[str, Any]) -> dict[str, list[Row]]:
    """The rows of each model over the orbit, by angle."""
    found: dict[str, list[Row]] = {}
    for row in result["rows"]:
        if row.get("kind") == "orbit":
            found.setdefault(row["model"], []).append(row)
    return {name: sorted(rows, key=lambda row: row["angle_deg"]) for name, rows in found.items()}


def _styles(models: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """How each model is drawn; one without a colour of its own gets a spare one."""
    spare = [name for name in models if name not in COLOURS]
    found = {}
    for name in models:
        if name in COLOURS:
            colour, marker, line = COLOURS[name], MARKERS[name], LINES[name]
        else:
            colour, marker, line = OTHERS[spare.index(name) % len(OTHERS)]
        found[name] = {
            "color": colour,
            "marker": marker,
            "linestyle": line,
            "linewidth": 1.8,
            "markersize": 6,
        }
    return found


def _column(rows: Sequence[Row], key: str) -> Array:
    """Numbers `(n,)`; NaN where there is none."""
    return np.array([np.nan if row.get(key) is None else row[key] for row in rows], np.float64)


def _positive(values: Array) -> Array:
    """NaN for what has no place on a logarithmic axis."""
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def _with_size(name: str, parameters: int | None) -> str:
    if parameters is None:
        return name
    return f"{name} ({parameters / 1000:.0f}k parameters)" if parameters >= 1000 else f"{name} ({parameters})"
