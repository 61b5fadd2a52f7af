"""What questions ask of a world: data, models' errors, elements, tasks, and when one is solved."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

import equiworld.envs  # noqa: F401  registers the environments
from equiworld.benchmarks.suite.arm import Part
from equiworld.benchmarks.suite.scale import Scale
from equiworld.benchmarks.suite.trained import Split
from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.models import FAMILIES, WorldModel
from equiworld.planners import CEM, MPCPolicy, Planner
from equiworld.rollout import Start
from equiworld.symmetry import Door, Features
from equiworld.tasks import Task, task_of
from equiworld.training import Dataset
from equiworld.verify.prediction import relative_error

__all__ = ["StepErrors", "Trials", "World"]


@dataclass(frozen=True)
class StepErrors:
    """Squared distances of N transitions, each summed over the points that count.

    Attributes:
        error: |predicted − next|², `(N,)`.
        motion: |next − now|², `(N,)`.
        points: how many count in each.

    >>> StepErrors(np.array([1.0, 0.0]), np.array([4.0, 4.0]), 2).relative
    0.125
    """

    error: NDArray[np.float64]
    motion: NDArray[np.float64]
    points: int

    @property
    def relative(self) -> float | None:
        """relMSE = Σ‖predicted − next‖² / Σ‖next − now‖², pooled; 1: predicts no motion; None if nothing moves."""
        return relative_error(float(self.error.sum()), float(self.motion.sum()))

    @property
    def rms(self) -> float | None:
        """Root of the mean square distance of a point from where it comes to be; None of no transitions."""
        return math.sqrt(self.error.sum() / (len(self.error) * self.points)) if len(self.error) else None


@dataclass(frozen=True)
class Trials:
    """Episodes that policies are tried on.

    Attributes:
        arguments: of the environment.
        steps: at most; the environment's own limit if None.
        first: seed of the first episode; data and tuning use others.
        in_slice: only episodes that begin and have their goal within the slice.
        share: of the episodes that are asked for.
        variants: further arguments, each of which an equal part of the episodes has.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    steps: int | None = None
    first: int = 1_000_000
    in_slice: bool = False
    share: float = 1.0
    variants: tuple[Mapping[str, Any], ...] = ({},)

    def limited(self, most: int | None) -> int | None:
        """Steps of an episode, no more than `most`; None for the environment's own limit."""
        return min((steps for steps in (self.steps, most) if steps is not None), default=None)


