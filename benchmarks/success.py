"""Is a slice of orientations enough for the whole task? Success on gym-pusht's own resets, walls on."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.benchmarks.parallel import in_parallel
from equiworld.benchmarks.prediction import away_from_walls, step_errors
from equiworld.benchmarks.stages import ENV, collect_slice, stage_folder, trained_model
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy
from equiworld.results import make_result, read_json, write_json
from equiworld.training import Dataset, TrainingConfig, check_disjoint
from equiworld.verify.evaluate import evaluate

__all__ = ["Arm", "SuccessConfig", "arm_model", "run", "slice_data"]

ENV_ARGUMENTS: dict[str, dict[str, Any]] = {
    "gym-pusht": {},
    "random goals": {"goal": "random", "starts": "free", "success_coverage": 0.98},
}
"""gym-pusht's own resets and goal, coverage > 0.95; goals anywhere inside the walls, coverage > 0.98."""


@dataclass(frozen=True)
class Arm:
    """One family trained on one part of the data.

    Attributes:
        family: of the model.
        data: "slice" or "all".
        seeds: how many models are trained.
        width: of each hidden layer; the family's default if None.
        share: of the episodes; wide networks that fail take many times as long to play.
        tasks: which of the tasks it is tried on.
    """

    family: str
    data: str = "slice"
    seeds: int = 3
    width: int | None = None
    share: float = 1.0
    tasks: tuple[str, ...] = ("gym-pusht",)


ARMS = (
    Arm("state", tasks=("gym-pusht", "random goals")),
    Arm("state", data="all", seeds=2, tasks=("gym-pusht", "random goals")),
    Arm("augmented", seeds=1, share=1 / 3),
    Arm("mlp", share=1 / 6),
    Arm("mlp-centred", seeds=1, share=1 / 6),
    Arm("state-steerable", seeds=1),
)


@dataclass(frozen=True)
class SuccessConfig:
    """What is trained and how often it is tried.

    Attributes:
        out: folder for data, models and `success.json`.
        seed: of the data; training seeds count up from it.
        quick: a small version whose numbers prove nothing.
        transitions: collected for each of the slice and all headings.
        steps: optimiser steps of each model.
        learning_rates: tried with the first seed of each arm; the better on validation data serves them all.
        training_seeds: models of each family, at most.
        half_width: of the slice [deg].
        episodes: for each model and task.
        first_episode: seed of the first; tuning used others.
        workers: processes; as many as cores if None.
        progress: show progress bars.
    """

    out: Path = Path("runs/success")
    seed: int = 0
    quick: bool = False
    transitions: int = 600_000
    steps: int = 8000
    learning_rates: tuple[float, ...] = (3e-3, 1e-2)
    training_seeds: int = 3
    half_width: float = 30.0
    episodes: int = 300
    first_episode: int = 1_000_000
    workers: int | None = None
    progress: bool = True

    def reduced(self) -> SuccessConfig:
        """The small version, if asked for."""
        return replace(self, transitions=5_000, steps=100, episodes=2) if self.quick else self


