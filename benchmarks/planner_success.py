"""Which planner solves the task best in equal time?"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from equiworld.benchmarks.parallel import in_parallel
from equiworld.benchmarks.stages import ENV
from equiworld.benchmarks.success import ENV_ARGUMENTS, Arm, arm_model, shared_settings, slice_parts
from equiworld.models import WorldModel
from equiworld.planners import CEM, ICEM, MPPI, GradientPlanner, MPCPolicy, Planner, RandomShooting
from equiworld.results import make_result, write_json
from equiworld.verify.evaluate import evaluate

__all__ = ["PlannerSuccessConfig", "run"]

PLANNERS: dict[str, Planner] = {
    "CEM, around elites": CEM(),
    "CEM, around their mean": CEM(around="mean"),
    "ICEM": ICEM(),
    "MPPI": MPPI(),
    "GradientPlanner": GradientPlanner(iterations=5),
    "RandomShooting": RandomShooting(iterations=1),
}
FEWEST, MOST = 8, 4096  # samples


@dataclass(frozen=True)
class PlannerSuccessConfig:
    """Every planner with as many samples as fit in the same time.

    Attributes:
        out: folder for `planner-success.json`; models that `success` has trained there are used.
        seed: of model and planner.
        quick: a small version whose numbers prove nothing.
        milliseconds: of one decision for one environment, on one thread.
        episodes: of each task for each planner.
        first_episode: seed of the first; tuning used others.
        workers: processes that play; as many as cores if None. Times are measured before, by one process alone.
        progress: show progress bars.
    """

    out: Path = Path("runs/success")
    seed: int = 0
    quick: bool = False
    milliseconds: float = 15.0
    episodes: int = 200
    first_episode: int = 3_000_000
    workers: int | None = None
    progress: bool = True

    def reduced(self) -> PlannerSuccessConfig:
        """The small version, if asked for."""
        return replace(self, episodes=2, milliseconds=4.0) if self.quick else self


def run(config: PlannerSuccessConfig) -> dict[str, Any]:
    """Fit every planner to the time, let it play; write `planner-success.json`."""
    began = time.perf_counter()
    config = config.reduced()
    training = shared_settings(config)
    data, validation, _ = slice_parts(training)
    model = arm_model(training, Arm("state"), config.seed, data, validation)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        fitted = {name: _fitted(config, model, planner) for name, planner in PLANNERS.items()}
    finally:
        torch.set_num_threads(threads)
    jobs = [
        (config, model, name, planner, milliseconds, task)
        for name, (planner, milliseconds) in fitted.items()
        for task in ENV_ARGUMENTS
    ]
    rows = in_parallel(_play, jobs, "planners", config.workers, config.progress)
    settings = {
        **asdict(config),
        "environment": ENV,
        "tasks": ENV_ARGUMENTS,
        "family": "state",
        "dtype": "float32",
    }
    settings["planners"] = {name: asdict(planner) for name, (planner, _) in fitted.items()}
    result = make_result("planner-success", settings, rows, time.perf_counter() - began)
    write_json(config.out / "planner-success.json", result)
    return result


def _fitted(config: PlannerSuccessConfig, model: WorldModel, planner: Planner) -> tuple[Planner, float]:
    """The planner with the most samples that fit in the time, and how long it takes with them [ms]."""
    low, high = FEWEST, MOST
    while high - low > max(1, low // 16):
        middle = (low + high) // 2
        if decision_milliseconds(model, _sized(planner, middle)) <= config.milliseconds:
            low = middle
        else:
            high = middle
    sized = _sized(planner, low)
    return sized, decision_milliseconds(model, sized)


def _sized(planner: Planner, samples: int) -> Planner:
    changes: dict[str, Any] = {"samples": samples}
    elites = getattr(planner, "elites", None)
    if elites is not None:
        changes["elites"] = min(elites, samples)
    return replace(planner, **changes)


def decision_milliseconds(model: WorldModel, planner: Planner, calls: int = 9) -> float:
    """Median time of a decision for one environment."""
    env = gym.make(ENV, disable_env_checker=True)
    observation, _ = env.reset(seed=0)
    policy = MPCPolicy(model, planner)
    times = []
    for _ in range(calls + 2):
        began = time.perf_counter()
        policy.predict(observation)
        times.append(time.perf_counter() - began)
    return 1e3 * float(np.median(times[2:]))


def _play(
    config: PlannerSuccessConfig,
    model: WorldModel,
    name: str,
    planner: Planner,
    milliseconds: float,
    task: str,
) -> dict[str, Any]:
    result = evaluate(
        MPCPolicy(model, planner, seed=config.seed),
        lambda: gym.make(ENV, disable_env_checker=True, **ENV_ARGUMENTS[task]),
        episodes=config.episodes,
        seed=config.first_episode,
        n_envs=100,
    )
    low, high = result.success_interval()
    return {
        "planner": name,
        "samples": planner.samples,
        "iterations": planner.iterations,
        "milliseconds": milliseconds,
        "task": task,
        "episodes": config.episodes,
        "success": result.success_rate,
        "success_low": low,
        "success_high": high,
        "median_steps": result.summary()["median_steps"],
        "within_100": result.share_within(100),
    }
