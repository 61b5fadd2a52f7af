"""Does `symmetrise` make other people's policies exact, and as good everywhere as they are where they were trained?"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.benchmarks.parallel import in_parallel
from equiworld.benchmarks.reach import REACH, ForwardPushes
from equiworld.benchmarks.stages import ENV, kept_rows, stage_folder, trained_model
from equiworld.benchmarks.success import Arm, arm_model, shared_settings, slice_parts
from equiworld.envs.pusht.stock import StockView
from equiworld.groups import GroupElement
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy, peer_policy
from equiworld.results import make_result, text_table, write_json
from equiworld.sb3 import symmetrise
from equiworld.symmetry import symmetry_of
from equiworld.training import TrainingConfig, collect
from equiworld.verify.certificate import certify
from equiworld.verify.evaluate import evaluate

__all__ = ["ExactPolicyConfig", "report", "run"]

LEARNERS: dict[str, dict[str, Any]] = {
    "PPO": {},
    "SAC": {"learning_rate": 1e-3, "gamma": 0.95, "ent_coef": 0.01, "gradient_steps": 2},
}
"""What they are given beyond stable-baselines3's defaults."""

TARGETS = {"deviation": 1e-8, "worst element below the slice [points]": 2.0, "gym-pusht": 0.99}


@dataclass(frozen=True)
class ExactPolicyConfig:
    """Policies that were trained where goals lie, or the block is turned, within ±30°; before and after `symmetrise`.

    Attributes:
        out: folder for policies, models, finished rows and `exact-policy.json`.
        seed: of everything random.
        quick: a small version whose numbers prove nothing.
        learners: of stable-baselines3, trained on the slice of the reach task.
        peers: other libraries' planners over a plain model of that slice.
        models: folders of plain models of PushT; if none are given, they are trained as `equiworld bench success` does.
        families: of those that are trained.
        training_seeds: of each family.
        half_width: of the slice [deg].
        steps: environment steps of PPO and of SAC.
        transitions: for the plain model of the reach task.
        elements: besides the identity.
        episodes: of the reach task at each element.
        planned: of it with the peers, which take longer.
        pusht: episodes of gym-pusht's own task after `symmetrise`.
        pusht_before: and before: a policy that fails plays each to its end.
        first_episode: seed of the first.
        workers: processes; as many as cores if None.
        progress: show progress bars.
    """

    out: Path = Path("runs/exact-policy")
    seed: int = 0
    quick: bool = False
    learners: tuple[str, ...] = ("PPO", "SAC")
    peers: tuple[str, ...] = ("pytorch_mppi", "stable-worldmodel MPPI")
    models: tuple[Path, ...] = ()
    families: tuple[str, ...] = ("mlp", "mlp-centred")
    training_seeds: int = 1
    half_width: float = 30.0
    steps: tuple[int, int] = (50_000, 24_000)
    transitions: int = 20_000
    elements: int = 8
    episodes: int = 100
    planned: int = 20
    pusht: int = 300
    pusht_before: int = 60
    first_episode: int = 1_000_000
    workers: int | None = None
    progress: bool = True

    def reduced(self) -> ExactPolicyConfig:
        """The small version, if asked for."""
        if not self.quick:
            return self
        small = replace(self, learners=("PPO",), peers=("pytorch_mppi",), families=("mlp",), steps=(512, 200))
        return replace(small, transitions=500, elements=2, episodes=2, planned=1, pusht=1, pusht_before=1)


def run(config: ExactPolicyConfig) -> dict[str, Any]:
    """Train what is missing, try everything, write `exact-policy.json` and return its content."""
    began = time.perf_counter()
    config = config.reduced()
    jobs: list[tuple[Any, ...]] = [(config, _learned, name) for name in config.learners]
    jobs += [(config, _planned, name) for name in config.peers]
    jobs += [
        (config, _pusht, str(folder), kind) for folder in _models(config) for kind in ("before", "after")
    ]
    rows = in_parallel(partial(kept_rows, "exact-policy"), jobs, "policies", config.workers, config.progress)
    settings = {**asdict(config), "targets": TARGETS, "planner": asdict(CEM()), "settings": LEARNERS}
    settings["definitions"] = {
        "success": "of the last step of an episode; slice: as trained; worst: the lowest of the elements",
        "deviation": "largest of an active certificate: |obs at g·s - g·(obs at s)|, in the units of the points",
    }
    result = make_result(
        "exact-policy", settings, [row for part in rows for row in part], time.perf_counter() - began
    )
    write_json(config.out / "exact-policy.json", result, allow_nonfinite=True)
    return result


def report(result: dict[str, Any]) -> str:
    """The rows as a table."""
    return text_table(result["rows"])


# --- the reach task --------------------------------------------------------------------------------------


def _slice(config: ExactPolicyConfig) -> dict[str, Any]:
    return {"half_width": math.radians(config.half_width)}


