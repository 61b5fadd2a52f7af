"""What is it worth to know that several bodies are alike and that their order means nothing?"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.envs.cloudpush.bodies import ENV_ID
from equiworld.groups import GroupElement
from equiworld.models import WorldModel
from equiworld.planners import MPCPolicy
from equiworld.symmetry import Symmetry
from equiworld.tasks import task_of
from equiworld.training import Dataset, TrainingConfig, collect, train
from equiworld.verify.evaluate import evaluate
from equiworld.verify.prediction import relative_error

__all__ = ["BodiesQuestion"]

SUCCESS = 0.02, math.radians(10.0)
"""Mean point distance [m] and angle [rad] below which the named body must be when the episode ends."""

FIRST = 1_000_000
"""Seed of the first episode."""

ARMS: Mapping[str, Mapping[str, Any]] = {
    "equivariant": {"family": "state-bodies", "door": True},
    "canonical, no exchange": {"family": "state", "door": True},
    "plain": {"family": "mlp", "door": False},
    "augmented by permutations": {"family": "augmented", "door": False, "exchanged": True},
}
"""The family of each model, whether its policy decides behind the door, and whether data comes in every order."""

_MODULES = ("equiworld.envs.cloudpush.bodies", "equiworld.training", "equiworld.models", "equiworld.planners")


@dataclass(frozen=True)
class BodiesQuestion(Question):
    """CloudPush with several bodies: trained in a slice of orientations, tested there, turned, and in other orders.

    The test transitions and the tasks are those of the slice, and the same ones moved by elements of S_n × SE(3): a
    model that knows the group is as good at these, and its policy behind the door takes the same path.

    Attributes:
        bodies: n.
        half_width: of the slice of orientations [deg].
        transitions: that models are trained on.
        tested: transitions of test data.
        steps: of the optimiser.
        elements: at which test transitions and tasks are moved.
        episodes: of closed loops, at the identity and spread over the elements likewise; 0 for none.
        length: of each, in steps.
    """

    bodies: int = 2
    half_width: float = 45.0
    transitions: int = 60_000
    tested: int = 4_000
    steps: int = 6_000
    elements: int = 16
    episodes: int = 30
    length: int = 100

    name: ClassVar[str] = "bodies"
    title: ClassVar[str] = "What is it worth to know that bodies are alike and their order means nothing?"
    worlds: ClassVar[tuple[str, ...]] = ("cloudpush-bodies",)
    arms: ClassVar[tuple[str, ...]] = tuple(ARMS)
    closed: ClassVar[bool] = True
    measures: ClassVar[dict[str, Measure]] = {
        "parameters": Measure("", "trained numbers"),
        "residual": Measure(
            "1", "|F(g·s, g·a) - g·F(s, a)| over the spread of F, largest, float64", log=True
        ),
        "relative_error": Measure("1", "one-step relMSE of places on the slice; 1: nothing moves", log=True),
        "relative_turned": Measure("1", "the same, turned", log=True),
        "relative_exchanged": Measure("1", "the same, bodies called in another order", log=True),
        "success": Measure("1", "the named body within 2 cm and 10° at the end, on the slice"),
        "success_moved": Measure("1", "the same tasks turned, and bodies called in another order"),
        "deviation": Measure(
            "m", "how far distances from the goal at the end differ at g·s and at s, largest"
        ),
    }
    small: ClassVar[dict[str, Any]] = {
        "transitions": 300, "tested": 100, "steps": 20, "elements": 2, "episodes": 1, "length": 2,
    }  # fmt: skip

    def depends(self, cell: Cell) -> Mapping[str, Any]:
        """What its arm is."""
        return {"arm": dict(ARMS[cell.arm]), "success": SUCCESS}

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """One row."""
        arm = ARMS[cell.arm]
        model, test = self._model(cell, store), self._data(store, "test", self.tested)
        symmetry = test.symmetry
        moved = _elements(symmetry, self.elements)
        still = _elements(symmetry, self.elements, turned=False)
        turned = [symmetry.group.element(g.matrix, g.translation, label=0) for g in moved]
        sharp = _float64(model)
        row: Row = {
            "parameters": model.parameter_count,
            "residual": max(_residual(sharp, test.select(slice(64)), g) for g in moved),
            "relative_error": _place_error(model, [test]),
            "relative_turned": _place_error(model, [test.transform(g) for g in turned]),
            "relative_exchanged": _place_error(model, [test.transform(g) for g in still]),
        }
        return [row | self._closed_loop(model, bool(arm["door"]), moved, cell.seed)]

    def _closed_loop(self, model: WorldModel, door: bool, moved: list[GroupElement], seed: int) -> Row:
        if not self.episodes:
            return {}
        task = task_of(ENV_ID)
        policy = MPCPolicy(model, task.planner, seed=seed, door=door)
        ends: dict[bool, list[bool]] = {False: [], True: []}
        apart = 0.0
        for index in range(self.episodes):
            g = moved[index % len(moved)]
            here, there = (
                self._episode(policy, FIRST + index, options) for options in (None, {"group_element": g})
            )
            for which, found in ((False, here), (True, there)):
                ends[which].append(found["mean_point_distance"] < SUCCESS[0] and found["angle"] < SUCCESS[1])
            apart = max(apart, abs(here["mean_point_distance"] - there["mean_point_distance"]))
        return {
            "success": float(np.mean(ends[False])),
            "success_moved": float(np.mean(ends[True])),
            "deviation": apart,
        }

    def _episode(
        self, policy: MPCPolicy, seed: int, options: Mapping[str, Any] | None
    ) -> Mapping[str, float]:
        """The numbers that an episode ends with."""
        found = evaluate(
            policy,
            partial(self._make, True),
            episodes=1,
            seed=seed,
            options=options,
            success=None,
            max_steps=self.length,
        )
        return found.episodes[0].final

    def _make(self, whole: bool = False) -> gym.Env:
        """The world in the slice; `whole` where an episode goes on whatever happens."""
        arguments: dict[str, Any] = {"success_distance": 1e-9} if whole else {}
        angle = math.radians(self.half_width)
        return gym.make(ENV_ID, bodies=self.bodies, max_angle=angle, disable_env_checker=True, **arguments)

    def _data(self, store: Store, split: str, count: int) -> Dataset:
        inputs = {"bodies": self.bodies, "half_width": self.half_width, "split": split, "transitions": count}

        def make(folder: Path) -> None:
            seed = ("train", "test").index(split)
            collect(self._make(), count, seed, workers=1).save(folder / "data")

        folder = store.artefact("data", f"bodies-{split}", inputs, _MODULES[:2], make)
        return Dataset.load(folder / "data")

    def _model(self, cell: Cell, store: Store) -> WorldModel:
        arm = ARMS[cell.arm]
        inputs = {
            "bodies": self.bodies,
            "half_width": self.half_width,
            "transitions": self.transitions,
            "steps": self.steps,
            "seed": cell.seed,
            **arm,
        }

        def make(folder: Path) -> None:
            data = self._data(store, "train", self.transitions)
            if arm.get("exchanged"):
                every = _elements(data.symmetry, 0, turned=False)
                data = Dataset.concatenate([data, *(data.transform(g) for g in every)])
            model = WorldModel.for_env(self._make(), arm["family"], transitions=len(data), seed=cell.seed)
            settings = TrainingConfig(steps=self.steps, batch_size=512, seed=cell.seed, folder=str(folder))
            train(model, data, settings).save(folder)

        return WorldModel.load(store.artefact("models", f"bodies-{arm['family']}", inputs, _MODULES, make))


def _elements(symmetry: Symmetry, count: int, turned: bool = True) -> list[GroupElement]:
    """Elements of which none leaves the bodies' order: `count` random ones; without turns every order, once."""
    group, orders = symmetry.group, symmetry.group.labels.order
    if not turned:
        return [group.element(np.eye(3), np.zeros(3), label=label) for label in range(1, orders)]
    drawn = group.sample(np.random.default_rng(7), count, scale=0.3)
    return [
        group.element(g.matrix, g.translation, label=1 + index % (orders - 1))
        for index, g in enumerate(drawn)
    ]


