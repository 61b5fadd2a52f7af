"""How everything is drawn: one palette for all figures, told apart without colour and in grey."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from equiworld.verify.drawing import draw_orbit_on_sphere, sphere_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "SHADE",
    "angle_axis",
    "draw_orbit_on_circle",
    "draw_orbit_on_sphere",
    "legend_below",
    "new_figure",
    "plain_decades",
    "plain_frame",
    "plain_ticks",
    "png_bytes",
    "share_axis",
    "sphere_axes",
    "style_of",
]

SHADE = "#F0E442"
"""Of the trained slice: the yellow of the palette, too light for a line."""

# Okabe and Ito's palette.
_BLACK, _ORANGE, _SKY, _GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
_BLUE, _RED, _PINK = "#0072B2", "#D55E00", "#CC79A7"

_STYLES: dict[str, tuple[str, str, Any]] = {
    # what is compared: models and families
    "equivariant": (_BLUE, "o", "-"),
    "steerable": (_SKY, "P", (0, (5, 1))),
    "plain": (_RED, "s", "--"),
    "plain, all data": (_RED, "<", (0, (9, 2))),
    "centred": (_PINK, "D", "-."),
    "augmented": (_GREEN, "^", ":"),
    "plain latent": (_RED, "D", ":"),
    "small": (_ORANGE, "v", (0, (3, 1, 1, 1))),
    "large": (_BLACK, "X", (0, (7, 2))),
    "soft": (_ORANGE, "h", (0, (1, 1))),
    # the networks of arXiv 2606.03003
    "vector neurons": (_PINK, "p", (0, (9, 2))),
    "perceptron": (_RED, "s", "--"),
    # what to do about a broken symmetry
    "ignore it": (_BLUE, "o", "-"),
    "subgroup": (_SKY, "P", (0, (5, 1))),
    "context": (_PINK, "D", "-."),
    "cost": (_BLACK, "X", (0, (7, 2))),
    # policies of stable-baselines3
    "canonical": (_BLUE, "o", "-"),
    "mirror loss": (_ORANGE, "v", (0, (3, 1, 1, 1))),
    "symmetrised": (_PINK, "p", "-."),
    # eyes
    "true": (_BLACK, "o", "-"),
    "ICP": (_ORANGE, "s", "--"),
    "pose net": (_PINK, "^", "-."),
    "learned": (_SKY, "P", (0, (5, 1))),
    "latent": (_BLUE, "D", ":"),
    # planners
    "CEM": (_BLUE, "o", "-"),
    "ICEM": (_RED, "s", "--"),
    "MPPI": (_GREEN, "v", ":"),
    "RandomShooting": (_PINK, "^", "-."),
    "GradientPlanner": (_ORANGE, "D", (0, (5, 1))),
    # those of other libraries
    "stable-worldmodel CEM": ("0.25", "P", "--"),
    "stable-worldmodel iCEM": ("0.40", "X", ":"),
    "stable-worldmodel MPPI": ("0.55", ">", "-."),
    "pytorch_mppi": ("0.30", "<", (0, (5, 1))),
    "pytorch_icem": ("0.45", "*", (0, (1, 1))),
    "torchrl CEM": ("0.60", "h", (0, (3, 1, 1, 1, 1, 1))),
    "torchrl MPPI": ("0.70", "d", (0, (5, 5))),
    "e3nn": ("0.45", "*", (0, (1, 1))),
}
_SAME = {"state": "equivariant", "state-steerable": "steerable", "mlp": "plain", "mlp-centred": "centred"}
_PEERS = ("stable-worldmodel", "pytorch_", "torchrl", "stable-baselines3")
_SPARE_COLOURS = (_SKY, _PINK, _ORANGE, _BLACK, _GREEN, _RED, _BLUE)
_SPARE_MARKERS = ("<", ">", "p", "H", "*", "d", "8")
_SPARE_DASHES: tuple[Any, ...] = (
    (0, (9, 2)),
    (0, (2, 1)),
    (0, (6, 1, 1, 1)),
    (0, (4, 1, 1, 1, 1, 1)),
    (0, (3, 3)),
)


def style_of(name: str) -> dict[str, Any]:
    """Colour, marker and dash of an arm, always the same ones; of a name not known here, spare ones.

    What follows a comma in a name varies an arm: it keeps the colour.

    >>> style_of("plain")
    {'color': '#D55E00', 'marker': 's', 'linestyle': '--'}
    >>> style_of("plain, all data")["color"] == style_of("plain")["color"]
    True
    """
    name = _SAME.get(name, name)
    if name in _STYLES:
        colour, marker, dash = _STYLES[name]
    else:
        digits, head = zlib.crc32(name.encode()), name.partition(",")[0]
        digits, index = divmod(digits, len(_SPARE_COLOURS))
        grey = f"{0.3 + 0.05 * index:.2f}" if name.startswith(_PEERS) else _SPARE_COLOURS[index]
        colour = style_of(head)["color"] if head != name else grey
        digits, index = divmod(digits, len(_SPARE_MARKERS))
        marker, dash = _SPARE_MARKERS[index], _SPARE_DASHES[digits % len(_SPARE_DASHES)]
    return {"color": colour, "marker": marker, "linestyle": dash}


def new_figure(
    columns: int,
    rows: int = 1,
    *,
    width: float = 4.6,
    height: float = 4.2,
    projections: Sequence[str | None] = (),
) -> tuple[Figure, list[Any]]:
    """A figure and its axes, row by row, with a canvas of its own: no window, and no figure of the caller's.

    Args:
        columns: of axes.
        rows: of axes.
        width: of one [in].
        height: of one [in].
        projections: of the first axes: "polar", "sphere" for the directions in space, None for straight ones.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)
    figure = Figure(figsize=(width * columns, height * rows), layout=layout)
    FigureCanvasAgg(figure)
    axes = []
    for index in range(rows * columns):
        projection = projections[index] if index < len(projections) else None
        place = (rows, columns, index + 1)
        if projection == "sphere":
            axes.append(sphere_axes(figure, *place))
        else:
            axes.append(figure.add_subplot(*place, projection=projection))
        if projection is None:
            plain_frame(axes[-1])
    return figure, axes


