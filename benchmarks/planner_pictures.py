"""The pictures of the benchmarks of planners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from equiworld.benchmarks.contenders import OURS
from equiworld.files import write_atomically

__all__ = ["draw_quality", "draw_scaling"]

# Okabe and Ito's palette for this library's planners; the others are grey, told apart by dashes and markers.
COLOURS = dict(zip(OURS, ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"), strict=True))
MARKERS = "osv^DPX<>*hd"
DASHES = ("--", ":", "-.", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (5, 5)))


def draw_quality(result: Mapping[str, Any], path: Path) -> Path:
    """Mean cost with its interval against samples, one panel a world."""
    rows = [row for row in result["rows"] if "absent" not in row]
    worlds = list(dict.fromkeys(row["world"] for row in rows))
    figure, canvas, axes = _figure(len(worlds))
    styles = _styles([row["contender"] for row in rows])
    for panel, world in zip(axes, worlds, strict=True):
        for name, style in styles.items():
            of = [row for row in rows if row["contender"] == name and row["world"] == world]
            samples = [row["samples"] for row in of]
            panel.plot(samples, [row["mean_cost"] for row in of], label=name, **style)
            if name in OURS:
                low, high = [row["low"] for row in of], [row["high"] for row in of]
                panel.fill_between(samples, low, high, color=style["color"], alpha=0.1, linewidth=0)
        panel.set(title=world, xlabel="samples an iteration", ylabel="mean cost of the plan", xscale="log")
        _plain_ticks(panel, [row["samples"] for row in rows])
    return _finish(figure, canvas, axes[0], path)


def draw_scaling(result: Mapping[str, Any], path: Path) -> Path:
    """Milliseconds a decision against samples, horizon and environments, both axes logarithmic."""
    rows = [row for row in result["rows"] if row.get("part") == "scaling"]
    quantities = list(dict.fromkeys(row["against"] for row in rows))
    figure, canvas, axes = _figure(len(quantities))
    styles = _styles([row["contender"] for row in rows])
    for panel, quantity in zip(axes, quantities, strict=True):
        of = [row for row in rows if row["against"] == quantity]
        for row in of:
            style = styles[row["contender"]]
            panel.plot(row["values"], row["median_ms"], label=row["contender"], **style)
        panel.set(title=_exponents(of), xlabel=quantity, ylabel="ms a decision", xscale="log", yscale="log")
        _plain_ticks(panel, of[0]["values"])
    return _finish(figure, canvas, axes[0], path)


def _exponents(rows: Sequence[Mapping[str, Any]]) -> str:
    of_ours = [row["exponent"] for row in rows if row["contender"] in OURS]
    return f"exponents of ours {min(of_ours):.2f} to {max(of_ours):.2f}"


def _figure(panels: int) -> tuple[Any, Any, list[Any]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    # A canvas of its own, not pyplot: no window system is asked for and no figure of the caller is touched.
    figure = Figure(figsize=(4.6 * panels, 5.4), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06))
    canvas = FigureCanvasAgg(figure)
    return figure, canvas, [figure.add_subplot(1, panels, index + 1) for index in range(panels)]


def _styles(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """How each contender is drawn, in the order of their first appearance."""
    styles: dict[str, dict[str, Any]] = {}
    others = 0
    for index, name in enumerate(dict.fromkeys(names)):
        style = {"marker": MARKERS[index % len(MARKERS)], "markersize": 5}
        if name in COLOURS:
            styles[name] = style | {"color": COLOURS[name], "linewidth": 2.0}
        else:
            line = DASHES[others % len(DASHES)]
            styles[name] = style | {"color": "0.45", "linewidth": 1.1, "linestyle": line}
            others += 1
    return styles


def _plain_ticks(panel: Any, values: Sequence[float]) -> None:
    """The values themselves at the axis, not powers of ten."""
    ticks = sorted(set(values))
    panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.minorticks_off()
    panel.grid(True, color="0.9")


def _finish(figure: Any, canvas: Any, panel: Any, path: Path) -> Path:
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return write_atomically(path, lambda file: canvas.print_figure(file, format="png", dpi=130))
