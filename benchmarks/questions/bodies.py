"""What is it worth to know that several bodies are alike and that their order means nothing?"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure, Row, share
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.bodies import BODIES_WORLDS, BodiesWorld
from equiworld.benchmarks.worlds.bodies_step import place_errors, step_residual
from equiworld.groups import GroupElement
from equiworld.models import WorldModel
from equiworld.planners import MPCPolicy
from equiworld.symmetry import Symmetry
from equiworld.tasks import task_of
from equiworld.training import Dataset, TrainingConfig, collect, train
from equiworld.verify.evaluate import evaluate

__all__ = ["BodiesQuestion"]

FIRST = 1_000_000
"""Seed of the first episode."""

ARMS: Mapping[str, Mapping[str, Any]] = {
    "equivariant": {"families": ("state-bodies", "latent-bodies"), "door": True},
    "canonical, no exchange": {"families": ("state", "latent"), "door": True, "eyes": "equivariant"},
    "plain": {"families": ("mlp", "latent-mlp"), "door": False},
    "augmented by permutations": {
        "families": ("augmented", "latent-augmented"),
        "door": False,
        "exchanged": True,
    },
    "wrong name": {"families": ("state-bodies", "latent-bodies"), "door": True, "misnamed": True},
}
"""The family of each model, of poses and of clouds; whether its policy decides behind the door; whether data comes in
every order; whether names are not exchanged with the bodies, so that the policy moves another one and has to fail; and
whose encoder of clouds it has, if not its own: dynamics alone are trained then."""

STARTS = ("as trained", "turned", "exchanged", "turned and exchanged")

_MODULES = (
    "equiworld.benchmarks.worlds.bodies",
    "equiworld.training",
    "equiworld.models",
    "equiworld.planners",
)


@dataclass(frozen=True)
class BodiesQuestion(Question):
    """Scenes of several bodies: trained in a slice of orientations, tested there, turned, and in other orders.

    The test transitions and the tasks are those of the slice, and the same ones moved by elements of S_n × E(d): a
    model that knows the group is as good at these, and its policy behind the door takes the same path.

    Attributes:
        bodies: n.
        half_width: of the slice of orientations [deg].
        transitions: that models are trained on.
        tested: transitions of test data.
        steps: of the optimiser, for dynamics.
        encoder_steps: where bodies are seen as clouds, those for the encoder, before.
        joint_steps: likewise, those for both, after.
        elements: at which test transitions and tasks are moved.
        episodes: of closed loops, turned and exchanged; 0 for none.
        paired: of them, the first, that are run as trained too, and turned, and exchanged.
        length: of each, in decisions.
    """

    bodies: int = 2
    half_width: float = 45.0
    transitions: int = 60_000
    tested: int = 4_000
    steps: int = 4_000
    encoder_steps: int = 1_500
    joint_steps: int = 300
    elements: int = 20
    episodes: int = 100
    paired: int = 20
    length: int = 60

    name: ClassVar[str] = "bodies"
    title: ClassVar[str] = "What is it worth to know that bodies are alike and their order means nothing?"
    worlds: ClassVar[tuple[str, ...]] = tuple(BODIES_WORLDS)
    arms: ClassVar[tuple[str, ...]] = tuple(ARMS)
    coordinates: ClassVar[tuple[str, ...]] = ("start",)
    closed: ClassVar[bool] = True
    measures: ClassVar[dict[str, Measure]] = {
        "parameters": Measure("", "trained numbers"),
        "residual": Measure(
            "1", "|F(g·s, g·a) - g·F(s, a)| over the spread of F, largest, float64", log=True
        ),
        "relative_error": Measure("1", "one-step relMSE of places; 1: nothing moves", log=True),
        "error": Measure("m or px", "one-step error of a place, root mean square", log=True),
        "motion": Measure("m or px", "how far a step moves a place, root mean square"),
        "success": Measure("1", "the named body where it should be and within 10° at the end: 2 cm, 10 px"),
        "successes": Measure("1", "such episodes"),
        "episodes": Measure("1", "episodes"),
        "distance": Measure("m or px", "of the named body from its goal at the end, median", log=True),
        "angle": Measure("rad", "likewise", log=True),
        "deviation": Measure(
            "m or px", "how far distances at the end differ from those as trained, largest", log=True
        ),
        "deviation_median": Measure("m or px", "the same, median", log=True),
    }
    small: ClassVar[dict[str, Any]] = {
        "transitions": 300, "tested": 100, "steps": 20, "encoder_steps": 10, "joint_steps": 2,
        "elements": 2, "episodes": 1, "paired": 1, "length": 2,
    }  # fmt: skip

    def depends(self, cell: Cell) -> Mapping[str, Any]:
        """What its world and its arm are."""
        return {"arm": dict(ARMS[cell.arm]), "world": asdict(BODIES_WORLDS[cell.world])}

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """A row for each way in which test transitions and tasks are moved."""
        world = BODIES_WORLDS[cell.world]
        model, test = self._model(cell, store), self._data(world, store, "test", self.tested)
        moved = {start: _elements(test.symmetry, self.elements, start) for start in STARTS}
        sharp, few = copy.deepcopy(model).double(), test.select(slice(64))
        rows, here = list[Row](), list[Mapping[str, float]]()
        for start, elements in moved.items():
            data = [test] if start == STARTS[0] else [test.transform(g) for g in elements]
            row: Row = {
                "start": start,
                "parameters": model.parameter_count,
                "residual": None
                if start == STARTS[0]
                else max(step_residual(sharp, few, g) for g in elements),
                **place_errors(model, data, world.places),
            }
            ends = self._ends(cell, model, world, start, elements)
            here = here or ends
            rows.append(row | _of_episodes(ends, here, world))
        return rows

    def _ends(
        self,
        cell: Cell,
        model: WorldModel,
        world: BodiesWorld,
        start: str,
        elements: Sequence[GroupElement],
    ) -> list[Mapping[str, float]]:
        """What each task ends with; task k begins at the same element wherever it is moved."""
        count = self.episodes if start == STARTS[-1] else min(self.paired, self.episodes)
        if not count:
            return []
        policy: Any = MPCPolicy(
            model, task_of(world.env_id).planner, seed=cell.seed, door=bool(ARMS[cell.arm]["door"])
        )
        if ARMS[cell.arm].get("misnamed"):
            policy = _Misnamed(policy)
        found = list[Mapping[str, float]]()
        each = -(-min(self.paired, self.episodes) // self.elements)  # of one element, a batch
        for index in range(0, count, each):
            g = elements[index // each % len(elements)]
            batch = evaluate(
                policy,
                partial(world.make, self.bodies, self.half_width, True),
                episodes=min(each, count - index),
                seed=FIRST + index,
                options=None if start == STARTS[0] else {"group_element": g},
                success=None,
                max_steps=self.length * model.action_repeat,
            )
            found += [episode.final for episode in batch.episodes]
        return found

    def _data(self, world: BodiesWorld, store: Store, split: str, count: int) -> Dataset:
        inputs = {
            "world": asdict(world),
            "bodies": self.bodies,
            "half_width": self.half_width,
            "transitions": count,
            "split": split,
        }

        def make(folder: Path) -> None:
            seed, trained = ("train", "test").index(split), split == "train"
            dtype: Literal["float32", "float64"] = "float32" if trained and world.points else "float64"
            env = world.make(self.bodies, self.half_width, trained=trained)
            collect(env, count, seed, workers=1, dtype=dtype).save(folder / "data")

        folder = store.artefact("data", f"{world.bodies}-{split}", inputs, _MODULES[:2], make)
        return Dataset.load(folder / "data")

    def _model(self, cell: Cell, store: Store) -> WorldModel:
        world, arm = BODIES_WORLDS[cell.world], ARMS[cell.arm]
        exchanged, family = bool(arm.get("exchanged")), arm["families"][world.points > 0]
        eyes = arm.get("eyes") if world.points else None
        names = ["bodies", "half_width", "transitions", "steps"]
        names += ["encoder_steps", "joint_steps"] if world.points else []
        inputs = {name: getattr(self, name) for name in names} | {
            "world": asdict(world),
            "seed": cell.seed,
            "family": family,
            "exchanged": exchanged,
            "eyes": eyes,
        }

        def make(folder: Path) -> None:
            data = self._data(world, store, "train", self.transitions)
            if exchanged:
                every = _elements(data.symmetry, 0, "exchanged")
                data = Dataset.concatenate([data, *(data.transform(g) for g in every)])
            model = WorldModel.for_env(
                world.make(self.bodies, self.half_width), family, transitions=len(data), seed=cell.seed
            )
            settings = TrainingConfig(
                steps=self.steps,
                encoder_steps=0 if eyes else self.encoder_steps,
                joint_steps=0 if eyes else self.joint_steps,
                batch_size=512,
                seed=cell.seed,
                folder=str(folder),
            )
            if eyes:
                seeing = self._model(replace(cell, arm=eyes), store)
                model.encoder.load_state_dict(seeing.encoder.state_dict())
            train(model, data, settings).save(folder)

        name = f"{world.bodies}-{family}"
        return WorldModel.load(store.artefact("models", name, inputs, _MODULES, make))


class _Misnamed:
    """A policy that is told the name of another body."""

    def __init__(self, policy: MPCPolicy) -> None:
        self.policy = policy

    def predict(self, obs: Mapping[str, NDArray[Any]], *rest: Any, **named: Any) -> tuple[NDArray[Any], Any]:
        return self.policy.predict({**obs, "named": np.roll(obs["named"], 1, -1)}, *rest, **named)


def _elements(symmetry: Symmetry, count: int, start: str) -> list[GroupElement]:
    """`count` random elements that turn, exchange, or do both; every exchange once where nothing turns."""
    group = symmetry.group
    if start == STARTS[0]:
        return [group.identity()]

    def orders(matrix: NDArray[np.float64]) -> list[int]:
        """The labels that go with a matrix, of which the first exchanges nothing."""
        return [label for label in range(group.labels.order) if group.fits(np.array(label), matrix)]

    if start == "exchanged":
        still = np.eye(group.dim), np.zeros(group.dim)
        return [group.element(*still, label=label) for label in orders(still[0])[1:]]
    found = []
    drawn = group.sample(np.random.default_rng(7), count, scale=3 * symmetry.length_scale)
    for index, g in enumerate(drawn):
        first, *others = orders(g.matrix)
        label = first if start == "turned" else others[index % len(others)]
        found.append(group.element(g.matrix, g.translation, label=label))
    return found


def _of_episodes(
    ends: Sequence[Mapping[str, float]],
    here: Sequence[Mapping[str, float]],
    world: BodiesWorld,
) -> Row:
    if not ends:
        return {}
    distances = [end[world.distance] for end in ends]
    apart = [abs(one - end[world.distance]) for one, end in zip(distances, here, strict=False)]
    return share("success", sum(map(world.solved, ends)), len(ends)) | {
        "distance": float(np.median(distances)),
        "angle": float(np.median([end["angle"] for end in ends])),
        "deviation": None if ends is here else max(apart),
        "deviation_median": None if ends is here else float(np.median(apart)),
    }
