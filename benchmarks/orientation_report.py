"""What the orientation benchmark found, in words and in three tables side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from equiworld.results import text_table

__all__ = ["by_model", "own_task", "report", "table", "verdict"]

Row = Mapping[str, Any]


def by_model(result: Mapping[str, Any], played: bool = False) -> dict[str, list[Row]]:
    """The rows of each model over the orbit, by angle.

    Args:
        result: of the benchmark.
        played: only the orientations at which the closed loop ran.
    """
    found: dict[str, list[Row]] = {}
    for row in result["rows"]:
        if row["part"] == "orbit" and (not played or "tasks" in row):
            found.setdefault(row["model"], []).append(row)
    return found


def own_task(result: Mapping[str, Any]) -> dict[str, Row]:
    """Each model's row for gym-pusht's own task."""
    return {row["model"]: row for row in result["rows"] if row["part"] == "own_task"}


def table(result: Mapping[str, Any]) -> str:
    """Orientation by model: one-step error, tasks solved, deviation from the unturned path."""
    models = by_model(result, played=True)
    names = {name: name for name in models}
    angles = [row["angle_deg"] for row in next(iter(models.values()))]

    def block(title: str, cell: Any) -> list[str]:
        rows = [{name: cell(models[name][i]) for name in names} for i in range(len(angles))]
        lines = text_table(rows, names).splitlines()
        width = max(len(title), *map(len, lines))
        return [line.ljust(width) for line in (title, *lines)]

    blocks = [
        ["", *text_table([{"turned": f"{angle:g}°"} for angle in angles]).splitlines()],
        block("one-step error (relMSE)", lambda row: _short(row["relative_error"])),
        block("tasks solved", lambda row: f"{row['success_count']}/{row['tasks']}"),
        block("final coverage, median", lambda row: f"{100 * row['final_coverage']:.0f} %"),
        block("deviation, median [px]", lambda row: _short(row["deviation_median"])),
    ]
    width = max(map(len, blocks[0]))
    blocks[0] = [line.ljust(width) for line in blocks[0]]
    return "\n".join("   ".join(parts).rstrip() for parts in zip(*blocks, strict=True))


def own_task_table(result: Mapping[str, Any]) -> str:
    """gym-pusht's own task: success rates with their intervals, and how long it took."""
    rows = [
        {
            "model": name,
            "parameters": row["parameters"],
            "solved": f"{row['success_count']}/{row['episodes']}",
            "95 % interval": f"{row['success_low']:.1%} to {row['success_high']:.1%}",
            "median steps": row["median_steps"],
        }
        for name, row in own_task(result).items()
    ]
    return text_table(rows)


def verdict(result: Mapping[str, Any]) -> str:
    """What the numbers say, a sentence or two for each model."""
    half_width = result["config"]["half_width"]
    lines = [f"Trained on block headings within ±{half_width:g}° alone, then turned to every orientation:"]
    own = own_task(result)
    for name, rows in by_model(result, played=True).items():
        lines.append(
            f"- {name}: {_sentence(rows)} gym-pusht's own task: {own[name]['success_rate']:.0%} solved."
        )
    if result["config"]["quick"]:
        lines.append("Quick run: too little data, training and tasks for the numbers to mean much.")
    return "\n".join(lines)


def report(result: Mapping[str, Any]) -> str:
    """Tables, verdict and where the time went, as text."""
    config = result["config"]
    stages = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in config.get("stage_seconds", {}).items())
    return "\n".join(
        [
            "",
            table(result),
            "",
            "gym-pusht's own task: walls, its own resets at every heading, its own success",
            own_task_table(result),
            "",
            verdict(result),
            "",
            f"{result['seconds']:.0f} s ({stages}); results and pictures in {config['out']}",
        ]
    )


def _sentence(rows: Sequence[Row]) -> str:
    seen, turned = rows[0], rows[1:]
    worst = max(row["relative_error"] for row in turned)
    solved, tasks = (sum(row[key] for row in turned) for key in ("success_count", "tasks"))
    farthest = max(row["deviation_max"] for row in turned)
    typical = float(np.median([row["deviation_median"] for row in turned]))
    ratio = worst / seen["relative_error"]
    path = f"paths differ by {typical:.2g} px (median), {farthest:.2g} px at most"
    if farthest < 1e-6:
        path = f"the very same paths, turned: {farthest:.0e} px apart at most"
    return (
        f"one-step error {seen['relative_error']:.2g} seen, {worst:.2g} at worst (×{_ratio(ratio)}); "
        f"{seen['success_count']}/{seen['tasks']} tasks unturned, {solved}/{tasks} turned; {path}."
    )


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _short(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if 1e-4 <= value < 0.1 else f"{value:.2g}" if value < 100 else f"{value:.0f}"