@dataclass(frozen=True)
class World(ABC):
    """An environment, its data, tasks and measures.

    Attributes:
        name: in cells.
        env_id: of the environment.
        arguments: of the environment, in all that is done with it.
        kind: of what is observed, "state" or "cloud": which family an arm has.
        unit: of lengths.
        shifts: the longest of random elements, in that unit.
        scales: amounts of data and training: "full", "demo", "demo-quick" and "small".
        trials: by name, the first one its own task.
        arms: that are worth asking about unless others are named; a question's own if empty.
    """

    name: str
    env_id: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "state"
    unit: str = "1"
    shifts: float = 1.0
    scales: Mapping[str, Scale] = field(default_factory=dict)
    trials: Mapping[str, Trials] = field(default_factory=dict)
    arms: tuple[str, ...] = ()

    side_by_side: ClassVar[int] = 100
    """Environments that a policy acts in at once."""

    def described(self) -> Mapping[str, Any]:
        """What it is defined to be, as far as data and models depend on it."""
        return {"env": self.env_id, "arguments": dict(self.arguments)}

    def modules(self) -> tuple[str, ...]:
        """Modules whose sources it depends on."""
        return (type(self).__module__,)

    def check(self, scale: Scale) -> None:  # noqa: B027  most have tasks at any scale
        """Refuse a scale at which it has no tasks; before any work.

        Raises:
            ArgumentError: says what to change.
        """

    def make(self, **arguments: Any) -> gym.Env:
        """Its environment."""
        return gym.make(self.env_id, disable_env_checker=True, **{**self.arguments, **arguments})

    @property
    def kept(self) -> Group | None:
        """The subgroup of the symmetry that is left where something breaks the rest; None for the whole."""
        return None

    @property
    def task(self) -> Task:
        """Cost, proposals and planner, as registered for its environment."""
        return task_of(self.env_id)

    @property
    def planner(self) -> Planner:
        """That suits its task."""
        return self.task.planner or CEM()

    def policy(
        self,
        model: WorldModel,
        seed: int,
        dtype: str = "float32",
        door: bool | None = None,
        task: Task | None = None,
        planner: Planner | None = None,
        device: str = "cpu",
    ) -> MPCPolicy:
        """A policy over a model, posed at the door as the slice of orientations is; task and planner are the world's.

        Behind the door any policy is equivariant; unless told, models without the symmetry plan along the world's axes,
        without it.
        """
        door = model.equivariant if door is None else door
        where: dict[str, Any] = {"dtype": dtype, "door": door, "device": device}
        policy = MPCPolicy(model, planner or self.planner, seed=seed, task=task or self.task, **where)
        if policy.door is None or model.equivariant or (pose := self.pose(policy.door)) is None:
            return policy
        return policy.behind(Door(policy.symmetry, policy.door.names, model.scales, model.single, pose))

    def pose(self, door: Door) -> GroupElement | None:
        """Where frames stand about the middle of the slice; None where that is unturned, as headings and poses are."""
        return None

    def network(self, family: str, width: int | None) -> Mapping[str, Any]:
        """Settings of a model of a width; none for the family's own, nor for networks that are no perceptrons."""
        known = FAMILIES.get(family)
        if width is None or (known is not None and not hasattr(known.network, "periodic")):
            return {}
        return {"hidden": (width,) * 3, "periodic": width // 2}

    def validation_error(self, model: WorldModel, data: Dataset) -> float:
        """The one-step error where it counts; infinite where nothing moved."""
        found = next(iter(self.errors(model, data).values())).relative
        return math.inf if found is None else found

    @abstractmethod
    def collect(
        self, part: Part, split: Split, count: int, seed: int, half_width: float, folder: Path
    ) -> Dataset:
        """Transitions of a part of the orientations; a folder is for what an interrupted collection goes on from."""

    @abstractmethod
    def errors(
        self, model: WorldModel, data: Dataset, g: GroupElement | None = None
    ) -> dict[str, StepErrors]:
        """One-step errors in float64 on data turned by g, by region; the first is where the symmetry holds."""

    def exploration(self, env: gym.Env, half_width: float) -> Any:
        """The exploration of an environment that was made with `loop_arguments`, its episodes begun in the slice."""
        return env.unwrapped.exploration  # type: ignore[attr-defined]

    def body(self, observation: Any, info: Mapping[str, Any]) -> NDArray[np.float64]:
        """Points `(n, d)` of the body that is moved, where the simulator has them.

        Raises:
            ArgumentError: nobody says where they are.
        """
        raise ArgumentError("--world", self.name, "a world that says where its body is, such as pusht")

    def imagined_body(
        self, model: WorldModel, state: Features, states: Features, body: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The same points where a model's latent states have them, `(…, N, n, d)`.

        Args:
            model: whose states they are.
            state: the encoded one that all began with, batch shape `(N)`.
            states: batch shape `(…, N)`.
            body: the points at the beginning, as the simulator had them, `(N, n, d)`.
        """
        raise ArgumentError("--world", self.name, "a world that says where its body is, such as pusht")

    @abstractmethod
    def orbit(self, count: int, seed: int) -> list[GroupElement]:
        """Turns of the whole scene that spread over the orbit, the identity first."""

    @abstractmethod
    def elements(self, count: int, seed: int) -> list[GroupElement]:
        """Random elements of the group, shifts and, where it has them, mirrors included."""

    def ladder(self, seed: int) -> dict[str, list[GroupElement]]:
        """What is done to test data, from easy to hard; nothing by default."""
        return {}

    def shuffled(self, data: Dataset, rng: np.random.Generator) -> Dataset:
        """The same data in another of its equal forms, such as clouds with their points in another order."""
        return data

    @abstractmethod
    def starts(self, count: int, half_width: float, seed: int) -> list[Start]:
        """Tasks that begin, and end, within the slice of orientations [deg]."""

    def turned(self, start: Start, g: GroupElement) -> Start:
        """The same task, begun by the simulator itself at g·s with goal g·goal."""
        return Start(start.seed, {**(start.options or {}), "group_element": g})

    def shown(self, env: gym.Env, g: GroupElement) -> gym.Env:
        """The environment in which a turned task runs."""
        return env

    @abstractmethod
    def loop_arguments(self, half_width: float) -> Mapping[str, Any]:
        """Of the environment of such tasks, in which the symmetry holds everywhere."""

    def judge(self, info: Mapping[str, Any], observation: Any) -> dict[str, float]:
        """How things stand: `success`, and other outcomes, as 0 or 1, and figures with the names of measures."""
        return {"success": float(info["is_success"])}

    def film(self, episodes: Mapping[str, Mapping[str, Sequence[Any]]]) -> Any:
        """Episodes side by side, by row and column; None where nobody draws them."""
        return None
