"""What others published, and what the rows of a store say to the same: arXiv 2606.03003, and peers of PushT's task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["CLAIMS", "Claim", "Figure"]

Row = Mapping[str, Any]
"""Of a store."""


@dataclass(frozen=True)
class Figure:
    """One number of an arm's rows of one seed.

    Attributes:
        column: it is of.
        pick: "at" for the first row that stands there; the "largest" or the "smallest" of all; or the "ratio" of the
            largest to that of the first row that stands there.
        where: that is, by column.

    >>> rows = [{"element": 1, "error": 3.0}, {"element": 0, "error": 2.0}]
    >>> [Figure("error", pick, {"element": 0})(rows) for pick in ("at", "largest", "smallest", "ratio")]
    [2.0, 3.0, 2.0, 1.5]
    """

    column: str
    pick: Literal["at", "largest", "smallest", "ratio"] = "at"
    where: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __call__(self, rows: Sequence[Row]) -> Any:
        """None where the rows do not say it."""
        values = [row[self.column] for row in rows if row.get(self.column) is not None]
        first = next((row.get(self.column) for row in rows if _stands(row, self.where)), None)
        if self.pick in ("largest", "smallest"):
            return (max if self.pick == "largest" else min)(values, default=None)
        return first if self.pick == "at" else max(values) / first if first else None


def _at(column: str, **where: Any) -> Figure:
    return Figure(column, "at", where)


@dataclass(frozen=True)
class Claim:
    """A published figure, and which rows say ours.

    Attributes:
        what: was measured.
        theirs: as published.
        question: whose rows say ours.
        figures: ours, by what a column is called.
        where: the rows that count, by column: a value, or a tuple of those that do.
        by: columns that tell our lines apart.
    """

    what: str
    theirs: str
    question: str
    figures: Mapping[str, Figure] = field(hash=False)
    where: Mapping[str, Any] = field(default_factory=dict, hash=False)
    by: tuple[str, ...] = ("arm",)

    def ours(self, rows: Iterable[Row]) -> list[dict[str, Any]]:
        """One row for each seed of an arm, or of whatever tells lines apart."""
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in rows:
            if _stands(row, self.where):
                groups.setdefault((*(row.get(name) for name in self.by), row["seed"]), []).append(row)
        return [
            dict(zip((*self.by, "seed"), key, strict=True))
            | {name: figure(group) for name, figure in self.figures.items()}
            for key, group in groups.items()
        ]


_LOOP: Mapping[str, Figure] = {
    "solved, unturned": _at("success", element=0),
    "solved at a seed's worst element": Figure("success", "smallest"),
    "largest deviation of a seed's paths [px|m]": Figure("deviation_max", "largest"),
}
_ORBIT: Mapping[str, Figure] = {
    "relMSE, unturned": _at("relative_error", element=0),
    "worst over unturned": Figure("relative_error", "ratio", {"element": 0}),
    "worst [px|m]": Figure("error_rms", "largest"),
}
_VARIED: Mapping[str, Figure] = {
    "relMSE, unturned": _at("relative_error"),
    "worst over unturned": _at("ratio"),
    "residual, float64": _at("residual_float64"),
    "solved, unturned": _at("success"),
    "solved, turned": _at("success_turned"),
}

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "residual after training with Muon, AdamW, Adam or SGD, an averaged target and VICReg",
        "3e-6 in the plane, 3e-5 in space (Muon 3.2e-6, Adam 1.6e-6, SGD 8.9e-7); perceptron .67 to 4",
        "residual",
        {"largest residual": Figure("residual", "largest"), "relMSE": Figure("relative_error", "largest")},
        {"when": "after"},
        ("world", "arm", "precision", "optimiser"),
    ),
    Claim(
        "one step, states of PushT, trained in 90°",
        "vector neurons 1.05e-2 everywhere, 3,360 numbers; perceptron 1.66e-2, worst × 16.2, 18,952 numbers",
        "published-step",
        {
            "their measure, unturned": _at("published_error", angle_deg=0.0),
            "worst over unturned": Figure("published_error", "ratio", {"angle_deg": 0.0}),
            "relMSE of corners, worst": Figure("relative_error", "largest"),
            "numbers": _at("parameters"),
        },
    ),
    Claim(
        "one step, states of PushT, on our data and in our measure",
        "their figure above is of another measure and of other data",
        "one-step",
        _ORBIT,
        {
            "world": "pusht",
            "part": "orbit",
            "region": "interior",
        },
    ),
    Claim(
        "one step, latents of states in the plane, each in its own latent",
        "vector neurons .256 everywhere, 37,000 numbers; perceptron worst × 13.8, 167,000",
        "latent-step",
        {
            "relMSE, unturned": _at("relative_error", element=0),
            "worst over unturned": Figure("relative_error", "ratio", {"element": 0}),
            "corners read from it, unturned [px]": _at("read_rms", element=0),
            "worst [px]": Figure("read_rms", "largest"),
            "effective rank": _at("rank_effective", part="model"),
            "numbers": _at("parameters", part="model"),
        },
    ),
    Claim(
        "one step, latents of clouds in space",
        "vector neurons .228 everywhere; perceptron worst × 17.2",
        "one-step",
        _ORBIT,
        {"world": "cloudpush", "part": "orbit"},
    ),
    Claim(
        "one step, test data shifted and turned in space",
        "perceptron on raw coordinates worst × 157",
        "one-step",
        {
            "relMSE, as it is": _at("relative_error", test="as it is"),
            "worst over as it is": Figure("relative_error", "ratio", {"test": "as it is"}),
        },
        {"world": "cloudpush", "part": "ladder"},
    ),
    Claim(
        "closed loop in the plane; here nobody is told g",
        "7.28° at every element, spread 4.9e-5°, the planner told g; perceptron × 1.18",
        "closed-loop",
        _LOOP,
        {"world": "pusht"},
    ),
    Claim(
        "closed loop in the plane, of planners that are told g, as there, and that are not",
        "as above",
        "told",
        _LOOP,
        {"world": "pusht", "way": "active"},
        ("arm", "told"),
    ),
    Claim(
        "closed loop in space; here nobody is told g",
        "25.2° to 25.9°, goals 30.7° away; ratio .989 (.977 to .999)",
        "closed-loop",
        {
            **_LOOP,
            "angle left, unturned [°]": _at("final_angle_deg", element=0),
            "angle left, worst [°]": Figure("final_angle_deg", "largest"),
        },
        {"world": "cloudpush"},
    ),
    Claim(
        "many steps",
        "up to 16: × 1.00, at most 2.3e-7; perceptron × 43 to 11",
        "rollout",
        {
            "error after 16 [px|m]": _at("error", horizon=16),
            "worst over unturned, less 1, after 16": _at("ratio_excess", horizon=16),
            "error after 32 [px|m]": _at("error", horizon=32),
            "the same after 32": _at("ratio_excess", horizon=32),
        },
        {"dtype": "float64"},
        ("world", "arm"),
    ),
    Claim(
        "augmented to the whole group",
        "worst over unturned 1.06 in the plane, 1.46 in space; residual 5e-2 to 8e-2",
        "augmentation",
        _VARIED,
        by=("arm", "compute"),
    ),
    Claim(
        "more parameters",
        "up to × 256 the ratio of perceptrons stays 21 to 106",
        "scale",
        {"numbers": _at("parameters"), **_VARIED},
        by=("arm", "grow"),
    ),
    Claim(
        "a symmetry that is preferred",
        "ratio 1.3 to 71, by penalty",
        "soft",
        {**_VARIED, "share of the free path": _at("free_share")},
        by=("arm", "penalty"),
    ),
    Claim(
        "dynamics that a force breaks",
        "force 0 to 1.6: equivariant .30 to .94 outside of the slice, perceptron 1.3 to 2.4",
        "broken-symmetry",
        {
            "relMSE in the slice": _at("relative_error"),
            "outside": _at("relative_outside"),
            "outside [px]": _at("error_rms_outside"),
        },
        {"broken": ("nothing", "gravity")},
        ("arm", "dose"),
    ),
    Claim(
        "transitions that success takes",
        "16 times fewer",
        "data-efficiency",
        {"solved": _at("success"), "relMSE": _at("relative_error")},
        by=("group", "transitions", "arm"),
    ),
    Claim(
        "dimension of the turns that a simulator alone tells",
        "so(3): 3; where it is broken, so(2): 1",
        "discovery",
        {
            "found": _at("turns"),
            "there": _at("turns_left"),
            "both dimensions right": _at("right"),
            "hidden": _at("hidden"),
        },
        by=("world", "arm", "dose"),
    ),
    Claim(
        "SIGReg's statistic over its floor, of valid laws",
        "standard × 44, by blocks × .99",
        "identifiability",
        {"median": _at("over_floor"), "largest": _at("over_floor_most")},
        {"arm": "statistic", "law": "valid"},
        ("by", "n"),
    ),
    Claim(
        "dimensions that an objective cannot see",
        "SO(3), 4 scalars and 6 vectors: 231, by blocks 159, with the group 21",
        "identifiability",
        {
            "whole": _at("whole_dimension"),
            "by blocks": _at("block_dimension"),
            "with the group": _at("gauge_dimension"),
        },
        {"arm": "gauge"},
        ("law",),
    ),
    Claim(
        "PushT by the peers' protocol",
        "LeWM 96 %, PLDM 78, DINO-WM 74, TD-MPC2 12 by its own predicate; CLEAR-LeWM 70.3 by the strict one: all from "
        "pixels and other data, which is another task",
        "peers-task",
        {
            **_LOOP,
            "ends differ away from walls": Figure("differing_clear", "largest"),
        },
        {"part": "elements"},
        ("world", "arm"),
    ),
)


def _stands(row: Row, where: Mapping[str, Any]) -> bool:
    return all(
        row.get(name) in value if isinstance(value, tuple) else row.get(name) == value
        for name, value in where.items()
    )