def _float64(model: WorldModel) -> WorldModel:
    return copy.deepcopy(model).double()


def _predicted(model: WorldModel, data: Dataset) -> dict[str, NDArray[np.floating]]:
    with torch.no_grad():
        action = torch.as_tensor(np.asarray(data.action, np.float64)).to(model.dtype)
        return model.symmetry.observation_arrays(model.predict(model.encode(data.observation), action))


def _residual(model: WorldModel, data: Dataset, g: GroupElement) -> float:
    """How far predicting what is moved is from moving what is predicted, in units of the prediction's spread."""
    here, there = _predicted(model, data), _predicted(model, data.transform(g))
    fields, centre = data.symmetry.observation, data.symmetry.centre
    found = []
    for name, array in here.items():
        moved = fields[name].transform(g, array, centre, name)
        found.append(float(np.abs(there[name] - moved).max() / max(np.std(moved), 1e-12)))
    return max(found)


def _place_error(model: WorldModel, data: list[Dataset]) -> float | None:
    """Σ|error|² over Σ|motion|² of the bodies' places."""
    error = motion = 0.0
    for each in data:
        after, before = each.next_observation["bodies_pos"], each.observation["bodies_pos"]
        error += float(np.square(_predicted(model, each)["bodies_pos"] - after).sum())
        motion += float(np.square(after - before).sum())
    return relative_error(error, motion)
