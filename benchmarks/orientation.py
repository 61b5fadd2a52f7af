"""Is the closed loop the same at every orientation? Three models of one size, trained on one slice of headings."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.benchmarks.closed_loop import Orbit, draw_tasks, run_orbit
from equiworld.benchmarks.orientation_report import report
from equiworld.benchmarks.prediction import away_from_walls, turned_errors
from equiworld.benchmarks.stages import ENV, collect_slice, stage_folder, trained_model
from equiworld.errors import ArgumentError
from equiworld.groups import SE2, GroupElement
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy
from equiworld.results import make_result, write_json
from equiworld.training import Dataset, TrainingConfig, check_disjoint
from equiworld.verify.evaluate import evaluate
from equiworld.verify.evaluation import Evaluation
from equiworld.verify.statistics import wilson_interval

__all__ = ["MODELS", "Config", "report", "run"]

MODELS = {"equivariant": "state", "plain": "mlp", "augmented": "augmented"}
"""What is compared, and the family of each."""

PREDICTED, PLAYED = 16, 8  # orientations: of the test data, and of the closed loop
QUICK = {"transitions": 30_000, "test_transitions": 3_000, "steps": 900, "tasks": 4, "episodes": 16}


@dataclass(frozen=True)
class Config:
    """Train on a slice of headings, then turn the world: prediction, tasks and paths at every orientation.

    Attributes:
        out: folder for the results; data and models are kept there too and not made again.
        seed: of data, weights, batches, tasks and planner.
        quick: a small version of everything, in about a minute; its numbers prove nothing.
        transitions: collected for training.
        test_transitions: collected for testing, with another seed.
        steps: optimiser steps, the same for each model.
        width: of each of three hidden layers, the same for each model.
        half_width: of the slice of headings that is trained on [deg].
        tasks: at each orientation.
        task_steps: environment steps in a task at most.
        episodes: of gym-pusht's own task, with its walls and its resets at every heading.
        episode_steps: environment steps in each of these at most.
        workers: processes; as many as cores if None.
        progress: show progress bars.
        pictures: draw `orientation.png` and `orientation.gif`.
    """

    out: Path = Path("runs/demo")
    seed: int = 0
    quick: bool = False
    transitions: int = 250_000
    test_transitions: int = 10_000
    steps: int = 6000
    width: int = 128
    half_width: float = 30.0
    tasks: int = 16
    task_steps: int = 100
    episodes: int = 100
    episode_steps: int = 200
    workers: int | None = None
    progress: bool = True
    pictures: bool = True

    def __post_init__(self) -> None:
        for name in ("transitions", "test_transitions", "steps", "width", "tasks", "task_steps", "episodes"):
            if getattr(self, name) < 1:
                raise ArgumentError(name, getattr(self, name), "a positive integer")
        if not 0 < self.half_width <= 180:
            raise ArgumentError("half_width", self.half_width, "degrees between 0 and 180")

    def reduced(self) -> Config:
        """With `quick`, no number larger than in the small version."""
        if not self.quick:
            return self
        return replace(self, **{name: min(most, getattr(self, name)) for name, most in QUICK.items()})


def run(config: Config) -> dict[str, Any]:
    """Collect, train, evaluate, draw; write `orientation.json` and the pictures to `config.out`.

    Raises:
        OverlapError: training and test data share transitions.
        EquiworldError: whatever the stages raise; what was finished before is kept.
    """
    began = time.perf_counter()
    config = config.reduced()
    clock = _Clock()
    train_data, test_data = _data(config)
    overlap = _overlap(train_data, test_data)
    clock.lap("collect")
    folders = _train(config, train_data)
    clock.lap("train")
    found = _in_parallel(config, "evaluate", _evaluate, [(config, folders[name], test_data) for name in MODELS])
    findings = dict(zip(MODELS, found, strict=True))
    clock.lap("evaluate")
    result = make_result(
        "orientation",
        _settings(config, train_data, overlap),
        [row for name, one in findings.items() for row in one.rows(name, config)],
        time.perf_counter() - began,
    )
    if config.pictures:
        from equiworld.benchmarks.animation import animate
        from equiworld.benchmarks.pictures import draw

        draw(result, config.out / "orientation.png")
        animate({name: one.orbit for name, one in findings.items()}, config.out / "orientation.gif")
        clock.lap("pictures")
    result["seconds"] = time.perf_counter() - began
    result["config"]["stage_seconds"] = clock.laps
    write_json(config.out / "orientation.json", result)
    return result


class _Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self._last = now - self._last, now


@dataclass(frozen=True)
class _Findings:
    """What came of one model."""

    parameters: int
    errors: list[dict[str, Any]]
    orbit: Orbit
    own_task: Evaluation

    def rows(self, name: str, config: Config) -> list[dict[str, Any]]:
        """One line for each orientation, and one for gym-pusht's own task."""
        who = {"model": name, "family": MODELS[name], "parameters": self.parameters}
        rows = [{**who, "part": "orbit", **row} for row in self.errors]
        stride = PREDICTED // PLAYED
        deviations, steps = self.orbit.deviations(), self.orbit.steps()
        for index, row in enumerate(rows[::stride]):
            solved = self.orbit.success[index]
            low, high = wilson_interval(int(solved.sum()), len(solved))
            row |= {
                "tasks": len(solved),
                "solved": int(solved.sum()),
                "success": float(solved.mean()),
                "success_low": low,
                "success_high": high,
                "final_coverage": float(np.median(self.orbit.coverage[index])),
                "deviation_median": float(np.median(deviations[index])),
                "deviation_max": float(deviations[index].max()),
                "steps_median": float(np.median(steps[index])),
            }
        own = {"part": "own_task", "max_steps": config.episode_steps, **self.own_task.summary()}
        return [*rows, {**who, **own, "solved": self.own_task.successes}]


