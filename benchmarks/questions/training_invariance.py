"""Are the weights the same, trained on the data and on the data turned?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, panels
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.trained import data_of, disjoint, settings_of
from equiworld.models import WorldModel
from equiworld.training import Dataset, TrainingConfig, train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["TrainingInvariance"]


@dataclass(frozen=True)
class TrainingInvariance(TrainedQuestion):
    """A learning algorithm A is invariant if A(g·D) = A(D): the same seed and batches, every transition turned.

    Where the gradient is a function of invariants, equal weights stay equal but for rounding, which training amplifies.

    Attributes:
        stops: optimiser steps after which the weights are compared; each is a training of its own, whose schedule
            ends there.
        used: transitions that are trained on.
        elements: random ones, shifts and mirrors included.
    """

    stops: tuple[int, ...] = (1, 10, 100, 1000)
    used: int = 20_000
    elements: int = 4

    name: ClassVar[str] = "training-invariance"
    title: ClassVar[str] = "Are the weights the same, trained on the data and on the data turned?"
    worlds: ClassVar[tuple[str, ...]] = ("pusht",)
    arms: ClassVar[tuple[str, ...]] = ("equivariant", "steerable", "plain", "centred", "augmented")
    choosing: ClassVar[tuple[str, ...]] = (*TrainedQuestion.choosing, "stops")
    measures: ClassVar[dict[str, Measure]] = {
        "weights": Measure(
            "1", "largest |w(g·D) - w(D)| over elements and weights, of the largest |w(D)|", log=True
        ),
        "moved": Measure("1", "largest |w(D) - w before|, likewise: what does not train is not invariant"),
        "prediction": Measure(
            "px|m",
            "largest distance between g·(what the model of D predicts at s) and what that of g·D predicts at g·s",
            log=True,
        ),
    }
    small: ClassVar[dict[str, Any]] = {"stops": (1, 5), "used": 500, "elements": 1}

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """Numbers of steps, in both dtypes."""
        return [{"steps": stop, "dtype": dtype} for dtype in ("float32", "float64") for stop in self.stops]

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """One row."""
        world, arm = self.world(cell.world), self.arm_at(cell)
        scale = self.scale_in(world)
        disjoint(store, world, arm.part, scale)
        data = data_of(store, world, arm.part, "train", scale).select(slice(0, self.used))
        # In float64 an element and its inverse give a number back but for the last bit.
        data = replace(
            data,
            observation={name: array.astype(np.float64) for name, array in data.observation.items()},
            action=data.action.astype(np.float64),
            next_observation={
                name: array.astype(np.float64) for name, array in data.next_observation.items()
            },
        )
        test = data_of(store, world, arm.part, "test", scale).select(slice(0, 256))
        before, reference = (self._trained(cell, data, steps) for steps in (0, cell.point["steps"]))
        largest = _weights(reference).abs().max()
        row = {"moved": float((_weights(reference) - _weights(before)).abs().max() / largest)}
        apart, distance = list[float](), list[float]()
        wanted = _predicted(reference, test)
        for g in world.elements(self.elements, cell.seed):
            model = self._trained(cell, data.transform(g), cell.point["steps"])
            apart.append(float((_weights(model) - _weights(reference)).abs().max() / largest))
            found = _predicted(model, test.transform(g))
            both = found.points - wanted.transform(g).points
            distance.append(float(torch.linalg.vector_norm(both, dim=-2).max()))
        return [{**row, "weights": max(apart), "prediction": max(distance)}]

    def _trained(self, cell: Cell, data: Dataset, steps: int) -> WorldModel:
        world, arm = self.world(cell.world), self.arm_at(cell)
        scale = self.scale_in(world)
        settings = settings_of(world, arm, cell.seed, scale)
        model = WorldModel.for_data(data, family=arm.family(world.kind), **settings)
        model.to(getattr(torch, cell.point["dtype"]))
        if not steps:
            return model
        config = TrainingConfig(
            steps=steps, batch_size=scale.batch_size, encoder_steps=0, joint_steps=0, seed=cell.seed
        )
        return train(model, data, config)

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """How far weights come apart, against steps."""
        double = [row for row in rows if row["dtype"] == "float64"]
        return panels(
            double, [Panel("distance of the weights, float64", "steps", "weights", "steps", log="xy")]
        )


def _weights(model: WorldModel) -> torch.Tensor:
    return torch.cat([each.detach().double().flatten() for each in model.parameters()])


def _predicted(model: WorldModel, data: Dataset) -> Any:
    """What follows the transitions' states, in the model's dtype, as Features of float64."""
    with torch.inference_mode():
        state, action, _ = data.features(model.dtype)
        return model.predict(model.encode_features(state), action).to(torch.float64)
