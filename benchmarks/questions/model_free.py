"""Do exactly equivariant policies of stable-baselines3 learn faster than augmented and plain ones, and everywhere?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, panels
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.locomotion import ROBOTS, StartsTurned, symmetry_in

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ModelFree"]

SETTINGS: dict[str, Any] = {"n_steps": 128, "batch_size": 256, "n_epochs": 10, "learning_rate": 1e-3}
"""What PPO is given beyond stable-baselines3's defaults; the same for all arms."""

ENVS = 16
FIRST = 1_000_000
"""Seed of the first episode that is tested."""


@dataclass(frozen=True)
class ModelFree(Question):
    """PPO with goals within a slice of directions, tested without noise there, on all goals, and turned.

    All arms see the same numbers in the same units and have the same settings; two hidden layers of 64, the steerable
    one as many scalar and half as many vector channels.

    Attributes:
        half_width: of the slice [deg]; 180 for all directions.
        steps: of the environment, in training.
        checkpoints: tests on the way, the last at the end.
        episodes: of a test.
        elements: at which the scene is turned, besides the identity.
        mirror_weight: of the mirror loss.
    """

    name = "model-free"
    title = "Do exactly equivariant policies of stable-baselines3 learn faster, and everywhere?"
    worlds, closed = ("Reacher-v5",), True
    arms = ("canonical", "steerable", "augmented", "mirror loss", "plain")
    seeds = 5
    coordinates = ("steps",)
    measures: ClassVar = {
        "return": Measure("1", "mean return of an episode without noise, goals in all directions"),
        "return_slice": Measure("1", "the same with goals as in training"),
        "return_turned": Measure("1", "goals as in training, the whole scene turned: mean over elements"),
        "return_worst": Measure("1", "the same at the worst element"),
        "deviation": Measure("1", "rms of π(g·s) - ρ(g)π(s) over that of π(s)", log=True),
        "seconds": Measure("s", "of training until then"),
    }
    small: ClassVar = {"steps": 2048, "checkpoints": 1, "episodes": 2, "elements": 1}

    half_width: float = 45.0
    steps: int = 100_000
    checkpoints: int = 5
    episodes: int = 50
    elements: int = 6
    mirror_weight: float = 1.0

    def depends(self, cell: Cell) -> Mapping[str, Any]:
        return {"sb3": metadata.version("stable-baselines3"), "settings": SETTINGS, "envs": ENVS}

    def modules(self, cell: Cell) -> Sequence[str]:
        return (type(self).__module__, "equiworld.sb3.actor_critic", "equiworld.sb3.buffers")

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        from stable_baselines3.common.vec_env import DummyVecEnv

        make = partial(ROBOTS[cell.world], math.radians(self.half_width))
        model = self._learner(cell, DummyVecEnv([make] * ENVS))
        rows, seconds = list[Row](), 0.0
        for part in range(self.checkpoints):
            goal = (self.steps * (part + 1)) // self.checkpoints
            seconds += _trained(model, goal - model.num_timesteps, first=part == 0)
            rows.append({"steps": model.num_timesteps, **self._tested(cell, model), "seconds": seconds})
        return rows

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Return against steps, a curve an arm."""
        shown = [
            Panel("all goals", "steps", "return", "environment steps"),
            Panel("worst element", "steps", "return_worst", "environment steps"),
        ]
        return panels(rows, shown)

    def _learner(self, cell: Cell, envs: Any) -> Any:
        """PPO of an arm."""
        from stable_baselines3 import PPO

        from equiworld.sb3 import AugmentedRolloutBuffer, EquivariantActorCriticPolicy, MirrorLossPolicy
        from equiworld.sb3.scaled_form import ScaledForm

        symmetry = symmetry_in(cell.world)
        net: dict[str, Any] = {"net_arch": [64, 64]}
        scaled = {
            **net,
            "features_extractor_class": ScaledForm,
            "features_extractor_kwargs": {"symmetry": symmetry},
        }
        policy, kwargs, more = "MlpPolicy", scaled, dict[str, Any]()
        if cell.arm in ("canonical", "steerable"):
            policy, kwargs = EquivariantActorCriticPolicy, {**net, "symmetry": symmetry, "form": cell.arm}  # type: ignore[assignment]
        elif cell.arm == "mirror loss":
            policy = MirrorLossPolicy  # type: ignore[assignment]
            kwargs = {**scaled, "symmetry": symmetry, "mirror_weight": self.mirror_weight}
        elif cell.arm == "augmented":
            more = {
                "rollout_buffer_class": AugmentedRolloutBuffer,
                "rollout_buffer_kwargs": {"symmetry": symmetry},
            }
        return PPO(policy, envs, policy_kwargs=kwargs, seed=cell.seed, device="cpu", **SETTINGS, **more)

    def _tested(self, cell: Cell, model: Any) -> Row:
        """Returns without noise, and the distance from equivariance at what was seen."""
        from equiworld.sb3.deviation import action_deviation

        robot, inside, symmetry = ROBOTS[cell.world], math.radians(self.half_width), symmetry_in(cell.world)
        rng = np.random.default_rng([cell.seed, 11])
        turns = symmetry.group.sample(np.random.default_rng(5), self.elements)
        everywhere, seen = _returns(model, partial(robot, math.pi), self.episodes)
        ahead, _ = _returns(model, partial(robot, inside), self.episodes)
        turned = [
            _returns(model, lambda g=g: StartsTurned(robot(inside), g), self.episodes)[0].mean()
            for g in turns
        ]
        return {
            "return": float(everywhere.mean()),
            "return_slice": float(ahead.mean()),
            "return_turned": float(np.mean(turned)),
            "return_worst": float(np.min(turned)),
            "deviation": action_deviation(model, symmetry, seen, rng),
        }


def _trained(model: Any, steps: int, first: bool) -> float:
    """Seconds that it took."""
    import time

    start = time.perf_counter()
    model.learn(steps, reset_num_timesteps=first)
    return time.perf_counter() - start


def _returns(model: Any, make: Any, episodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns `(episodes,)` of episodes side by side, all of one length, and some of what was observed."""
    envs = [make() for _ in range(min(episodes, 25))]
    total, kept = list[np.ndarray](), list[np.ndarray]()
    for start in range(0, episodes, len(envs)):
        batch = envs[: episodes - start]
        seen = np.stack([env.reset(seed=FIRST + start + i)[0] for i, env in enumerate(batch)])
        returns, running = np.zeros(len(batch)), np.ones(len(batch), bool)
        while running.any():
            kept = [*kept[-19:], seen]
            actions, _ = model.predict(seen, deterministic=True)
            seen = seen.copy()
            for i in np.flatnonzero(running):
                seen[i], reward, ended, cut, _ = batch[i].step(actions[i])
                returns[i] += reward
                running[i] = not (ended or cut)
        total.append(returns)
    for env in envs:
        env.close()
    return np.concatenate(total), np.concatenate(kept)