def _learned(config: ExactPolicyConfig, learner: str) -> list[dict[str, Any]]:
    """A policy of stable-baselines3, trained on the slice, with its own defaults."""
    import stable_baselines3
    import torch
    from stable_baselines3.common.env_util import make_vec_env

    kind = getattr(stable_baselines3, learner)
    steps = dict(zip(("PPO", "SAC"), config.steps, strict=True))[learner]
    depends = {"steps": steps, "seed": config.seed, **_slice(config), **LEARNERS[learner]}
    path = stage_folder(config.out / "policies", learner, depends)
    if not path.with_suffix(".zip").exists():
        torch.manual_seed(config.seed)
        envs = make_vec_env(lambda: gym.make(REACH, confined=True, **_slice(config)), 8, config.seed)
        policy = kind("MlpPolicy", envs, seed=config.seed, device="cpu", **LEARNERS[learner])
        policy.learn(steps)
        policy.save(path)
    policy = kind.load(path, device="cpu")
    who = {"policy": f"stable-baselines3 {learner}", "trained": f"{steps} steps of the slice"}
    return _reach_rows(config, policy, who, config.episodes)


def _planned(config: ExactPolicyConfig, peer: str) -> list[dict[str, Any]]:
    """Another library's planner over a plain model of what happens under pushes about +x."""
    settings = {"transitions": config.transitions, "seed": config.seed, "half_width": 2 * config.half_width}
    folder = stage_folder(config.out / "models", "reach", settings)
    forward = ForwardPushes(math.radians(2 * config.half_width))
    data = collect(
        gym.make(REACH, **_slice(config)), config.transitions, config.seed, exploration=forward, workers=1
    )
    training = TrainingConfig(steps=min(3000, config.transitions), batch_size=256, seed=config.seed)
    model = trained_model(folder, data, "mlp", {"seed": config.seed}, training)
    who = {"policy": peer, "trained": f"plain model, {len(data)} transitions of the slice"}
    return _reach_rows(config, peer_policy(peer, model, seed=config.seed), who, config.planned)


def _reach_rows(
    config: ExactPolicyConfig, policy: Any, who: dict[str, Any], episodes: int
) -> list[dict[str, Any]]:
    """Success at every element and the deviation of the closed loop, before and after."""
    symmetry = symmetry_of(REACH)
    drawn = symmetry.group.sample(np.random.default_rng([config.seed, 7]), config.elements, scale=2.0)
    elements = GroupElement.stack([symmetry.group.identity(), *drawn])
    rows = []
    for name, each in (("before", policy), ("after", symmetrise(policy, gym.make(REACH)))):
        solved = [
            evaluate(
                each,
                lambda: gym.make(REACH, **_slice(config)),
                episodes=episodes,
                seed=config.first_episode,
                n_envs=min(episodes, 50),
                options={"group_element": g},
            ).successes
            for g in elements
        ]
        env = gym.make(REACH, **_slice(config))
        certificate = certify(
            each, env, elements=config.elements, episodes=4, steps=40, seed=config.first_episode
        )
        rows.append(
            {
                **who,
                "task": "reach",
                "symmetrise": name,
                "episodes": episodes,
                "elements": len(drawn),
                "success_slice": solved[0] / episodes,
                "success_worst": min(solved[1:]) / episodes,
                "success_mean": float(np.mean(solved[1:])) / episodes,
                "deviation": certificate.max_deviation,
                "certificate": certificate.verdict,
            }
        )
    return rows


# --- gym-pusht's own task --------------------------------------------------------------------------------


def _models(config: ExactPolicyConfig) -> list[Path]:
    """The plain models that were given, or those of `equiworld bench success`, trained now."""
    if config.models:
        return [Path(folder) for folder in config.models]
    shared, found = shared_settings(config), []
    train, validation, _ = slice_parts(shared)
    for family in config.families:
        for seed in range(config.seed, config.seed + config.training_seeds):
            folder = stage_folder(config.out / "models", f"{family}-{seed}", asdict(shared))
            if not (folder / "model.safetensors").exists():
                arm_model(shared, Arm(family), seed, train, validation).save(folder)
            found.append(folder)
    return found


def _stock() -> gym.Env:
    """gym-pusht's own environment, task and resets; the view adds goal and velocity to what is observed."""
    import gym_pusht  # noqa: F401  registers

    return StockView(gym.make("gym_pusht/PushT-v0", disable_env_checker=True))


def _pusht(config: ExactPolicyConfig, folder: str, when: str) -> list[dict[str, Any]]:
    """A plain planner over a plain model on gym-pusht's own task."""
    model = WorldModel.load(folder)
    policy: Any = MPCPolicy(model, CEM(), seed=config.seed, door=False)
    episodes = config.pusht_before if when == "before" else config.pusht
    if when == "after":
        policy = symmetrise(policy, ENV)
    found = evaluate(policy, _stock, episodes=episodes, seed=config.first_episode, n_envs=min(episodes, 100))
    low, high = found.success_interval()
    env = gym.make(ENV, walls=False)
    certificate = certify(
        policy, env, elements=config.elements, episodes=4, steps=60, seed=config.first_episode
    )
    return [
        {
            "policy": "MPCPolicy(door=False)",
            "trained": f"{model.family}, {Path(folder).name}",
            "task": "gym-pusht, StockView",
            "symmetrise": when,
            "episodes": episodes,
            "elements": config.elements,
            "success_slice": None,
            "success_worst": None,
            "success_mean": found.success_rate,
            "success_low": low,
            "success_high": high,
            "median_steps": found.summary()["median_steps"],
            "deviation": certificate.max_deviation,
            "certificate": certificate.verdict,
        }
    ]
