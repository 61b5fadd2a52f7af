"""How wrong is one step on the data that a paper published its figures on?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from equiworld.benchmarks.peers.published_step import (
    Fit,
    Perceptron,
    Steps,
    VectorNeurons,
    collected,
    dataset_of,
    fitted,
    packed_of,
    poses_of,
)
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, orbit_figure
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.swm_pusht import library
from equiworld.envs.pusht import geometry
from equiworld.files import write_atomically
from equiworld.models import WorldModel
from equiworld.training import TrainingConfig, train
from equiworld.verify.prediction import one_step

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PublishedStep"]

TEST, VALIDATION = 999, 998  # seeds of data, the first as published; training data has seed 0
CHOOSING = 1_000_003  # the training seed that settings are chosen with; no row has it

Predict = Callable[[Steps], Tensor]

PARTS = {
    "agent_pos": "agent's place",
    "agent_vel": "agent's velocity",
    "block_pos": "place of the T's origin",
    "block_dir": "direction of the T",
}
NETWORKS: Mapping[str, type[VectorNeurons | Perceptron]] = {
    "vector neurons": VectorNeurons,
    "perceptron": Perceptron,
}
FAMILIES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "steerable": ("state-steerable", {}),
    "steerable, small": ("state-steerable", {"scalars": 12, "vectors": 8, "depth": 2}),
    "equivariant": ("state", {}),
    "equivariant, small": ("state", {"hidden": (36, 36), "periodic": 18}),
    "augmented": ("augmented", {"hidden": (128, 128, 128), "periodic": 64}),
}


@dataclass(frozen=True)
class PublishedStep(Question):
    """The 1,500 real transitions of pushes in one quadrant of arXiv 2606.03003 (its experiment on PushT's states).

    Its two networks are trained as it trains them and, under ", tuned", with what the grid chose that all others have:
    rate × weight decay × steps, by the error of corners on validation data that no row is of. Test data are its 600
    transitions, turned by quarter turns, which round nothing.

    Attributes:
        transitions: that all train on.
        tested: transitions, and as many for validation.
        epochs: of its own training, each one step.
        steps: of the optimiser, that are tried.
        rates: of learning.
        decays: of weights.
        allow_absent: go on without stable-worldmodel where it is not installed, and say so.
    """

    transitions: int = 1_500
    tested: int = 600
    epochs: int = Fit.epochs
    steps: tuple[int, ...] = (1_000, 3_000)
    rates: tuple[float, ...] = (3e-3, 1e-2)
    decays: tuple[float, ...] = (1e-4, 0.03, 0.3)
    allow_absent: bool = False

    name: ClassVar[str] = "published-step"
    title: ClassVar[str] = "How wrong is one step on the data that a paper published its figures on?"
    worlds: ClassVar[tuple[str, ...]] = ("swm-pusht",)
    arms: ClassVar[tuple[str, ...]] = (*NETWORKS, *(f"{name}, tuned" for name in NETWORKS), *FAMILIES)
    seeds: ClassVar[int] = 5
    closed: ClassVar[bool] = True
    coordinates: ClassVar[tuple[str, ...]] = ("angle_deg",)
    measures: ClassVar[dict[str, Measure]] = {
        "relative_error": Measure(
            "1", "of the T's corners, Σ|predicted − next|² / Σ|next − now|², pooled; 1: no motion", log=True
        ),
        "error_rms": Measure(
            "px", "root of the mean square distance of a corner from where it comes to be", log=True
        ),
        "published_error": Measure(
            "1",
            "as published: the mean over transitions of |predicted − next|² / |next − now|² of all 8 numbers",
            log=True,
        ),
        **{
            part: Measure("1", f"pooled as `relative_error`, of the {words}", log=True)
            for part, words in PARTS.items()
        },
        "parameters": Measure("1", "numbers that are trained"),
        "chosen": Measure("", "optimiser steps, learning rate and weight decay"),
        "note": Measure("", "why there are no numbers"),
    }
    small: ClassVar[dict[str, Any]] = {
        **{
            "transitions": 60,
            "tested": 30,
            "epochs": 20,
            "steps": (20,),
            "rates": (3e-3,),
            "decays": (1e-4,),
        },
        "allow_absent": True,
    }

    def depends(self, cell: Cell) -> Mapping[str, Any]:
        """The library, and what an arm is; refuses to go on without the library, unless that is allowed."""
        name = cell.arm.removesuffix(", tuned")
        kind = NETWORKS[name].__name__ if name in NETWORKS else FAMILIES[cell.arm]
        return {"library": library(self.allow_absent), "kind": kind}

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """A row an orientation."""
        if (absent := library(self.allow_absent)).startswith("absent"):
            return [{"note": absent}]
        train_on, test = collected(self.transitions, 0), collected(self.tested, TEST)
        fit = self.chosen(cell, store, train_on)
        predict, parameters = self.trained(cell.arm, train_on, fit, cell.seed)
        words = f"{fit.epochs} steps, rate {fit.rate:g}, decay {fit.decay:g}"
        return [
            {
                "angle_deg": 90.0 * quarters,
                **_errors(predict, test.turned(quarters)),
                "parameters": parameters,
            }
            | {"chosen": words}
            for quarters in range(4)
        ]

    def chosen(self, cell: Cell, store: Store, train_on: Steps) -> Fit:
        """The settings of an arm: published ones, or those of the least error on validation data."""
        if cell.arm in NETWORKS:
            return Fit(self.epochs)
        grid = [Fit(*each) for each in product(self.steps, self.rates, self.decays)]
        if len(grid) == 1:
            return grid[0]

        def make(folder: Path) -> None:
            validation = collected(self.tested, VALIDATION)
            fitted = [self.trained(cell.arm, train_on, fit, CHOOSING)[0] for fit in grid]
            errors = [_errors(predict, validation)["relative_error"] for predict in fitted]
            text = json.dumps({"chosen": int(np.argmin(errors)), "errors": errors})
            write_atomically(folder / "choice.json", lambda file: file.write(text.encode()))

        folder = store.artefact(
            "choices", f"{self.name}-{cell.arm}", self.inputs(cell), self.modules(cell), make
        )
        return grid[json.loads((folder / "choice.json").read_text())["chosen"]]

    def trained(self, arm: str, steps: Steps, fit: Fit, seed: int) -> tuple[Predict, int]:
        """What predicts packed states, and how many numbers were trained."""
        if (name := arm.removesuffix(", tuned")) in NETWORKS:
            network = fitted(NETWORKS[name], steps, fit, seed).eval()
            count = sum(each.numel() for each in network.parameters())
            return torch.no_grad()(lambda given: network(given.state, given.action).double()), count
        family, settings = FAMILIES[arm]
        data = dataset_of(steps)
        model = WorldModel.for_data(data, family=family, seed=seed, **settings)
        config = TrainingConfig(steps=fit.epochs, learning_rate=fit.rate, weight_decay=fit.decay, seed=seed)
        train(model, data, config)

        def predict(given: Steps) -> Tensor:
            found = [
                packed_of(model.symmetry.observation_arrays(guess))
                for _, guess, _ in one_step(model, dataset_of(given))
            ]
            return torch.cat(found)

        return predict, model.parameter_count

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """The error of corners by orientation."""
        known = [row for row in rows if row.get("angle_deg") is not None]
        panel = Panel("one-step error of corners (relMSE)", "angle_deg", "relative_error", log="y")
        return orbit_figure(known, [panel], None, circle=False) if known else None


def _errors(predict: Predict, steps: Steps) -> dict[str, float]:
    guess, now, after = predict(steps), steps.state.double(), steps.following.double()
    error, motion = (guess - after).square(), (after - now).square()
    corners = [geometry.keypoints(poses_of(each)) for each in (guess, after, now)]
    wrong, moved = (np.square(corners[first] - corners[second]).sum(-1) for first, second in ((0, 1), (1, 2)))
    parts = {
        name: float(error[:, start : start + 2].sum() / motion[:, start : start + 2].sum())
        for start, name in zip((0, 2, 4, 6), PARTS, strict=True)
    }
    return {
        "relative_error": float(wrong.sum() / moved.sum()),
        "error_rms": float(np.sqrt(wrong.mean())),
        "published_error": float((error.sum(-1) / motion.sum(-1).clamp(min=1e-8)).mean()),
        **parts,
    }
