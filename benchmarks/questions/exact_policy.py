"""Does `symmetrise` make other people's policies exact, and as good everywhere as they are where they were trained?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.benchmarks.arms import arm_of
from equiworld.benchmarks.peers import peer_versions, present
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure, Row, share
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.trained import disjoint, trained_model
from equiworld.benchmarks.worlds.loops import TASKS_SOLVED, tasks_solved
from equiworld.benchmarks.worlds.pusht import PUSHT
from equiworld.benchmarks.worlds.reach import REACH, ForwardPushes
from equiworld.envs.pusht.stock import StockView
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy, peer_policy
from equiworld.sb3 import symmetrise
from equiworld.symmetry import symmetry_of
from equiworld.training import TrainingConfig, collect, train
from equiworld.verify.certificate import certify
from equiworld.verify.evaluate import evaluate
from equiworld.verify.evaluation.report import Evaluation

__all__ = ["ExactPolicy"]

_SAC = {"learning_rate": 1e-3, "gamma": 0.95, "ent_coef": 0.01, "gradient_steps": 2}
LEARNERS: dict[str, dict[str, Any]] = {"PPO": {}, "SAC": _SAC}
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
        steps: of each episode of a certificate; of the reach task 40 at most.
        scale: of data and training of PushT's models, as for `success`.
        allow_absent: go on without libraries that are not installed, and say so.
    """

    name = "exact-policy"
    title = "Does `symmetrise` make other people's policies exact, and as good everywhere?"
    worlds, closed = ("reach", "gym-pusht"), True
    arms = (*LEARNERS, *PEERS, *PLAIN)
    measures: ClassVar = {
        "success": Measure(
            "1", "tasks solved: of reach, at every element; of gym-pusht, from its own resets"
        ),
        "success_slice": Measure("1", "tasks of reach solved where it was trained"),
        "success_worst": Measure("1", "the same at the worst element"),
        "success_mean": Measure("1", "the same, mean over elements"),
        "successes": Measure("1", "tasks solved"),
        "episodes": Measure("1", "of how many; a task is one however many elements it is tried at"),
        "tasks_solved": TASKS_SOLVED,
        "median_steps": Measure("1", "until solved; failures count as longer than any success"),
        "deviation": Measure("px", "|obs at g·s - g·(obs at s)|, largest; reach: of its lengths", log=True),
        "certificate": Measure("", "its verdict"),
        "note": Measure("", "why there are no numbers"),
    }
    small: ClassVar = {
        "ppo_steps": 512, "sac_steps": 200, "transitions": 500, "elements": 2, "episodes": 2, "planned": 1, "pusht": 1,
        "pusht_before": 1, "steps": 8, "scale": "small", "allow_absent": True,
    }  # fmt: skip

    half_width: float = 30.0
    ppo_steps: int = 50_000
    sac_steps: int = 24_000
    transitions: int = 20_000
    elements: int = 8
    episodes: int = 100
    planned: int = 20
    pusht: int = 300
    pusht_before: int = 60
    steps: int = 60
    scale: str = "full"
    allow_absent: bool = False

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        if (arm in PLAIN) == (world == "gym-pusht"):
            yield from ({"symmetrise": when} for when in ("before", "after"))

    def depends(self, cell: Cell) -> Mapping[str, Any]:
        if cell.arm in PLAIN:
            return {"arm": arm_of(cell.arm), "scale": PUSHT.scales[self.scale], "world": PUSHT.described()}
        return {"learner": LEARNERS.get(cell.arm), "sb3": _sb3_version(), "peers": peer_versions()}

    def prepare(self, cells: Sequence[Cell], store: Store) -> None:
        if any(cell.arm in PLAIN for cell in cells):
            disjoint(store, PUSHT, "slice", PUSHT.scales[self.scale])

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        if self.allow_absent and (absent := _absent(cell.arm)):
            return [{"note": absent}]
        after, reach = cell.point["symmetrise"] == "after", cell.world == "reach"
        env = gym.make(REACH, **self._slice) if reach else PUSHT.make(walls=False)
        policy = self._policy(cell, store)
        if after:
            policy = symmetrise(policy, REACH if reach else PUSHT.env_id)
        solved = self._everywhere(policy, cell) if reach else self._on_pusht(policy, after)
        steps = min(self.steps, 40) if reach else self.steps
        certificate = certify(policy, env, elements=self.elements, episodes=4, steps=steps, seed=FIRST)
        return [{**solved, "deviation": certificate.max_deviation, "certificate": certificate.verdict}]

    @property
    def _slice(self) -> dict[str, Any]:
        return {"half_width": math.radians(self.half_width)}

    def _everywhere(self, policy: Any, cell: Cell) -> Row:
        """Tasks of reach solved at every element, at which the simulator itself begins the same episodes."""
        group = symmetry_of(REACH).group
        drawn = group.sample(np.random.default_rng([cell.seed, 7]), self.elements, scale=2.0)
        count = self.episodes if cell.arm in LEARNERS else self.planned
        make = partial(gym.make, REACH, **self._slice)
        settings: dict[str, Any] = {"episodes": count, "n_envs": min(count, 50), "seed": FIRST}
        first, *others = (
            _solved(evaluate(policy, make, options={"group_element": g}, **settings))
            for g in (group.identity(), *drawn)
        )
        at = np.array(others).mean(1)
        means = {"success_slice": first.mean(), "success_worst": at.min(), "success_mean": at.mean()}
        return _row(np.all(others, 0)) | {name: float(mean) for name, mean in means.items()}

    def _on_pusht(self, policy: Any, after: bool) -> Row:
        """Success on gym-pusht's own environment, task and resets."""
        count = self.pusht if after else self.pusht_before
        found = evaluate(policy, _stock, episodes=count, seed=FIRST, n_envs=min(count, 100))
        median = found.median_steps if found.median_steps < math.inf else None
        return _row(_solved(found)) | {"median_steps": median}

    def _policy(self, cell: Cell, store: Store) -> Any:
        """What was trained on a slice, as it is."""
        if cell.world == "gym-pusht":
            model = trained_model(store, PUSHT, arm_of(cell.arm), cell.seed, PUSHT.scales[self.scale])
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
        inputs = {"steps": steps, "seed": cell.seed, "sb3": _sb3_version(), **self._slice, **settings}

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


def _solved(found: Evaluation) -> NDArray[np.bool_]:
    """Of each episode."""
    return np.array([bool(episode.success) for episode in found.episodes])


def _row(solved: NDArray[np.bool_]) -> Row:
    """The share of tasks, and each."""
    words = tasks_solved([{"success": float(each)} for each in solved])
    return share("success", int(solved.sum()), len(solved)) | {"tasks_solved": words}


def _sb3_version() -> str | None:
    return metadata.version("stable-baselines3") if find_spec("stable_baselines3") else None


def _absent(arm: str) -> str | None:
    """Why the library of a policy cannot be imported, if it cannot."""
    if arm in LEARNERS:
        return None if _sb3_version() else "absent: pip install stable-baselines3"
    return present([arm], allow_absent=True)[1].get(arm)


def _stock() -> gym.Env:
    """gym-pusht's own environment; the view adds goal and velocity to what is observed."""
    import gym_pusht  # noqa: F401  registers

    return StockView(gym.make("gym_pusht/PushT-v0", disable_env_checker=True))
