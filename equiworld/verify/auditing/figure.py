"""The figure of an audit: how far each subgroup deviates, and where."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from equiworld.verify.check.pairs import EXACT
from equiworld.verify.check.report import shortened
from equiworld.verify.drawing import draw_to

__all__ = ["draw"]

_SMALLEST = 1e-17  # where an exact zero is drawn on a logarithmic axis
_COLOURS = {
    "exact": "#0b5fa5",
    "to the solver's tolerance": "#6ba4d8",
    "in law": "#5b8c5a",
    "broken": "#d1660a",
    "untested": "0.75",
}
_MOST, _LONGEST = 24, 34  # bars; letters of a name


def draw(path: str | os.PathLike[str], audit: Any) -> Path:
    """Draw it to a file, whole or not at all; the suffix of `path` says the format."""
    rows = list(audit.subgroups[:_MOST])

    def fill(figure: Any) -> None:
        figure.suptitle(f"{audit.env}: largest that holds, {' and '.join(audit.largest) or 'none'}")
        columns = figure.add_gridspec(1, 2, width_ratios=(2.2, 1))
        _draw_subgroups(figure.add_subplot(columns[0]), audit, rows)
        _draw_regions(figure.add_subplot(columns[1]), audit)

    return draw_to(path, (11, 2.2 + 0.24 * len(rows)), fill)


def _draw_subgroups(axes: Any, audit: Any, rows: Any) -> None:
    """The largest deviation of each over the horizon, and after one step."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    places = range(len(rows), 0, -1)
    for place, each in zip(places, rows, strict=True):
        colour = _COLOURS[each.holds]
        axes.barh(place, max(each.horizon, _SMALLEST), left=0, height=0.7, color=colour)
        axes.plot(max(each.one_step, _SMALLEST), place, "|", color="0.1", markersize=9)
    axes.set_xscale("log")
    axes.set_xlim(_SMALLEST, 10.0)
    axes.set_yticks(list(places), [shortened(each.name, _LONGEST) for each in rows], fontsize=8)
    axes.set_xlabel("largest deviation, relative")
    for at, words in ((EXACT, "rounding"), (audit.config["tolerance"], "tolerance")):
        axes.axvline(at, color="0.4", linewidth=0.8, linestyle=":")
        axes.text(at, len(rows) + 0.75, words, fontsize=8, color="0.35", ha="right", va="bottom", rotation=0)
    known = dict.fromkeys(each.holds for each in rows)
    handles: list[Any] = [Patch(color=_COLOURS[each], label=each) for each in known]
    handles.append(
        Line2D([], [], marker="|", linestyle="", color="0.1", markersize=9, label="after one step")
    )
    axes.legend(
        handles=handles, fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=4
    )


def _draw_regions(axes: Any, audit: Any) -> None:
    """The share of runs that break all of the group, by where they went."""
    names = [each.region for each in audit.regions]
    shares = [100.0 * each.broken / each.runs for each in audit.regions]
    places = range(len(names), 0, -1)
    axes.barh(list(places), shares, height=0.5, color=_COLOURS["broken"])
    for place, each in zip(places, audit.regions, strict=True):
        axes.text(101, place, f"{each.broken}/{each.runs}", fontsize=8, va="center")
    axes.set_yticks(list(places), names, fontsize=8)
    axes.set_xlim(0, 100)
    axes.set_xlabel("runs that deviate [%]")
    axes.set_ylim(0.4, max(len(names), 3) + 0.6)
