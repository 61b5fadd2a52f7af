"""What the alternatives to exactness buy: errors and success where a model was trained, and over the orbit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from equiworld.benchmarks.arms import ARMS
from equiworld.benchmarks.questions.one_step import residual
from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.arm import Arm
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, panels
from equiworld.benchmarks.suite.question import Plan
from equiworld.benchmarks.suite.rows import Measure, Row, share_of
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.trained import chosen, data_of
from equiworld.benchmarks.worlds.loops import TASKS_SOLVED, run_orbit, tasks_solved
from equiworld.benchmarks.worlds.world import World
from equiworld.groups import GroupElement
from equiworld.models import WorldModel
from equiworld.training import Dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Augmentation", "InSliceOrTurned", "OverOrbit", "PostHoc", "Scaling", "Softness"]

_RATIO = "worst one-step error / seen"
_WORST = "one-step error (relMSE), worst"
_SOLVED = "turned tasks solved (95 %)"


@dataclass(frozen=True)
class OverOrbit(TrainedQuestion):
    """Arms of which one property is varied: one row a value, all with the same data, test data, tasks and tuning.

    A subclass says which property, by the name of a field of `Arm` or of a setting of its model; which arms have it,
    the others being there to compare with; and what is drawn against it.

    Attributes:
        values: of the property that is varied.
        orbit: elements of it, the identity first.
        elements: random ones, shifts and mirrors included, for the residual of encode and predict.
        tested: transitions of the slice, at most, that errors are of.
        tasks: of the slice, each begun unturned and at one of the elements, which take turns.
        task_steps: environment steps in a task, at most.
    """

    values: tuple[float, ...] = ()
    orbit: int = 16
    elements: int = 32
    tested: int = 20_000
    tasks: int = 100
    task_steps: int = 300

    dial: ClassVar[str]
    varied: ClassVar[tuple[str, ...]]
    drawn: ClassVar[tuple[Panel, ...]] = ()
    worlds: ClassVar[tuple[str, ...]] = ("pusht",)
    seeds: ClassVar[int] = 5
    choosing: ClassVar[tuple[str, ...]] = (*TrainedQuestion.choosing, "values")
    measures: ClassVar[dict[str, Measure]] = {
        "success": Measure("1", "share of tasks solved where they begin and end within the slice"),
        "success_turned": Measure("1", "the same tasks, each turned by one element of the orbit"),
        "episodes": Measure("1", "tasks"),
        "tasks_solved": TASKS_SOLVED,
        "lost": Measure("1", "tasks solved unturned and not turned"),
        "gained": Measure("1", "tasks solved turned and not unturned"),
        "deviation_median": Measure(
            "px|m", "largest distance of a turned path from g·(the unturned one), median", log=True
        ),
        "deviation_max": Measure("px|m", "the same, largest", log=True),
        "relative_error": Measure("1", "one-step relMSE on test data of the slice", log=True),
        "relative_error_worst": Measure("1", "the same on the worst element's turn of that data", log=True),
        "ratio": Measure("1", "OOD factor: the worst over that of the slice", log=True),
        "error_rms": Measure("px|m", "root of the mean square distance of a point, in the slice", log=True),
        "error_rms_worst": Measure("px|m", "the same on the worst element's turn", log=True),
        "residual_float64": Measure(
            "1", "largest |F(g·s, g·a) − g·F(s, a)| of the largest number of g·F(s, a)", log=True
        ),
        "residual_float32": Measure("1", "the same in float32", log=True),
        "free_share": Measure(
            "1",
            "mean square of a soft model's free path over that of its displacements, in the slice",
            log=True,
        ),
        "free_share_turned": Measure("1", "the same, mean over the orbit", log=True),
        "parameters": Measure("1", "numbers that are trained", log=True),
        "chosen": Measure("", "optimiser steps before they are multiplied, learning rate, weight decay"),
    }
    small: ClassVar[dict[str, Any]] = {"orbit": 3, "elements": 2, "tested": 200, "tasks": 2, "task_steps": 15}

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """The values, of an arm that is varied."""
        return [{self.dial: value} for value in self.values] if arm in self.varied else [{}]

    def arm_at(self, cell: Cell) -> Arm:
        """With the cell's value."""
        arm = super().arm_at(cell)
        return arm.varied(self.dial, cell.point[self.dial]) if cell.point else arm

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """One row."""
        world, model = self.world(cell.world), self.model(cell, store)
        scale, orbit = self.scale_in(world), world.orbit(self.orbit, cell.seed)
        test = data_of(store, world, "slice", "test", scale).select(slice(0, self.tested))
        row = self._loops(cell, world, model, orbit) | _errors(world, model, test, orbit)
        elements = world.elements(self.elements, cell.seed)
        for dtype in (torch.float64, torch.float32):
            name = f"residual_{str(dtype).removeprefix('torch.')}"
            row[name] = residual(world, model, test, elements, dtype)[0]
        row["parameters"] = model.parameter_count
        return [row | {"chosen": chosen(store, world, self.arm_at(cell), scale).in_words()}]

    def _loops(self, cell: Cell, world: World, model: WorldModel, orbit: Sequence[GroupElement]) -> Row:
        """Each task unturned and at one element, in one batch."""
        half_width, turns = self.scale_in(world).half_width, orbit[1:]
        starts, policy = world.starts(self.tasks, half_width, cell.seed), self.policy(cell, model)
        steps = next(iter(world.trials.values())).limited(self.task_steps) or self.task_steps
        loops = [
            run_orbit(policy, world, some, [orbit[0], g], steps, world.loop_arguments(half_width))
            for g, some in ((g, starts[first :: len(turns)]) for first, g in enumerate(turns))
            if some
        ]
        here, there = ([*chain(*each)] for each in zip(*(loop.ends() for loop in loops), strict=True))
        deviations = np.concatenate([loop.deviations()[1] for loop in loops])
        row: Row = {
            "deviation_median": float(np.median(deviations)),
            "deviation_max": float(deviations.max()),
            "tasks_solved": tasks_solved(here),
        }
        for name, ends in (("success_turned", there), ("success", here)):
            found = share_of("success", ends)
            row |= {key.replace("success", name): found[key] for key in found if key != "successes"}
        solved = [[bool(end.get("success")) for end in ends] for ends in (here, there)]
        pairs = [*zip(*solved, strict=True)]
        return row | {"lost": pairs.count((True, False)), "gained": pairs.count((False, True))}

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """What the subclass draws; arms that are not varied are lines across."""
        across = [{**row, self.dial: value} for row in rows if self.dial not in row for value in self.values]
        shown = [row for row in rows if self.dial in row] + across
        return panels(shown, self.drawn) if self.drawn else None