def run(config: SuccessConfig) -> dict[str, Any]:
    """Train, evaluate, write `success.json` and return its content."""
    began = time.perf_counter()
    config = config.reduced()
    data = {
        "slice": slice_data(config, "slice", config.transitions, 0),
        "all": slice_data(config, "all", config.transitions, 1),
    }
    test, validation = (
        {
            name: slice_data(config, name, config.transitions // 10, offset + index)
            for index, name in enumerate(data)
        }
        for offset in (2, 4)
    )
    parts = {"train": data, "validation": validation, "test": test}
    overlap = check_disjoint(**{f"{part}_{name}": parts[part][name] for part in parts for name in data})
    arms = ARMS[:2] if config.quick else ARMS
    trials = [
        (config, arm, config.seed, data[arm.data], rate) for arm in arms for rate in config.learning_rates
    ]
    in_parallel(_trained, trials, "learning rates", config.workers, config.progress)
    jobs = [
        (config, arm, config.seed + offset, data[arm.data], validation[arm.data], test)
        for arm in arms
        for offset in range(1 if config.quick else min(arm.seeds, config.training_seeds))
    ]
    found = in_parallel(_contend, jobs, "arms", config.workers, config.progress)
    settings = {**asdict(config), "overlap": overlap, "planner": asdict(CEM()), "tasks": ENV_ARGUMENTS}
    result = make_result(
        "success", settings, [row for rows in found for row in rows], time.perf_counter() - began
    )
    write_json(config.out / "success.json", result)
    return result


def shared_settings(config: Any) -> SuccessConfig:
    """The settings of `success` whose data and models another benchmark uses: that of its folder and seed."""
    return SuccessConfig(
        out=config.out, seed=config.seed, quick=config.quick, workers=config.workers, progress=config.progress
    ).reduced()


def slice_parts(config: SuccessConfig) -> tuple[Dataset, Dataset, Dataset]:
    """Training, validation and test data of the slice, which share nothing."""
    sizes = (config.transitions, config.transitions // 10, config.transitions // 10)
    train, test, validation = (
        slice_data(config, "slice", size, offset) for size, offset in zip(sizes, (0, 2, 4), strict=True)
    )
    return train, validation, test


def slice_data(config: SuccessConfig, name: str, transitions: int, offset: int) -> Dataset:
    """The "slice" of headings or "all" of them, collected with a seed that `offset` tells apart."""
    half_width = math.radians(config.half_width) if name == "slice" else math.pi
    seed = 100 + 10 * config.seed + offset
    settings = {"transitions": transitions, "seed": seed, "half_width": half_width}
    folder = stage_folder(config.out / "data", name, settings)
    return collect_slice(folder, transitions, seed, half_width, config.workers, config.progress)


def _contend(
    config: SuccessConfig,
    arm: Arm,
    seed: int,
    data: Dataset,
    validation: Dataset,
    test: dict[str, Dataset],
) -> list[dict[str, Any]]:
    episodes = max(1, round(config.episodes * arm.share))
    rate = chosen_rate(config, arm, data, validation)
    path = _folder(config, arm, seed, rate) / f"success-{episodes}-{config.first_episode}.json"
    if path.exists():  # an interrupted run does not play its episodes again
        return read_json(path)["rows"]
    began = time.perf_counter()
    model = _trained(config, arm, seed, data, rate)
    who = {
        "family": arm.family,
        "data": arm.data,
        "transitions": len(data),
        "training_seed": seed,
        "learning_rate": rate,
        "parameters": model.parameter_count,
        "training_seconds": time.perf_counter() - began,
    }
    for name, part in test.items():
        errors, interior = step_errors(model, part), away_from_walls(part)
        who[f"relative_error_{name}"] = errors.relative(interior)
        who[f"relative_error_{name}_near_walls"] = errors.relative(~interior)
    rows = [{**who, **_try(config, model, name, episodes)} for name in arm.tasks]
    write_json(path, make_result("success", asdict(config), rows, time.perf_counter() - began))
    return rows


def _settings(arm: Arm, seed: int) -> dict[str, Any]:
    settings: dict[str, Any] = {"seed": seed}
    if arm.width is not None:
        settings |= {"hidden": [arm.width] * 3, "periodic": arm.width // 2}
    return settings


def _folder(config: SuccessConfig, arm: Arm, seed: int, rate: float) -> Path:
    depends = {
        "family": arm.family,
        "settings": _settings(arm, seed),
        "data": [arm.data, config.transitions, config.seed, config.half_width],
        "steps": config.steps,
        "learning_rate": rate,
    }
    return stage_folder(config.out / "models", f"{arm.data}-{arm.family}-{seed}", depends)


def _trained(config: SuccessConfig, arm: Arm, seed: int, data: Dataset, rate: float) -> WorldModel:
    folder = _folder(config, arm, seed, rate)
    training = TrainingConfig(steps=config.steps, learning_rate=rate, seed=seed, folder=str(folder))
    return trained_model(folder, data, arm.family, _settings(arm, seed), training)


def chosen_rate(config: SuccessConfig, arm: Arm, data: Dataset, validation: Dataset) -> float:
    """The learning rate of the lowest one-step error on validation data, with the first seed."""
    interior = away_from_walls(validation)

    def error(rate: float) -> float:
        model = _trained(config, arm, config.seed, data, rate)
        return step_errors(model, validation).comparable(interior)

    return min(config.learning_rates, key=error)


def arm_model(config: SuccessConfig, arm: Arm, seed: int, data: Dataset, validation: Dataset) -> WorldModel:
    """The trained model of an arm; found again in `config.out` if it was trained before."""
    return _trained(config, arm, seed, data, chosen_rate(config, arm, data, validation))


def _try(config: SuccessConfig, model: WorldModel, task: str, episodes: int) -> dict[str, Any]:
    def make() -> gym.Env:
        return gym.make(ENV, disable_env_checker=True, **ENV_ARGUMENTS[task])

    result = evaluate(
        MPCPolicy(model, CEM(), seed=config.seed, door=model.equivariant),
        make,
        episodes=episodes,
        seed=config.first_episode,
        n_envs=100,
    )
    low, high = result.success_interval()
    return {
        "task": task,
        "episodes": episodes,
        "success_count": result.successes,
        "success": result.success_rate,
        "success_low": low,
        "success_high": high,
        "median_steps": result.summary()["median_steps"],
        "within_100": result.share_within(100),
        "final_coverage": float(np.mean([episode.final["coverage"] for episode in result.episodes])),
        "dtype": "float32",
    }
