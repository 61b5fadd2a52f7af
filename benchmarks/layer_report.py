"""What `layer-speed` found, in text and as bars."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from equiworld.benchmarks.layers import PLAIN
from equiworld.files import write_atomically
from equiworld.results import text_table

__all__ = ["FORWARD", "TARGETS", "draw", "report"]

FORWARD = "forward"

TARGETS: list[dict[str, Any]] = [
    {"layer": "block", "pass": FORWARD, "scalars": 64, "vectors": 64, "batch": batch, "ratio": ratio}
    for batch, ratio in ((1, 2.5), (512, 1.1))
]
"""What is aimed at: the largest time of these layers over that of the plain one."""


def report(result: Mapping[str, Any]) -> str:
    """A table for each dimension and number of threads, and how the block stands to its targets."""
    columns = {
        "scalars": "scalars",
        "vectors": "vectors",
        "batch": "batch",
        "pass": "pass",
        "layer": "layer",
        "median_us": "median µs",
        "minimum_us": "min µs",
        "ratio": "× plain",
        "residual_float32": "residual float32",
        "residual_float64": "float64",
    }
    parts = []
    for dim, threads in dict.fromkeys((row["dim"], row["threads"]) for row in result["rows"]):
        rows = [row for row in result["rows"] if (row["dim"], row["threads"]) == (dim, threads)]
        parts.append(f"d = {dim}, threads: {threads}\n{text_table(rows, columns)}")
    missing = sorted({row["layer"] for row in result["rows"] if not row["installed"]})
    if missing:
        parts.append(f"not installed, so not measured: {', '.join(missing)}")
    return "\n\n".join(
        [*parts, "\n".join([*_verdicts(result), *_noise(result["config"]["machine"])])]
    ).rstrip()


def _verdicts(result: Mapping[str, Any]) -> list[str]:
    """How the block stands to each target, in every dimension and with every number of threads."""
    lines = []
    for row, target in itertools.product(result["rows"], TARGETS):
        if all(row[key] == value for key, value in target.items() if key != "ratio"):
            verdict = "within" if row["ratio"] <= target["ratio"] else "MISSES"
            lines.append(
                f"{row['scalars']} + {row['vectors']}, d = {row['dim']}, batch {row['batch']}, "
                f"threads: {row['threads']}: {row['ratio']:.2f} × plain, {verdict} {target['ratio']} "
                f"(minima {row['ratio_of_minima']:.2f})"
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
    """Bars of the ratios of the first dimension and number of threads, one panel a size."""
    from matplotlib.figure import Figure

    config = result["config"]
    dim, threads = config["dims"][0], config["threads"][0]
    rows = [row for row in result["rows"] if (row["dim"], row["threads"]) == (dim, threads)]
    figure = Figure(figsize=(5.2 * len(config["channels"]), 4.0), layout="constrained")
    panels = figure.subplots(1, len(config["channels"]), sharey=True, squeeze=False)[0]
    for axes, (scalars, vectors) in zip(panels, config["channels"], strict=True):
        part = [row for row in rows if (row["scalars"], row["vectors"]) == (scalars, vectors)]
        _draw_bars(axes, [row for row in part if row["installed"] and row["layer"] != PLAIN])
        axes.set_title(f"{scalars} scalars + {vectors} vectors, d = {dim}, threads: {threads}", fontsize=10)
    panels[0].set_ylabel("time over that of the plain layer")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
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