def _errors(world: World, model: WorldModel, test: Dataset, orbit: Sequence[GroupElement]) -> Row:
    """Of one step, on test data as it is and turned, and how much of it a free path gives."""
    found = [next(iter(world.errors(model, test, g).values())) for g in (None, *orbit[1:])]
    row: Row = {"relative_error": found[0].relative, "error_rms": found[0].rms}
    relative = [each.relative for each in found if each.relative is not None]
    if len(relative) == len(found):  # else nothing moves
        row |= {
            "relative_error_worst": max(relative),
            "error_rms_worst": max(each.rms or 0.0 for each in found),
        }
        row["ratio"] = max(relative) / relative[0] if relative[0] else None
    if hasattr(model.dynamics.network, "free"):
        shares = [_free_share(model, test.transform(g)) for g in orbit]
        row |= {"free_share": shares[0], "free_share_turned": float(np.mean(shares[1:]))}  # type: ignore[arg-type]
    return row


def _free_share(model: WorldModel, data: Dataset) -> float | None:
    state, action, _ = data.features(model.dtype)
    return model.dynamics.free_share(model.encode_features(state), action)


@dataclass(frozen=True)
class Augmentation(OverOrbit):
    """Training batches turned by fresh elements, for 1, 4 and 16 times as many steps of the optimiser.

    Attributes:
        values: what the steps are multiplied by.
    """

    values: tuple[float, ...] = (1, 4, 16)

    name: ClassVar[str] = "augmentation"
    title: ClassVar[str] = "Does longer training make augmentation exact?"
    arms: ClassVar[tuple[str, ...]] = ("equivariant", "steerable", "centred", "augmented")
    dial: ClassVar[str] = "compute"
    varied: ClassVar[tuple[str, ...]] = ("augmented",)
    small: ClassVar[dict[str, Any]] = {**OverOrbit.small, "values": (1, 2)}
    drawn: ClassVar[tuple[Panel, ...]] = (
        Panel(_RATIO, "compute", "ratio", "steps, multiplied", log="xy"),
        Panel("residual, float64", "compute", "residual_float64", "steps, multiplied", log="xy"),
        Panel(_WORST, "compute", "relative_error_worst", "steps, multiplied", log="xy"),
    )


