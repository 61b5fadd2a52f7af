"""What `layer-speed` found, in text and as bars."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equiworld.benchmarks.layers import PLAIN
from equiworld.files import write_atomically
from equiworld.results import text_table

__all__ = ["BACKWARD", "FORWARD", "PREPARED", "draw", "report"]

FORWARD, PREPARED = "forward", "prepared"
BACKWARD = f"{FORWARD} + backward"


def report(result: Mapping[str, Any]) -> str:
    """A table for each contest and number of threads, and how the layers stand to their targets."""
    columns = {
        "size": "size",
        "batch": "batch",
        "pass": "pass",
        "layer": "layer",
        "median_us": "median µs",
        "minimum_us": "min µs",
        "ratio": "× plain",
        "target": "target",
        "residual_float32": "residual float32",
        "residual_float64": "float64",
    }
    rows, parts = result["rows"], []
    for contest, threads in dict.fromkeys((row["contest"], row["threads"]) for row in rows):
        part = [row for row in rows if (row["contest"], row["threads"]) == (contest, threads)]
        parts.append(f"{contest}, threads: {threads}\n{text_table(part, columns)}")
    missing = sorted({row["layer"] for row in rows if not row["installed"]})
    if missing:
        parts.append(f"not installed, so not measured: {', '.join(missing)}")
    return "\n\n".join([*parts, "\n".join([*_verdicts(rows), *_noise(result["config"]["machine"])])]).rstrip()


def _verdicts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """How each layer stands to its target, with every number of threads."""
    lines = []
    for row in rows:
        if row.get("target") is not None:
            verdict = "within" if row["ratio"] <= row["target"] else "MISSES"
            lines.append(
                f"{row['contest']}, {row['size']}, {row['layer']}, batch {row['batch']}, threads: {row['threads']}: "
                f"{row['ratio']:.2f} × plain, {verdict} {row['target']} (minima {row['ratio_of_minima']:.2f})"
            )
    return lines


def _noise(machine: Mapping[str, Any]) -> list[str]:
    """A warning if other processes were running before."""
    load = machine["load_before"]
    if load is None or load < 0.5:
        return []
    return [
        f"other processes ran: load {load:.1f} on {machine['cores']} cores before the first measurement. "
        "Times are noisy, and with several threads may be mostly waiting for a core."
    ]


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Bars of the ratios with the first number of threads, one panel a size of each contest."""
    from matplotlib.figure import Figure

    threads = result["config"]["threads"][0]
    rows = [row for row in result["rows"] if row["threads"] == threads]
    found = list(dict.fromkeys((row["contest"], row["size"]) for row in rows))
    lines = math.ceil(len(found) / 3)
    figure = Figure(figsize=(15.0, 3.6 * lines), layout="constrained")
    panels = figure.subplots(lines, 3, squeeze=False)
    for axes in panels.flat[len(found) :]:
        axes.set_axis_off()
    for axes, (contest, size) in zip(panels.flat, found, strict=False):
        part = [row for row in rows if (row["contest"], row["size"]) == (contest, size)]
        _draw_bars(axes, [row for row in part if row["installed"] and row["layer"] != PLAIN])
        axes.set_title(f"{contest}, {size}, threads: {threads}", fontsize=10)
        axes.legend(frameon=False, fontsize=8)
    for axes in panels[:, 0]:
        axes.set_ylabel("time over that of the plain one")
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=160))


def _draw_bars(axes: Any, rows: list[dict[str, Any]]) -> None:
    groups = list(dict.fromkeys((row["batch"], row["pass"]) for row in rows))
    layers = list(dict.fromkeys(row["layer"] for row in rows))
    width = 0.8 / len(layers)
    colours = ("#0072B2", "#56B4E9", "#009E73", "#D55E00", "#CC79A7")
    for index, (layer, colour) in enumerate(zip(layers, colours, strict=False)):
        heights = [row["ratio"] for row in rows if row["layer"] == layer]
        places = np.arange(len(groups)) + (index - (len(layers) - 1) / 2) * width
        # From 1, the plain layer, up or down: a logarithmic axis has no zero for bars to stand on.
        bars = axes.bar(places, np.array(heights) - 1, width, bottom=1.0, color=colour, label=layer)
        axes.bar_label(bars, [f"{height:.2g}" for height in heights], fontsize=7, padding=1)
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    names = [f"batch {batch}\n{step}" for batch, step in groups]
    axes.set_xticks(range(len(groups)), names, fontsize=8)
    axes.margins(y=0.12)
