"""Rows as curves: what the pictures of questions share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from equiworld.benchmarks.suite.rows import Row
from equiworld.benchmarks.suite.style import (
    angle_axis,
    draw_orbit_on_circle,
    draw_orbit_on_sphere,
    legend_below,
    new_figure,
    plain_decades,
    plain_ticks,
    share_axis,
    style_of,
)
from equiworld.benchmarks.suite.summary import summarised

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Panel", "curves", "grouped", "orbit_figure", "panels"]

_AXIS = ("axis_x", "axis_y", "axis_z")
APART = 3.0  # [deg] between the bars of arms
_MOST_TICKS = 10
_SPHERES = 2  # arms of which an orbit in space is drawn over the sphere


def grouped(rows: Sequence[Row], name: str) -> dict[Any, list[Row]]:
    """Rows by one of their columns, in the order of the first of each."""
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(row.get(name), []).append(row)
    return found


class Panel:
    """One measure against one coordinate, a curve an arm.

    Args:
        title: above it.
        x: column along the bottom.
        y: measure.
        label: below it.
        share: whether it is a share, drawn in percent.
        log: scales that are logarithmic: "x", "y", "xy" or "".
    """

    def __init__(
        self,
        title: str,
        x: str,
        y: str,
        label: str = "",
        share: bool = False,
        log: str = "",
    ) -> None:
        self.title, self.x, self.y, self.label = title, x, y, label
        self.share, self.log = share, log

    def draw(self, axes: Any, rows: Sequence[Row], half_width: float | None = None) -> None:
        """Draw it."""
        if "y" in self.log:  # which has no place for what is not positive
            rows = [row for row in rows if (row.get(self.y) or 0.0) > 0]
        curves(axes, rows, self.x, self.y, 100.0 if self.share else 1.0)
        axes.set_title(self.title, fontsize=11)
        axes.set_xlabel(self.label, fontsize=11)
        if self.x == "angle_deg" and rows:
            last = 360 if max(row[self.x] for row in rows) > 181 else 180
            angle_axis(axes, half_width, last=last)
        if "y" in self.log and rows:
            axes.set_yscale("log")
            low, high = axes.get_ylim()
            if high / low < 1e4:
                plain_decades(axes.yaxis, narrow=high / low < 30)
        if "x" in self.log and rows:
            axes.set_xscale("log")
            places = sorted({row[self.x] for row in rows if row.get(self.x) is not None})
            if len(places) < _MOST_TICKS and all(b > 1.3 * a for a, b in pairwise(places)):
                plain_ticks(axes.xaxis, places)
            elif places and places[-1] < 1e4 * places[0]:
                plain_decades(axes.xaxis, narrow=places[-1] < 30 * places[0])
        if self.share:
            share_axis(axes)


def curves(axes: Any, rows: Sequence[Row], x: str, y: str, factor: float = 1.0) -> None:
    """A curve an arm, seeds together, with bars where there are intervals."""
    named = grouped([row for row in rows if row.get(y) is not None and row.get(x) is not None], "arm")
    for index, (name, of) in enumerate(named.items()):
        points = sorted(_together(of, (x,), y), key=lambda row: row[x])
        values = factor * np.array([point[y] for point in points])
        ends = factor * np.array(
            [[point.get(f"{y}{end}", point[y]) for point in points] for end in ("_low", "_high")]
        )
        lengths = np.maximum(np.abs(ends - values), 0.0)
        # Bars of one angle would hide each other.
        aside = APART * (index - (len(named) - 1) / 2) if x == "angle_deg" and lengths.any() else 0.0
        places = [point[x] + aside for point in points]
        axes.errorbar(
            places, values, lengths, elinewidth=0.9, capsize=2, markersize=5.5, label=name, **style_of(name)
        )


def _together(rows: Sequence[Row], places: Sequence[str], y: str) -> list[Row]:
    """Rows of one arm with seeds as one: what a picture does not show must not keep them apart."""
    shown = ("seed", *places, y, f"{y}_low", f"{y}_high", "successes", "episodes")
    reduced = [{name: row[name] for name in shown if name in row} for row in rows]
    return summarised(reduced, [y, "successes", "episodes"])


def panels(rows: Sequence[Row], shown: Sequence[Panel]) -> Figure | None:
    """Panels side by side."""
    if not rows:
        return None
    figure, axes = new_figure(len(shown))
    for panel, place in zip(shown, axes, strict=True):
        panel.draw(place, rows)
    legend_below(figure)
    return figure


def orbit_figure(
    rows: Sequence[Row], shown: Sequence[Panel], half_width: float | None, circle: bool = False
) -> Figure | None:
    """Panels over the angle of elements; orbits in space besides over the sphere of axes.

    Args:
        rows: with the coordinates of elements.
        shown: the last one is drawn over the sphere, and, if `circle`, over the circle in the plane.
        half_width: of the trained slice [deg].
        circle: whether the last panel of an orbit in the plane is a circle.
    """
    if not rows:
        return None
    arms = grouped(rows, "arm")
    space = any(row.get("axis_x") is not None for row in rows)
    projections: list[str | None] = [None] * len(shown)
    if circle and not space:
        projections[-1] = "polar"
    spheres = list(arms.items())[:_SPHERES] if space else []
    below = bool(spheres) and len(shown) > len(spheres)  # else the figure would be too wide to read
    columns, lines = (len(shown), 2) if below else (len(shown) + len(spheres), 1)
    figure, axes = new_figure(
        columns, lines, width=4.8, projections=[*projections, *(["sphere"] * len(spheres))]
    )
    for place in axes[len(shown) + len(spheres) :]:
        figure.delaxes(place)
    for panel, place, kind in zip(shown, axes, projections, strict=False):
        if kind == "polar":
            _circle(place, arms, panel, half_width)
        else:
            panel.draw(place, rows, half_width)
    known = [row[shown[-1].y] for _, of in spheres for row in of if row.get(shown[-1].y)]
    for (arm, of), place in zip(spheres, axes[len(shown) :], strict=False):
        _sphere(place, arm, of, shown[-1], (min(known), max(known)) if known else None)
    legend_below(figure)
    return figure


def _circle(axes: Any, arms: dict[str, list[Row]], panel: Panel, half_width: float | None) -> None:
    named = {}
    for arm, of in arms.items():
        known = _together([row for row in of if row.get(panel.y)], ("angle_deg",), panel.y)
        if known:
            named[arm] = ([row["angle_deg"] for row in known], [row[panel.y] for row in known])
    draw_orbit_on_circle(axes, named, half_width)
    axes.set_title(panel.title, fontsize=11, pad=14)


def _sphere(axes: Any, arm: str, rows: Sequence[Row], panel: Panel, span: tuple[float, float] | None) -> None:
    """One arm over the sphere of axes; all arms have one scale of colours."""
    pooled = _together(rows, ("angle_deg", *_AXIS), panel.y)
    known = [row for row in pooled if row.get(panel.y) is not None]
    vectors = [
        np.radians(row["angle_deg"]) * np.array([row.get(name) or 0.0 for name in _AXIS]) for row in known
    ]
    values = [row[panel.y] for row in known]
    draw_orbit_on_sphere(axes, vectors, values, log="y" in panel.log, unit=panel.title, span=span)
    axes.set_title(f"{arm}, by axis and angle", fontsize=11, pad=14)
