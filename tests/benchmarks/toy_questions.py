"""Questions that are answered by a formula, one in the plane and one in space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure, share
from equiworld.benchmarks.suite.style import (
    angle_axis,
    draw_orbit_on_circle,
    draw_orbit_on_sphere,
    legend_below,
    new_figure,
    share_axis,
    style_of,
)

ANGLES = tuple(range(0, 360, 45))
ERRORS = {"equivariant": 0.002, "augmented": 0.008, "plain": 0.004}


@dataclass(frozen=True)
class Turned(Question):
    """How an error grows as a world turns.

    Attributes:
        episodes: at each angle.
        angles: how many angles.
    """

    episodes: int = 20
    angles: int = 8

    name: ClassVar[str] = "turned"
    title: ClassVar[str] = "Does it know a turned world?"
    worlds: ClassVar = ("pusht",)
    arms: ClassVar = tuple(ERRORS)
    seeds: ClassVar[int] = 3
    measures: ClassVar = {
        "relative_error": Measure(
            "1", "Σ|prediction − next|² / Σ|next − state|²; 1 predicts no motion", log=True
        ),
        "success": Measure("1", "share of episodes that end at the goal"),
        "successes": Measure("1", "how many did"),
        "episodes": Measure("1", "of how many"),
        "deviation": Measure("px", "largest distance from the turned path", log=True),
        "note": Measure("", "what was seen"),
    }
    small: ClassVar = {"episodes": 4, "angles": 2}

    def points(self, world, arm):
        return [{"angle": angle} for angle in ANGLES[: self.angles]]

    def measure(self, cell, store):
        rng = np.random.default_rng([cell.seed, cell.point["angle"]])
        turned = np.sin(np.radians(cell.point["angle"] / 2)) ** 2 if cell.arm == "plain" else 0.0
        error = float(ERRORS[cell.arm] * rng.uniform(0.9, 1.1) + turned)
        count = int(rng.binomial(self.episodes, 0.97 - 0.9 * turned))
        deviation = 1e-12 if cell.arm == "equivariant" else 100 * error
        return [
            {
                "relative_error": error,
                **share("success", count, self.episodes),
                "deviation": deviation,
                "note": "well",
            }
        ]

    def figure(self, rows):
        figure, (circle, straight) = new_figure(2, projections=("polar",))
        arms = list(dict.fromkeys(row["arm"] for row in rows))
        by_arm = {arm: [row for row in rows if row["arm"] == arm and row["seed"] == 0] for arm in arms}
        draw_orbit_on_circle(
            circle,
            {a: ([r["angle"] for r in of], [r["relative_error"] for r in of]) for a, of in by_arm.items()},
            30,
        )
        circle.set_title("one-step error (relMSE)")
        for arm, of in by_arm.items():
            straight.plot(
                [r["angle"] for r in of], [100 * r["success"] for r in of], label=arm, **style_of(arm)
            )
        angle_axis(straight, 30, last=360)
        share_axis(straight)
        straight.set_title("tasks solved")
        legend_below(figure)
        return figure


@dataclass(frozen=True)
class InSpace(Question):
    """How far a closed loop comes apart at elements in space.

    Attributes:
        elements: how many.
    """

    elements: int = 20

    name: ClassVar[str] = "in-space"
    title: ClassVar[str] = "Is the closed loop the same everywhere in space?"
    worlds: ClassVar = ("cloudpush",)
    arms: ClassVar = ("CEM",)
    coordinates: ClassVar = ("element",)
    measures: ClassVar = {
        "deviation": Measure("m", "largest distance from the carried path", log=True),
        **{
            f"axis_{name}": Measure("rad", f"component along {name} of the rotation vector") for name in "xyz"
        },
    }
    timed: ClassVar[bool] = True

    def measure(self, cell, store):
        rng = np.random.default_rng(cell.seed)
        vectors = rng.normal(size=(self.elements, 3))
        return [
            {
                "element": i,
                "deviation": float(10 ** rng.uniform(-13, -11)),
                **{f"axis_{n}": float(x) for n, x in zip("xyz", v, strict=True)},
            }
            for i, v in enumerate(vectors)
        ]

    def figure(self, rows):
        figure, (axes,) = new_figure(1, width=7, height=3.8, projections=("sphere",))
        vectors = [[row[f"axis_{name}"] for name in "xyz"] for row in rows]
        draw_orbit_on_sphere(
            axes, vectors, [row["deviation"] for row in rows], unit="deviation [m]", log=True
        )
        return figure


@dataclass(frozen=True)
class Unpicturable(InSpace):
    """Its figure fails."""

    name: ClassVar[str] = "unpicturable"
    title: ClassVar[str] = "A question whose figure fails"

    def figure(self, rows):
        raise ValueError("no <ink>")


TOYS = {kind.name: f"toy_questions:{kind.__name__}" for kind in (Turned, InSpace, Unpicturable)}
