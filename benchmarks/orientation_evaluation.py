"""Every model of the orientation benchmark, tried in every way: predictions, tasks over the orbit, the own task."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import numpy as np

from equiworld.benchmarks.closed_loop import TurnedTasks, draw_tasks, run_orbit
from equiworld.benchmarks.orientation_config import Config
from equiworld.benchmarks.parallel import in_parallel
from equiworld.benchmarks.prediction import away_from_walls, turned_errors
from equiworld.benchmarks.stages import ENV
from equiworld.groups import SE2, GroupElement
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy
from equiworld.training import Dataset
from equiworld.verify.evaluate import evaluate
from equiworld.verify.evaluation import Evaluation
from equiworld.verify.evaluation.intervals import wilson_interval

__all__ = ["PLAYED", "PREDICTED", "Findings", "evaluate_all", "orientations"]

PREDICTED, PLAYED = 16, 8  # orientations: of the test data, and of the closed loop


def orientations(count: int) -> GroupElement:
    """Turns of the whole scene about its centre, evenly over the circle, the identity first."""
    return SE2().grid(count)


@dataclass(frozen=True)
class Findings:
    """What came of one model."""

    own_task: Evaluation
    orbit: TurnedTasks
    errors: list[dict[str, Any]]

    def rows(self, name: str, family: str, config: Config) -> list[dict[str, Any]]:
        """One line for each orientation, and one for gym-pusht's own task."""
        who = {"model": name, "family": family, "parameters": self.errors[0]["parameters"]}
        rows = [{**who, "part": "orbit", **row} for row in self.errors]
        stride = PREDICTED // PLAYED
        deviations, steps = self.orbit.deviations(), self.orbit.steps()
        for index, row in enumerate(rows[::stride]):
            solved = self.orbit.success[index]
            low, high = wilson_interval(int(solved.sum()), len(solved))
            row |= {
                "tasks": len(solved),
                "success_count": int(solved.sum()),
                "success": float(solved.mean()),
                "success_low": low,
                "success_high": high,
                "final_coverage": float(np.median(self.orbit.coverage[index])),
                "deviation_median": float(np.median(deviations[index])),
                "deviation_max": float(deviations[index].max()),
                "steps_median": float(np.median(steps[index])),
            }
        own = {"part": "own_task", "max_steps": config.episode_steps, **self.own_task.summary()}
        return [*rows, {**who, **own, "success_count": self.own_task.successes}]


def evaluate_all(config: Config, folders: Mapping[str, Path], data: Dataset) -> dict[str, Findings]:
    """Every model in every way; what takes longest begins first."""
    ways = (_play_own_task, _play_orbit, _predict)
    jobs = [(way, config, folders[name], data) for way in ways for name in folders]
    done = in_parallel(_call, jobs, "evaluate", config.workers, config.progress)
    by_way = [done[i : i + len(folders)] for i in range(0, len(jobs), len(folders))]
    return {name: Findings(*parts) for name, *parts in zip(folders, *by_way, strict=True)}


def _call(way: Any, *arguments: Any) -> Any:
    return way(*arguments)


def _policy(config: Config, folder: Path, dtype: Literal["float32", "float64"]) -> MPCPolicy:
    """Models without the symmetry plan along the world's axes: behind the door any policy is equivariant."""
    model = WorldModel.load(folder)
    return MPCPolicy(model, CEM(), dtype=dtype, seed=config.seed, door=model.equivariant)


def _play_own_task(config: Config, folder: Path, data: Dataset) -> Evaluation:
    """gym-pusht's own task: walls, its resets, its success."""
    env = gym.make(ENV, disable_env_checker=True)
    try:
        return evaluate(
            _policy(config, folder, "float32"),
            env,
            episodes=config.episodes,
            seed=10_000 + config.seed,
            n_envs=min(config.episodes, 25),
            max_steps=config.episode_steps,
        )
    finally:
        env.close()


def _play_orbit(config: Config, folder: Path, data: Dataset) -> TurnedTasks:
    """The same tasks at every orientation, without walls."""
    policy = _policy(config, folder, "float64")
    tasks = draw_tasks(np.random.default_rng([config.seed, 3]), config.tasks, math.radians(config.half_width))
    return run_orbit(policy, tasks, orientations(PLAYED), config.task_steps)


def _predict(config: Config, folder: Path, data: Dataset) -> list[dict[str, Any]]:
    """One-step errors on the test data at every orientation."""
    model = WorldModel.load(folder)
    interior = away_from_walls(data)
    rows = []
    for index, errors in enumerate(turned_errors(model, data, orientations(PREDICTED))):
        rows.append(
            {
                "parameters": model.parameter_count,
                "angle_deg": 360.0 * index / PREDICTED,
                "relative_error": errors.relative(interior),
                "relative_error_near_walls": errors.relative(~interior),
            }
        )
    return rows