@dataclass(frozen=True)
class Scaling(OverOrbit):
    """Perceptrons of 1 to 16 times the width, which is up to 256 times the parameters between hidden layers.

    Attributes:
        values: what the width is multiplied by.
        width: of hidden layers, before.
    """

    values: tuple[float, ...] = (1, 2, 4, 8, 16)
    width: int | None = 32

    name: ClassVar[str] = "scale"
    title: ClassVar[str] = "Do more parameters carry a plain model over to other orientations?"
    arms: ClassVar[tuple[str, ...]] = ("equivariant", "plain", "centred", "augmented")
    dial: ClassVar[str] = "grow"
    varied: ClassVar[tuple[str, ...]] = arms
    small: ClassVar[dict[str, Any]] = {**OverOrbit.small, "values": (1, 2)}
    drawn: ClassVar[tuple[Panel, ...]] = (
        Panel(_RATIO, "parameters", "ratio", "parameters", log="xy"),
        Panel(_WORST, "parameters", "relative_error_worst", "parameters", log="xy"),
        Panel(_SOLVED, "parameters", "success_turned", "parameters", share=True, log="x"),
    )


@dataclass(frozen=True)
class Softness(OverOrbit):
    """A free path beside the exact one, and how much of the displacements it gives, by what its use costs.

    Attributes:
        values: weights of the free path's mean square in the loss.
    """

    values: tuple[float, ...] = (1e-3, 1e-2, 1e-1, 1.0, 10.0)

    name: ClassVar[str] = "soft"
    title: ClassVar[str] = "What is left of a symmetry that is only preferred?"
    arms: ClassVar[tuple[str, ...]] = ("equivariant", "centred", "soft")
    dial: ClassVar[str] = "penalty"
    varied: ClassVar[tuple[str, ...]] = ("soft",)
    small: ClassVar[dict[str, Any]] = {**OverOrbit.small, "values": (1e-2, 1.0)}
    drawn: ClassVar[tuple[Panel, ...]] = (
        Panel(_RATIO, "penalty", "ratio", "penalty", log="xy"),
        Panel("share of the free path, in the slice", "penalty", "free_share", "penalty", log="xy"),
        Panel(_SOLVED, "penalty", "success_turned", "penalty", share=True, log="x"),
    )


@dataclass(frozen=True)
class PostHoc(OverOrbit):
    """Trained plain models, averaged over 1 to 32 elements of the group; their weights are as they were.

    Attributes:
        values: elements that are averaged over.
        tasks: of each seed; fewer than elsewhere, for a decision takes as many times as long.
    """

    values: tuple[float, ...] = (1, 4, 8, 16, 32)
    tasks: int = 20

    name: ClassVar[str] = "post-hoc"
    title: ClassVar[str] = "Does an average over the group, after training, make a plain model equivariant?"
    arms: ClassVar[tuple[str, ...]] = ("equivariant", "plain", "centred", "augmented")
    dial: ClassVar[str] = "averaged"
    varied: ClassVar[tuple[str, ...]] = ("plain", "centred", "augmented")
    small: ClassVar[dict[str, Any]] = {**OverOrbit.small, "values": (1, 8)}
    drawn: ClassVar[tuple[Panel, ...]] = (
        Panel(_WORST, "averaged", "relative_error_worst", "elements", log="xy"),
        Panel("residual, float64", "averaged", "residual_float64", "elements", log="xy"),
        Panel(_SOLVED, "averaged", "success_turned", "elements", share=True, log="x"),
    )


@dataclass(frozen=True)
class InSliceOrTurned(OverOrbit):
    """Every arm, its policy as it is and behind the door: the same tasks as they are and turned.

    Attributes:
        values: whether policies decide behind the door.
    """

    values: tuple[bool, ...] = (False, True)

    name: ClassVar[str] = "in-slice-or-turned"
    title: ClassVar[str] = "Who solves tasks where it was trained, and who solves them turned?"
    worlds: ClassVar[tuple[str, ...]] = ("pusht", "cloudpush")
    arms: ClassVar[tuple[str, ...]] = tuple(ARMS)
    dial: ClassVar[str] = "door"
    varied: ClassVar[tuple[str, ...]] = arms

    def cells(self, plan: Plan) -> list[Cell]:
        """As for every question; in the small version of a few arms in the plane, unless others are named."""
        if self.scale == "small":
            plan = replace(plan, worlds=plan.worlds or ("pusht",), arms=plan.arms or ("plain", "averaged"))
        return super().cells(plan)