def _data(config: Config) -> tuple[Dataset, Dataset]:
    half_width = math.radians(config.half_width)
    parts = []
    for name, count, seed in (("train", config.transitions, 0), ("test", config.test_transitions, 1)):
        seed += 2 * config.seed
        settings = {"transitions": count, "seed": seed, "half_width": half_width}
        folder = stage_folder(config.out / "data", name, settings)
        parts.append(collect_slice(folder, count, seed, half_width, config.workers, config.progress))
    return parts[0], parts[1]


def _orientations(count: int) -> GroupElement:
    """Turns of the whole scene about its centre, evenly over the circle, the identity first."""
    return SE2().grid(count)


def _overlap(train_data: Dataset, test_data: Dataset) -> dict[str, Any]:
    """Proof that nothing tested on was trained on, as it was collected or turned."""
    turned = Dataset.concatenate([test_data.transform(g) for g in _orientations(PREDICTED)[1:]])
    reports = [
        check_disjoint(train=train_data, seen_test=test_data),
        check_disjoint(train=train_data, turned_test=turned),
    ]
    return {key: {k: v for part in reports for k, v in part[key].items()} for key in reports[0]}


def _train(config: Config, data: Dataset) -> dict[str, Path]:
    """Train what is not trained yet; the folder of each model."""
    jobs, folders = [], {}
    for name, family in MODELS.items():
        settings = {"seed": config.seed, "hidden": [config.width] * 3, "periodic": config.width // 2}
        depends = {
            "family": family,
            "settings": settings,
            "data": [config.transitions, config.seed, config.half_width],
            "steps": config.steps,
        }
        folder = folders[name] = stage_folder(config.out / "models", name, depends)
        training = TrainingConfig(steps=config.steps, seed=config.seed, folder=str(folder))
        # One bar at a time: they run side by side. The augmented model takes the longest.
        training = replace(training, progress=config.progress and name == "augmented")
        jobs.append((folder, data, family, settings, training))
    _in_parallel(config, "models", trained_model, jobs[::-1])
    return folders


def _evaluate(config: Config, folder: Path, data: Dataset) -> _Findings:
    """One model: predictions over the orbit, tasks over the orbit, gym-pusht's own task."""
    model = WorldModel.load(folder)
    policy = MPCPolicy(model, CEM(), dtype="float64", seed=config.seed)
    tasks = draw_tasks(np.random.default_rng([config.seed, 3]), config.tasks, math.radians(config.half_width))
    orbit = run_orbit(policy, tasks, _orientations(PLAYED), config.task_steps)
    env = gym.make(ENV, disable_env_checker=True)
    own = evaluate(
        policy,
        env,
        episodes=config.episodes,
        seed=10_000 + config.seed,
        n_envs=min(config.episodes, 25),
        max_steps=config.episode_steps,
    )
    env.close()
    return _Findings(model.parameter_count, _prediction_rows(model, data, config), orbit, own)


def _prediction_rows(model: WorldModel, data: Dataset, config: Config) -> list[dict[str, Any]]:
    interior = away_from_walls(data)
    rows = []
    for index, errors in enumerate(turned_errors(model, data, _orientations(PREDICTED))):
        angle = 360.0 * index / PREDICTED
        rows.append(
            {
                "angle": angle,
                "seen": abs(math.remainder(angle, 360.0)) <= config.half_width,
                "rel_mse": errors.relative(interior),
                "rel_mse_near_walls": errors.relative(~interior),
            }
        )
    return rows


def _in_parallel(config: Config, title: str, function: Any, jobs: list[tuple[Any, ...]]) -> list[Any]:
    """The function of each job, one process a job, one thread a process; in order."""
    from joblib import Parallel, delayed, parallel_config
    from tqdm import tqdm

    workers = min(config.workers or _cores(), len(jobs))
    results: list[Any] = []
    with parallel_config("loky", inner_max_num_threads=1), tqdm(
        total=len(jobs), desc=title, unit=" model", disable=not config.progress
    ) as bar:
        for one in Parallel(n_jobs=workers, return_as="generator")(delayed(function)(*job) for job in jobs):
            results.append(one)
            bar.update()
    return results


def _cores() -> int:
    import joblib

    return joblib.cpu_count()


def _settings(config: Config, data: Dataset, overlap: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **asdict(config),
        "env": ENV,
        "training_transitions": len(data),
        "overlap": overlap,
        "elements": _orientations(PREDICTED),
        "orbit": "active: the simulator itself starts at g·s with goal g·goal, without walls",
        "planner": {"name": "CEM", **asdict(CEM())},
        "dtype": "float64",
        "success": "more than 95 % of the goal covered, before the time is up",
        "rel_mse": "Σ‖predicted − next‖² / Σ‖next − now‖² over the block's corners, more than 5 px off the walls",
        "deviation": "largest distance of agent and corners from the unturned path, turned along [px]",
        "data": dict(data.provenance),
    }
