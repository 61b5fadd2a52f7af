"""Is the closed loop the same at every orientation? Three models of one size, trained on one slice of headings."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from equiworld.benchmarks.orientation_config import Config
from equiworld.benchmarks.orientation_evaluation import PREDICTED, evaluate_all, orientations
from equiworld.benchmarks.orientation_report import report
from equiworld.benchmarks.parallel import in_parallel
from equiworld.benchmarks.stages import ENV, collect_slice, stage_folder, trained_model
from equiworld.planners import CEM
from equiworld.results import make_result, write_json
from equiworld.training import Dataset, TrainingConfig, check_disjoint

__all__ = ["MODELS", "Config", "report", "run"]

MODELS = {"equivariant": "state", "plain": "mlp", "augmented": "augmented"}
"""What is compared, and the family of each."""


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
    findings = evaluate_all(config, folders, test_data)
    clock.lap("evaluate")
    result = make_result(
        "orientation",
        _settings(config, train_data, overlap),
        [row for name, one in findings.items() for row in one.rows(name, MODELS[name], config)],
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


def _data(config: Config) -> tuple[Dataset, Dataset]:
    half_width = math.radians(config.half_width)
    parts = []
    for name, count, seed in (("train", config.transitions, 0), ("test", config.test_transitions, 1)):
        seed += 2 * config.seed
        settings = {"transitions": count, "seed": seed, "half_width": half_width}
        folder = stage_folder(config.out / "data", name, settings)
        parts.append(collect_slice(folder, count, seed, half_width, config.workers, config.progress))
    return parts[0], parts[1]


def _overlap(train_data: Dataset, test_data: Dataset) -> dict[str, Any]:
    """Proof that nothing tested on was trained on, as it was collected or turned."""
    turned = Dataset.concatenate([test_data.transform(g) for g in orientations(PREDICTED)[1:]])
    reports = [
        check_disjoint(train=train_data, seen_test=test_data),
        check_disjoint(train=train_data, turned_test=turned),
    ]
    return {key: {k: v for part in reports for k, v in part[key].items()} for key in reports[0]}


def _train(config: Config, data: Dataset) -> dict[str, Path]:
    """Train what is not trained yet; the folder of each model."""
    jobs, folders = [], {}
    training = TrainingConfig(config.steps, config.batch_size, seed=config.seed)
    for name, family in MODELS.items():
        settings = {"seed": config.seed, "hidden": [config.width] * 3, "periodic": 0}
        depends = {
            "family": family,
            "settings": settings,
            "data": [config.transitions, config.seed, config.half_width],
            "training": training,
        }
        folder = folders[name] = stage_folder(config.out / "models", name, depends)
        # One bar at a time: they run side by side. The augmented model takes the longest.
        progress = config.progress and name == "augmented"
        jobs.append(
            (folder, data, family, settings, replace(training, folder=str(folder), progress=progress))
        )
    in_parallel(trained_model, jobs[::-1], "train", config.workers, config.progress)
    return folders


def _settings(config: Config, data: Dataset, overlap: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **asdict(config),
        "env": ENV,
        "training_transitions": len(data),
        "overlap": overlap,
        "elements": orientations(PREDICTED),
        "orbit": "active: the simulator itself starts at g·s with goal g·goal, without walls",
        "planner": {"name": "CEM", **asdict(CEM())},
        "dtype": {"orbit": "float64", "own_task": "float32"},
        "success": "more than 95 % of the goal covered, before the time is up",
        "relative_error": "Σ‖predicted − next‖² / Σ‖next − now‖² over the block's corners, over 5 px off the walls",
        "deviation": "largest distance of agent and corners from the unturned path, turned along [px]",
        "data": dict(data.provenance),
    }
