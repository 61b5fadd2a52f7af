"""How far are encode and predict from commuting with the group, before, during and after training?"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from equiworld.benchmarks.arms import arm_of
from equiworld.benchmarks.questions.one_step import residual
from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.arm import Arm
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, panels
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.trained import data_of, disjoint
from equiworld.benchmarks.worlds.world import World
from equiworld.models import WorldModel
from equiworld.models.families import recipe_of
from equiworld.training import Dataset, TrainingConfig, train
from equiworld.training.losses import VICReg
from equiworld.training.optimisers import OPTIMISERS
from equiworld.verify.prediction import prediction_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Residual", "latent_ranks"]

_LATENTS: Mapping[str, Arm] = {
    "latent": Arm({"state": "state-latent"}),
    "plain latent": Arm({"state": "state-latent-mlp"}),
}
"""Beside the arms of all questions: latents of observed states, which nobody can plan in."""

_DTYPES = {"float32": torch.float32, "float64": torch.float64}
_LEAST = 1e-3  # of the largest singular value, below which one does not count for the rank
_DEAD = 0.01  # of the spread of the channel that varies most, below which one is dead


@dataclass(frozen=True)
class Residual(TrainedQuestion):
    """Training as joint-embedding models are trained, looked at on the way, in the dtype that it is done in.

    Encoders are trained with VICReg, then the dynamics, then both as long, to predict an exponential moving average of
    the encoder; of all weights another average is kept. Plain ones are trained alike.

    Attributes:
        scale: as for other questions; trainings are many, so the default is a small one.
        steps: likewise.
        optimisers: each with its defaults and the scale's learning rate; "muon" takes AdamW for what is no matrix.
        precisions: of weights, training and residuals.
        depths: hidden layers, or blocks, of the dynamics; the others than the first are tried with the first optimiser.
        looks: during training, at equal intervals.
        elements: random ones, shifts and mirrors included.
        average: share of the averages that a step keeps.
    """

    scale: str = "demo"
    steps: int | None = 3_000
    optimisers: tuple[str, ...] = ("muon", "adamw", "adam", "sgd")
    precisions: tuple[str, ...] = ("float32", "float64")
    depths: tuple[int, ...] = (3, 1, 8)
    looks: int = 8
    elements: int = 32
    average: float = 0.99

    name: ClassVar[str] = "residual"
    title: ClassVar[str] = (
        "How far are encode and predict from commuting with the group, before, during and after training?"
    )
    worlds: ClassVar[tuple[str, ...]] = ("pusht", "cloudpush")
    arms: ClassVar[tuple[str, ...]] = ("equivariant", "steerable", "plain", *_LATENTS)
    seeds: ClassVar[int] = 3
    choosing: ClassVar[tuple[str, ...]] = (*TrainedQuestion.choosing, "optimisers", "precisions", "depths")
    coordinates: ClassVar[tuple[str, ...]] = ("when", "stage", "share")
    measures: ClassVar[dict[str, Measure]] = {
        "residual": Measure(
            "1",
            "largest |F(g·s, g·a) − g·F(s, a)| over the elements, of the largest number of g·F(s, a)",
            log=True,
        ),
        "residual_length": Measure("px|m", "the same, not divided by anything", log=True),
        "relative_error": Measure(
            "1",
            "one-step relMSE on test data of the slice; 1: no motion. Of learned latents in each one's own numbers, "
            "which tells that it was trained, and compares with nothing",
            log=True,
        ),
        "rank": Measure("1", "singular values of the latents' deviations above 1e-3 of the largest"),
        "rank_effective": Measure("1", "exp of the entropy of those values' shares (Roy and Vetterli, 2007)"),
        "rank_most": Measure("1", "numbers that the latents can vary by"),
        "dead": Measure("1", "channels of latents that vary by less than 1 % of the one that varies most"),
    }
    small: ClassVar[dict[str, Any]] = {
        "optimisers": ("muon",),
        "precisions": ("float64",),
        "depths": (2,),
        "looks": 1,
        "steps": 20,
        "transitions": 1_000,
        "elements": 2,
    }

    def arm(self, name: str) -> Arm:
        """An arm by its name."""
        return _LATENTS.get(name) or arm_of(name)

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """Every optimiser in every precision, and the other depths."""
        grid = [(optimiser, self.depths[0]) for optimiser in self.optimisers]
        grid += [(self.optimisers[0], depth) for depth in self.depths[1:]]
        return [
            {"optimiser": optimiser, "precision": precision, "depth": depth}
            for optimiser, depth in grid
            for precision in self.precisions
        ]

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """A row before, some during, and one after training."""
        world, arm = self.world(cell.world), self.arm_at(cell)
        scale = self.scale_in(world)
        disjoint(store, world, arm.part, scale)
        data, test = (data_of(store, world, arm.part, split, scale) for split in ("train", "test"))
        model = self._drawn(cell, data)
        config = TrainingConfig(
            steps=scale.steps[0],
            batch_size=scale.batch_size,
            learning_rate=scale.learning_rates[0],
            encoder_steps=scale.encoder_steps,
            joint_steps=scale.steps[0],
            optimiser=OPTIMISERS[cell.point["optimiser"]](),
            encoder_loss=VICReg(),
            target_momentum=self.average,
            average=self.average,
            seed=cell.seed,
        )
        total = scale.steps[0]
        if model.recipe.encoder.learns:
            total += scale.encoder_steps + scale.steps[0]
        marks = {round(total * (look + 1) / (self.looks + 1)) for look in range(self.looks)}
        rows, taken = list[Row](), itertools.count(1)

        def look(when: str, stage: str | None, step: int) -> None:
            where = {"when": when, "stage": stage, "share": step / total}
            rows.append(where | self._found(world, model, test, cell))

        def watch(stage: str, step: int) -> None:
            if (count := next(taken)) in marks:
                look("during", stage.removeprefix(model.family).strip() or "dynamics", count)

        look("before", None, 0)
        train(model, data, config, watch)
        look("after", None, total)
        return rows

    def _drawn(self, cell: Cell, data: Dataset) -> WorldModel:
        """The model before training, of a depth and in a dtype."""
        world, arm, depth = self.world(cell.world), self.arm_at(cell), cell.point["depth"]
        family = arm.family(world.kind)
        settings = {**world.network(family, self.scale_in(world).width), **arm.settings}
        recipe = recipe_of(family).with_settings(**settings)
        hidden = getattr(recipe.network, "hidden", None)
        deep = {"depth": depth} if hidden is None else {"hidden": (hidden[0],) * depth}
        recipe = replace(recipe, network=replace(recipe.network, **deep))  # type: ignore[type-var]
        return WorldModel.for_data(data, recipe, cell.seed).to(_DTYPES[cell.point["precision"]])

    def _found(self, world: World, model: WorldModel, test: Dataset, cell: Cell) -> Row:
        elements = world.elements(self.elements, cell.seed)
        relative, length = residual(world, model, test, elements, model.dtype)
        row: Row = {"residual": relative, "residual_length": length}
        if model.recipe.encoder.learns:
            row |= latent_ranks(model, test)
        if world.kind == "state" and model.recipe.encoder.learns:  # no world knows such latents
            return row | {"relative_error": prediction_error(model, test).relative}
        return row | {"relative_error": next(iter(world.errors(model, test).values())).relative}

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """The largest residual of all optimisers and depths along training, a panel a precision."""
        largest = dict[tuple[str, int, float, str], Row]()
        for row in rows:
            key = (row["arm"], row["seed"], row["share"], row["precision"])
            if key not in largest or row["residual"] > largest[key]["residual"]:
                largest[key] = {name: row[name] for name in ("arm", "seed", "share", "precision", "residual")}
        shown = [{**row, row["precision"]: row["residual"]} for row in largest.values()]
        names = dict.fromkeys(row["precision"] for row in shown)
        label = "share of training"
        return panels(shown, [Panel(f"residual, {name}", "share", name, label, log="y") for name in names])


def latent_ranks(model: WorldModel, data: Dataset) -> Row:
    """In how many ways learned latents vary over data: keypoints about their mean, vectors and numbers.

    Lengths are in units of the scene's length scale, so that numbers count beside them.

    Reference: Roy and Vetterli, The effective rank, EUSIPCO 2007.
    """
    with torch.inference_mode():
        z = model.encode_features(data.features(model.dtype)[0])
    channels, parts, most = model.latent.channels(), list[torch.Tensor](), 0
    for name in ("keypoints", "latent_vectors", "latent_scalars"):
        if name in channels:
            part = z.select(channels[name]).double()
            part = part if part.ndim == 3 else part[:, None]  # (N, d, channels)
            if name == "keypoints":
                part = part - part.mean(-1, keepdim=True)
            if part.shape[1] > 1:
                part = part / model.symmetry.length_scale
            most += part.shape[1] * (part.shape[-1] - (name == "keypoints"))
            parts.append(part - part.mean(0))
    values = torch.linalg.svdvals(torch.cat([part.flatten(1) for part in parts], -1))
    shares = (values / values.sum()).clamp(min=1e-300)
    spreads = torch.cat([part.square().sum(1).mean(0).sqrt() for part in parts])
    return {
        "rank": int((values > _LEAST * values[0]).sum()),
        "rank_effective": float(torch.exp(-(shares * shares.log()).sum())),
        "rank_most": most,
        "dead": int((spreads < _DEAD * spreads.max()).sum()),
    }
