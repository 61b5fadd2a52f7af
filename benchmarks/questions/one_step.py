"""How wrong is one predicted step, and is it as wrong at every orientation?"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from equiworld.benchmarks.arms import MAIN
from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, orbit_figure
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.trained import data_of
from equiworld.benchmarks.worlds.world import World
from equiworld.groups import GroupElement
from equiworld.models import WorldModel
from equiworld.training import Dataset
from equiworld.verify.elements import rotation_angle, rotation_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["OneStep", "element_coordinates", "residual"]

RESIDUAL_ROWS = 256  # transitions


@dataclass(frozen=True)
class OneStep(TrainedQuestion):
    """Test data, turned by each element of an orbit, predicted by one step in float64.

    Attributes:
        orbit: elements of it, the identity first.
        elements: random ones, shifts and mirrors included, for the residual of encode and predict.
    """

    orbit: int = 16
    elements: int = 32

    name: ClassVar[str] = "one-step"
    title: ClassVar[str] = "How wrong is one predicted step, and is it as wrong at every orientation?"
    worlds: ClassVar[tuple[str, ...]] = ("pusht", "cloudpush")
    arms: ClassVar[tuple[str, ...]] = MAIN
    coordinates: ClassVar[tuple[str, ...]] = (
        "part",
        "element",
        "angle_deg",
        "axis_x",
        "axis_y",
        "axis_z",
        "region",
        "test",
    )
    measures: ClassVar[dict[str, Measure]] = {
        "relative_error": Measure(
            "1", "Σ‖F(E(s), a) − E(s′)‖² / Σ‖E(s′) − E(s)‖², pooled; 1: no motion", log=True
        ),
        "error_rms": Measure(
            "px|m", "root of the mean square distance of a point from where it comes to be", log=True
        ),
        "residual_float64": Measure(
            "1",
            "largest |F(g·s, g·a) − g·F(s, a)| over the elements, of the largest number of g·F(s, a)",
            log=True,
        ),
        "residual_float32": Measure("1", "the same in float32", log=True),
        "residual_float64_length": Measure("px|m", "the same, not divided by anything", log=True),
        "residual_float32_length": Measure("px|m", "the same in float32", log=True),
        "parameters": Measure("1", "numbers that are trained"),
    }
    small: ClassVar[dict[str, Any]] = {"orbit": 4, "elements": 2}

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """Rows of the orbit, of the world's ladder, and one of the model itself."""
        world, model = self.world(cell.world), self.model(cell, store)
        scale, part = self.scale_in(world), self.arm_at(cell).part
        test = data_of(store, world, part, "test", scale)
        rows = []
        for index, g in enumerate(world.orbit(self.orbit, cell.seed)):
            where = {"part": "orbit", "element": index, **element_coordinates(g)}
            for region, errors in world.errors(model, test, g if index else None).items():
                rows.append(
                    {**where, "region": region, "relative_error": errors.relative, "error_rms": errors.rms}
                )
        for rung, elements in world.ladder(cell.seed).items():
            found = [next(iter(world.errors(model, test, g).values())) for g in elements]
            error, motion = (
                sum(float(getattr(one, name).sum()) for one in found) for name in ("error", "motion")
            )
            row: Row = {"part": "ladder", "test": rung, "relative_error": error / motion if motion else None}
            rows.append(
                row | {"error_rms": float(np.sqrt(np.mean([(one.rms or 0.0) ** 2 for one in found])))}
            )
        if part == "slice" and scale.half_width < 180:
            other = world.errors(model, data_of(store, world, "all", "test", scale))
            for region, errors in other.items():
                where = {"part": "all orientations", "region": region}
                rows.append({**where, "relative_error": errors.relative, "error_rms": errors.rms})
        return [*rows, self._model_row(world, model, test, cell.seed)]

    def _model_row(self, world: World, model: WorldModel, test: Dataset, seed: int) -> Row:
        elements, row = (
            world.elements(self.elements, seed),
            {"part": "model", "parameters": model.parameter_count},
        )
        for dtype in (torch.float64, torch.float32):
            relative, length = residual(world, model, test, elements, dtype)
            name = f"residual_{str(dtype).removeprefix('torch.')}"
            row |= {name: relative, f"{name}_length": length}
        return row

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """The error over the orbit, of the region where the symmetry holds."""
        orbit = [row for row in rows if row.get("part") == "orbit" and row.get("region") != "near walls"]
        panel = Panel("one-step error (relMSE)", "angle_deg", "relative_error", log="y")
        return orbit_figure(orbit, [panel], self.half_width_of(rows), circle=True)


def element_coordinates(g: GroupElement) -> dict[str, float]:
    """The angle by which an element turns [deg], from 0 to 360 in the plane, and in space its axis."""
    angle, axis = float(np.degrees(rotation_angle(g))), rotation_axis(g)
    if g.dim == 2:
        return {"angle_deg": round(angle % 360.0, 9) % 360.0}
    named = {} if axis is None else dict(zip(("axis_x", "axis_y", "axis_z"), axis.tolist(), strict=True))
    return {"angle_deg": angle, **named}


def residual(
    world: World, model: WorldModel, data: Dataset, elements: Sequence[GroupElement], dtype: torch.dtype
) -> tuple[float, float]:
    """How far encode and predict are from commuting with elements: relative to the largest number, and as it is.

    Observations are transformed as arrays, brought into another of their equal forms, and encoded again.
    """
    model = copy.deepcopy(model).to(dtype).eval()
    part, rng = data.select(slice(0, RESIDUAL_ROWS)), np.random.default_rng(0)
    relative, length = list[float](), list[float]()
    with torch.inference_mode():
        state, action, _ = part.features(dtype)
        reference = model.predict(model.encode_features(state), action)
        for g in elements:
            state, action, _ = world.shuffled(part, rng).transform(g).features(dtype)
            found = model.predict(model.encode_features(state), action).flatten()
            wanted = reference.transform(g).flatten()
            length.append(float((found - wanted).abs().max()))
            relative.append(length[-1] / float(wanted.abs().max()))
    return float(np.max(relative)), float(np.max(length))  # NaN stays, and is refused