def plain_frame(axes: Any) -> None:
    """A light grid, and no lines above and to the right."""
    axes.grid(alpha=0.4)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=10)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def plain_decades(axis: Any, narrow: bool = False) -> None:
    """0.01, 0.1, 1 rather than powers of ten, on a logarithmic `axes.xaxis` or `.yaxis`; of a narrow one more."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if narrow:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0, 7.0)))

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def plain_ticks(axis: Any, values: Sequence[float]) -> None:
    """The values themselves at an `axes.xaxis` or `.yaxis`, and nothing between."""
    ticks = sorted(set(values))
    axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_ticks([], minor=True)


def share_axis(axes: Any) -> None:
    """The upright axis of shares that are drawn in percent."""
    axes.set_ylim(-6, 106)
    axes.set_yticks(np.arange(0, 101, 25), [f"{share} %" for share in range(0, 101, 25)])


def angle_axis(axes: Any, half_width: float | None = None, *, last: int = 180) -> None:
    """The straight axis of angles [deg] from 0 to `last`, with the trained slice of ±`half_width` shaded."""
    margin = last / 30
    for middle in (0, 360):
        low, high = (middle + sign * (half_width or 0.0) for sign in (-1, 1))
        if half_width is not None and low < last:
            axes.axvspan(max(low, -margin), min(high, last + margin), color=SHADE, alpha=0.45, linewidth=0)
    axes.set_xlim(-margin, last + margin)
    axes.set_xticks(np.arange(0, last + 1, 45), [f"{angle}°" for angle in range(0, last + 1, 45)])
    axes.set_xlabel("angle by which the world is turned", fontsize=11)


def draw_orbit_on_circle(
    axes: Any, arms: Mapping[str, tuple[ArrayLike, ArrayLike]], half_width: float | None = None
) -> None:
    """Numbers over the angle of elements in the plane, outwards by their logarithm, a curve an arm; 0 is the centre.

    Args:
        axes: with the projection "polar".
        arms: angles [deg] and numbers by name.
        half_width: of the trained slice [deg], shaded.
    """
    numbers = np.concatenate([np.asarray(values, float) for _, values in arms.values()])
    numbers = numbers[numbers > 0] if (numbers > 0).any() else np.ones(1)
    low, high = np.floor(np.log10(numbers.min())) - 0.5, np.log10(numbers.max()) + 0.25
    if half_width is not None:
        axes.bar(0.0, high - low, 2 * np.radians(half_width), color=SHADE, alpha=0.45, linewidth=0)
    for name, (angles, values) in arms.items():
        order = np.argsort(np.asarray(angles, float) % 360)
        closed = np.append(order, order[0])
        # The logarithm is taken here: matplotlib's logarithmic radius draws its ticks over the data.
        radii = np.log10(np.maximum(np.asarray(values, float)[closed], 10.0**low)) - low
        axes.plot(
            np.radians(np.asarray(angles, float)[closed]), radii, markersize=5, label=name, **style_of(name)
        )
    powers = np.arange(np.ceil(low), np.floor(high) + 1)
    axes.set_rlim(0.0, high - low)
    axes.set_rticks(powers - low, [])
    back = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "boxstyle": "round,pad=0.1"}
    for power in powers:  # above the curves, and between two angles that are likely to be measured
        place = (np.radians(101.25), power - low)
        axes.text(*place, f"{10.0**power:g}", fontsize=9, ha="center", va="center", bbox=back, zorder=9)
    axes.set_thetagrids(np.arange(0, 360, 45), fontsize=11)
    axes.grid(alpha=0.4)


def legend_below(figure: Figure, *, columns: int | None = None) -> None:
    """One legend for all axes, each name once; in as many columns as there is room for, at most 4."""
    if columns is None:
        columns = min(4, max(1, int(figure.get_figwidth() // 2.3)))  # [inch]
    found: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        found |= {label: handle for label, handle in zip(labels, handles, strict=True) if label not in found}
    if found:
        place: dict[str, Any] = {"loc": "outside lower center", "ncols": min(columns, len(found))}
        figure.legend([*found.values()], [*found], frameon=False, fontsize=10, **place)


def png_bytes(figure: Figure, *, dpi: int = 130) -> bytes:
    """A figure as a PNG file, equal for equal figures."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()
