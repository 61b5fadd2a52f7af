"""Is a slice of orientations enough for the whole task? Success on gym-pusht's own resets, walls on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from equiworld.benchmarks.preparation import ENV, TrainingRun, describe, prepare_data, train_all
from equiworld.planners import CEM, MPCPolicy

from equiworld.models import WorldModel
from equiworld.results import versions
from equiworld.verify.evaluate import evaluate

__all__ = ["SuccessConfig", "run"]

TASKS: dict[str, dict[str, Any]] = {
    "gym-pusht resets, coverage > 0.95": {},
    "random goals, coverage > 0.98": {"goal": "random", "starts": "free", "success_coverage": 0.98},
}


@dataclass(frozen=True)
class SuccessConfig:
    """What is trained and how often it is tried.

    Attributes:
        out: folder for data, models and the result.
        seed: of the data; training seeds count up from it.
        transitions: collected within ±30° of block heading.
        all_transitions: collected over all headings, for the comparison.
        steps: optimiser steps of each model.
        training_seeds: how many models of each family.
        families: trained on the slice.
        episodes: for each model and task.
        first_episode: seed of the first; tuning used others.
    """

    out: str = "out/success"
    seed: int = 0
    transitions: int = 300_000
    all_transitions: int = 300_000
    steps: int = 6000
    training_seeds: int = 3
    families: tuple[str, ...] = ("state", "state-steerable", "mlp", "mlp-centred", "augmented")
    episodes: int = 300
    first_episode: int = 1_000_000


def run(config: SuccessConfig) -> dict[str, Any]:
    """Train, evaluate, and return the result file's content."""
    began = time.perf_counter()
    out = Path(config.out)
    data = {"slice": prepare_data(out, config.transitions, config.seed)}
    plan = [(family, "slice") for family in config.families]
    if config.all_transitions:
        data["all"] = prepare_data(out, config.all_transitions, config.seed, np.pi)
        plan.append(("state", "all"))
    runs = [
        TrainingRun(family, config.seed + offset, config.steps, data=name)
        for family, name in plan
        for offset in range(config.training_seeds)
    ]
    models = train_all(out, [(run, data[run.data]) for run in runs])
    rows = [
        row
        for run, model in zip(runs, models, strict=True)
        for row in _evaluate(run, model, config, len(data[run.data]))
    ]
    return {
        "benchmark": "success",
        "versions": versions(),
        "config": describe(config),
        "rows": rows,
        "seconds": time.perf_counter() - began,
    }


def _evaluate(
    run: TrainingRun, model: WorldModel, config: SuccessConfig, transitions: int
) -> list[dict[str, Any]]:
    rows = []
    for task, arguments in TASKS.items():
        policy = MPCPolicy(model, CEM(), seed=config.seed)
        result = evaluate(
            policy,
            lambda arguments=arguments: gym.make(ENV, disable_env_checker=True, **arguments),
            episodes=config.episodes,
            seed=config.first_episode,
            n_envs=100,
        )
        low, high = result.success_interval()
        rows.append(
            {
                "task": task,
                "family": run.family,
                "data": run.data,
                "transitions": transitions,
                "training_seed": run.seed,
                "parameters": model.parameter_count,
                "episodes": config.episodes,
                "success": result.success_rate,
                "success_low": low,
                "success_high": high,
                "median_steps": result.summary()["median_steps"],
                "within_100": result.share_within(100),
                "final_coverage": float(np.mean([episode.final["coverage"] for episode in result.episodes])),
                "dtype": "float32",
            }
        )
    return rows
