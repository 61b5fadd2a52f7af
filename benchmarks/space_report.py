"""What the space benchmark found, in words and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from equiworld.results import text_table

__all__ = ["report"]

Row = Mapping[str, Any]


def report(result: Mapping[str, Any]) -> str:
    """Tables of the orbit and the ladder, a verdict, and how long it took."""
    config = result["config"]
    lines = [
        "",
        f"Trained on clouds of a body within {config['half_width']:g}° of one orientation, then the world is turned:",
        _by_model(
            result,
            "orbit",
            lambda row: f"{row['angle_deg']:.0f}°",
            lambda row: f"{row['success_count']}/{row['episodes']} ({row['mean_point_distance_mm']:.1f} mm)",
            "tasks solved (median distance at the end); turned by",
        ),
        "",
        _by_model(
            result,
            "ladder",
            lambda row: str(row["test"]),
            lambda row: f"{row['relative_error']:.4f} ({row['error_mm']:.2f} mm)",
            "one-step error, relMSE (root mean square); test data",
        ),
        "",
        *(_sentence(row, result) for row in _rows(result, "model")),
        *(
            f"- closed loop at {row['elements']} random elements of SE(3) it was not told, {row['steps']} steps, "
            f"float64: {row['deviation_m']:.1e} m from the turned copy at most"
            for row in _rows(result, "certificate")
        ),
        *(
            f"- keypoints of fresh clouds of 128 points differ by {row['noise_mm']:.2f} mm (root mean square)"
            for row in _rows(result, "noise")
            if row["points"] == 128
        ),
    ]
    if config["quick"]:
        lines.append("Quick run: too little data, training and tasks for the numbers to mean much.")
    return "\n".join([*lines, "", f"{result['seconds']:.0f} s; results and pictures in {config['out']}"])


def _rows(result: Mapping[str, Any], kind: str) -> list[Row]:
    return [row for row in result["rows"] if row["kind"] == kind]


def _by_model(result: Mapping[str, Any], kind: str, label: Any, cell: Any, title: str) -> str:
    """One line for each label, one column for each model."""
    lines: dict[str, dict[str, str]] = {}
    for row in _rows(result, kind):
        lines.setdefault(label(row), {title: label(row)})[row["model"]] = cell(row)
    return text_table(list(lines.values()))


def _sentence(model: Row, result: Mapping[str, Any]) -> str:
    orbit = [row for row in _rows(result, "orbit") if row["model"] == model["model"]]
    worst = max(row["relative_error"] for row in orbit)
    turned = [row for row in orbit if row["element"]]
    solved, tasks = (sum(row[key] for row in turned) for key in ("success_count", "episodes"))
    seen = orbit[0]
    return (
        f"- {model['model']} ({model['parameters']:,} parameters): one-step error {seen['relative_error']:.4f} seen, "
        f"{worst:.4f} at worst (×{worst / seen['relative_error']:.2f}); {seen['success_count']}/{seen['episodes']} "
        f"tasks unturned, {solved}/{tasks} turned; |F(g·s) − g·F(s)| ≤ {model['residual_m']:.1e} m"
    )
