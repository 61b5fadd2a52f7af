"""Does `symmetrise` make other people's policies exact, and as good everywhere as they are where they were trained?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np

from equiworld.benchmarks.arms import arm_of
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure, Row, share
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.trained import trained_model
from equiworld.benchmarks.worlds import world_of
from equiworld.benchmarks.worlds.reach import REACH, ForwardPushes
from equiworld.envs.pusht.stock import StockView
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy, peer_policy
from equiworld.sb3 import symmetrise
from equiworld.symmetry import symmetry_of
from equiworld.training import TrainingConfig, collect, train
from equiworld.verify.certificate import certify
from equiworld.verify.evaluate import evaluate

__all__ = ["ExactPolicy"]

LEARNERS: dict[str, dict[str, Any]] = {
    "PPO": {},
    "SAC": {"learning_rate": 1e-3, "gamma": 0.95, "ent_coef": 0.01, "gradient_steps": 2},
}
"""What they are given beyond stable-baselines3's defaults."""

PEERS = ("pytorch_mppi", "stable-worldmodel MPPI")
PLAIN = ("plain", "centred")
FIRST = 1_000_000
"""Seed of the first episode."""

REACH_MODULE = "equiworld.benchmarks.worlds.reach"


@dataclass(frozen=True)
class ExactPolicy(Question):
    """Trained where goals lie, or the block is turned, within ±30°; nothing is trained between before and after.

    Aimed at, after: deviations of at most 1e-8, on no element 2 points less than on the slice, 99 % of gym-pusht.

    Attributes:
        half_width: of the slice of the reach task [deg].
        ppo_steps: of the environment, that PPO learns from.
        sac_steps: likewise SAC.
        transitions: that the plain model of the reach task is trained on.
        elements: besides the identity.
        episodes: of the reach task at each element.
        planned: of it with the peers, which take longer.
        pusht: episodes of gym-pusht's own task after `symmetrise`.
        pusht_before: and before: a policy that fails plays each to its end.
        scale: of data and training of PushT's models, as for `success`.
    """

    name: ClassVar = "exact-policy"
    title: ClassVar = "Does `symmetrise` make other people's policies exact, and as good everywhere?"
    worlds: ClassVar = ("reach", "gym-pusht")
    arms: ClassVar = (*LEARNERS, *PEERS, *PLAIN)
    measures: ClassVar = {
        "success": Measure(
            "1", "solved: reach: at the last step, mean of the elements; gym-pusht: its own resets"
        ),
        "success_slice": Measure("1", "the same where it was trained"),
        "success_worst": Measure("1", "the same at the worst element"),
        "successes": Measure("1", "episodes solved"),
        "episodes": Measure("1", "of how many"),
        "median_steps": Measure("1", "until solved; failures count as longer than any success"),
        "deviation": Measure(
            "1", "|obs at g·s - g·(obs at s)|, largest of a certificate; gym-pusht: px", log=True
        ),
        "certificate": Measure("", "its verdict"),
    }
    small: ClassVar = {
        **{"ppo_steps": 512, "sac_steps": 200, "transitions": 500, "elements": 2, "episodes": 2},
        **{"planned": 1, "pusht": 1, "pusht_before": 1, "scale": "small"},
    }

    half_width: float = 30.0
    ppo_steps: int = 50_000
    sac_steps: int = 24_000
    transitions: int = 20_000
    elements: int = 8
    episodes: int = 100
    planned: int = 20
    pusht: int = 300
    pusht_before: int = 60
    scale: str = "full"

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """Before and after, where the world has such a policy."""
        if (arm in PLAIN) == (world == "gym-pusht"):
            yield from ({"symmetrise": when} for when in ("before", "after"))

    def depends(self, cell: Cell) -> Mapping[str, Any]:
        """What the policy is."""
        if cell.arm in PLAIN:
            world = world_of("pusht")
            return {"arm": arm_of(cell.arm), "scale": world.scales[self.scale], "world": world.described()}
        return {"learner": LEARNERS.get(cell.arm)}

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """Success, and the deviation of the closed loop."""
        after, reach = cell.point["symmetrise"] == "after", cell.world == "reach"
        env = gym.make(REACH, **self._slice) if reach else world_of("pusht").make(walls=False)
        policy = self._policy(cell, store)
        policy = (
            symmetrise(policy, gym.make(REACH) if reach else world_of("pusht").env_id) if after else policy
        )
        solved = self._everywhere(policy, cell) if reach else self._on_pusht(policy, after)
        steps = 40 if reach else 60
        certificate = certify(policy, env, elements=self.elements, episodes=4, steps=steps, seed=FIRST)
        return [{**solved, "deviation": certificate.max_deviation, "certificate": certificate.verdict}]

    @property
    def _slice(self) -> dict[str, float]:
        return {"half_width": math.radians(self.half_width)}

    def _everywhere(self, policy: Any, cell: Cell) -> Row:
        """Success of the reach task at every element, at which the simulator itself begins the same episodes."""
        group = symmetry_of(REACH).group
        drawn = group.sample(np.random.default_rng([cell.seed, 7]), self.elements, scale=2.0)
        count = self.episodes if cell.arm in LEARNERS else self.planned
        make = partial(gym.make, REACH, **self._slice)
        settings = {"episodes": count, "n_envs": min(count, 50), "seed": FIRST}
        first, *others = (
            evaluate(policy, make, options={"group_element": g}, **settings).successes
            for g in (group.identity(), *drawn)
        )
        row = share("success", sum(others), count * len(others))
        return row | {"success_slice": first / count, "success_worst": min(others) / count}

    def _on_pusht(self, policy: Any, after: bool) -> Row:
        """Success on gym-pusht's own environment, task and resets."""
        count = self.pusht if after else self.pusht_before
        found = evaluate(policy, _stock, episodes=count, seed=FIRST, n_envs=min(count, 100))
        median = found.median_steps
        return share("success", found.successes, count) | {
            "median_steps": median if median < math.inf else None
        }

    def _policy(self, cell: Cell, store: Store) -> Any:
        """What was trained on a slice, as it is."""
        if cell.world == "gym-pusht":
            world = world_of("pusht")
            model = trained_model(store, world, arm_of(cell.arm), cell.seed, world.scales[self.scale])
            return MPCPolicy(model, CEM(), seed=cell.seed, door=False)
        if cell.arm in LEARNERS:
            return self._learned(cell, store)
        inputs = {"transitions": self.transitions, "seed": cell.seed, **self._slice}
        modules = (REACH_MODULE, "equiworld.training", "equiworld.models")
        folder = store.artefact("models", "reach-mlp", inputs, modules, partial(self._model, cell.seed))
        return peer_policy(cell.arm, WorldModel.load(folder), seed=cell.seed)

    def _learned(self, cell: Cell, store: Store) -> Any:
        """A policy of stable-baselines3, trained with its own defaults."""
        import stable_baselines3
        import torch
        from stable_baselines3.common.env_util import make_vec_env

        kind, settings = getattr(stable_baselines3, cell.arm), LEARNERS[cell.arm]
        steps = self.ppo_steps if cell.arm == "PPO" else self.sac_steps
        inputs = {"steps": steps, "seed": cell.seed, **self._slice, **settings}

        def make(folder: Path) -> None:
            torch.manual_seed(cell.seed)
            envs = make_vec_env(lambda: gym.make(REACH, confined=True, **self._slice), 8, cell.seed)
            policy = kind("MlpPolicy", envs, seed=cell.seed, device="cpu", **settings)
            policy.learn(steps)
            policy.save(folder / "policy.zip")

        folder = store.artefact("policies", cell.arm, inputs, (REACH_MODULE,), make)
        return kind.load(folder / "policy.zip", device="cpu")

    def _model(self, seed: int, folder: Path) -> None:
        """A plain model of what happens under pushes about +x."""
        forward = ForwardPushes(2 * math.radians(self.half_width))
        env = gym.make(REACH, **self._slice)
        data = collect(env, self.transitions, seed, exploration=forward, workers=1)
        model = WorldModel.for_env(env, "mlp", transitions=len(data), seed=seed)
        steps = min(3000, self.transitions)
        train(model, data, TrainingConfig(steps=steps, batch_size=256, seed=seed, folder=str(folder)))
        model.save(folder)


def _stock() -> gym.Env:
    """gym-pusht's own environment; the view adds goal and velocity to what is observed."""
    import gym_pusht  # noqa: F401  registers

    return StockView(gym.make("gym_pusht/PushT-v0", disable_env_checker=True))
