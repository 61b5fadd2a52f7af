"""How many transitions does the task take? Equivariant on a slice against plain with full-group augmentation."""

from __future__ import annotations

import inspect
import math
import time
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from equiworld.benchmarks.parallel import in_parallel
from equiworld.benchmarks.prediction import away_from_walls, step_errors
from equiworld.benchmarks.stages import ENV, stage_folder, trained_model
from equiworld.benchmarks.success import shared_settings, slice_parts
from equiworld.planners import CEM, MPCPolicy

from equiworld.errors import ArgumentError
from equiworld.models import FAMILIES, WorldModel
from equiworld.results import make_result, read_json, write_json
from equiworld.training import Dataset, TrainingConfig, check_disjoint
from equiworld.verify.evaluate import evaluate

__all__ = ["DataEfficiencyConfig", "run"]


@dataclass(frozen=True)
class DataEfficiencyConfig:
    """Families on growing parts of one collection, each with the best of the same few settings.

    What serves with much data overfits little of it. So every family is trained with every combination of
    `learning_rates` and `periodic` (where it has such features), and the model of the lowest error on validation data
    plays.

    Attributes:
        out: folder for models, `data-efficiency.json` and the picture; data that `success` has collected there is used.
        seed: of everything random.
        quick: a small version whose numbers prove nothing.
        sizes: transitions of the slice that models are trained on.
        families: compared.
        steps: optimiser steps, the same for all.
        learning_rates: to choose from.
        periodic: shares of sine features, of the width of the perceptrons' hidden layers, to choose from.
        episodes: of gym-pusht's own task for each model.
        first_episode: seed of the first.
        workers: processes; as many as cores if None.
        progress: show progress bars.
    """

    out: Path = Path("runs/success")
    seed: int = 0
    quick: bool = False
    sizes: tuple[int, ...] = (2_000, 5_000, 20_000, 100_000)
    families: tuple[str, ...] = ("state", "state-steerable", "augmented")
    steps: int = 3000
    learning_rates: tuple[float, ...] = (3e-3, 1e-2)
    periodic: tuple[float, ...] = (0.0, 0.5)
    episodes: int = 100
    first_episode: int = 2_000_000
    workers: int | None = None
    progress: bool = True

    def reduced(self) -> DataEfficiencyConfig:
        """The small version, if asked for."""
        return replace(self, sizes=(1_000,), steps=100, periodic=(0.0,), episodes=2) if self.quick else self


def run(config: DataEfficiencyConfig) -> dict[str, Any]:
    """Train and evaluate every size; write the result and its picture."""
    began = time.perf_counter()
    config = config.reduced()
    data, validation, test = slice_parts(shared_settings(config))
    overlap = check_disjoint(train=data, validation=validation, test=test)
    if max(config.sizes) > len(data):
        raise ArgumentError("sizes", max(config.sizes), f"at most the {len(data)} transitions collected")
    jobs = [
        (config, family, size, data.select(slice(0, size)), validation, test)
        for size in config.sizes
        for family in config.families
    ]
    rows = in_parallel(_measure, jobs, "models", config.workers, config.progress)
    settings = {**asdict(config), "overlap": overlap, "planner": asdict(CEM())}
    result = make_result("data-efficiency", settings, rows, time.perf_counter() - began)
    write_json(config.out / "data-efficiency.json", result)
    _draw(result, config.out / "data-efficiency.png")
    return result


def _measure(
    config: DataEfficiencyConfig, family: str, size: int, data: Dataset, validation: Dataset, test: Dataset
) -> dict[str, Any]:
    path = config.out / "models" / f"efficiency-{family}-{size}-{config.episodes}-{config.first_episode}.json"
    if path.exists():  # an interrupted run does not play its episodes again
        return read_json(path)["rows"][0]
    interior = away_from_walls(validation)
    tried: list[tuple[float, int, WorldModel, dict[str, Any]]] = []
    for rate, settings in product(config.learning_rates, _settings(config, family)):
        depends = {
            "steps": config.steps,
            "learning_rate": rate,
            "settings": settings,
            "data": data.fingerprint(),
        }
        folder = stage_folder(config.out / "models", f"{family}-{size}", depends)
        training = TrainingConfig(
            steps=config.steps, learning_rate=rate, seed=config.seed, folder=str(folder)
        )
        model = trained_model(folder, data, family, settings, training)
        error = step_errors(model, validation).relative(interior) or math.inf
        tried.append((error, len(tried), model, {"learning_rate": rate, **settings}))
    error, _, model, chosen = min(tried, key=lambda each: each[:2])
    result = evaluate(
        MPCPolicy(model, CEM(), seed=config.seed, door=model.equivariant),
        lambda: gym.make(ENV, disable_env_checker=True),
        episodes=config.episodes,
        seed=config.first_episode,
        n_envs=100,
    )
    low, high = result.success_interval()
    row = {
        "family": family,
        "transitions": len(data),
        "parameters": model.parameter_count,
        "chosen": chosen,
        "rel_mse_validation": error,
        "rel_mse": step_errors(model, test).relative(away_from_walls(test)),
        "episodes": config.episodes,
        "success": result.success_rate,
        "success_low": low,
        "success_high": high,
        "median_steps": result.summary()["median_steps"],
    }
    write_json(path, make_result("data-efficiency", asdict(config), [row], 0.0))
    return row


def _settings(config: DataEfficiencyConfig, family: str) -> list[dict[str, Any]]:
    """What a family is tried with."""
    if family == "state-steerable":
        return [{"seed": config.seed}]
    width = inspect.signature(FAMILIES[family]).parameters["hidden"].default[0]
    return [{"seed": config.seed, "periodic": round(share * width)} for share in config.periodic]


def _draw(result: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    from equiworld.files import write_atomically

    figure = Figure(figsize=(8.0, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    labels = {
        "state": "equivariant (body frame), slice of ±30°",
        "state-steerable": "equivariant (scalars and vectors), slice of ±30°",
        "augmented": "plain, slice turned by all of SO(2)",
    }
    colours = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
    for colour, family in zip(colours, result["config"]["families"], strict=False):
        rows = [row for row in result["rows"] if row["family"] == family]
        sizes = np.array([row["transitions"] for row in rows])
        success = 100 * np.array(
            [[row[k] for k in ("success_low", "success", "success_high")] for row in rows]
        )
        left.fill_between(sizes, success[:, 0], success[:, 2], color=colour, alpha=0.18, linewidth=0)
        left.plot(sizes, success[:, 1], "o-", color=colour, label=labels.get(family, family))
        right.plot(sizes, [row["rel_mse"] for row in rows], "o-", color=colour)
    left.set(
        xscale="log", xlabel="training transitions", ylabel="success on gym-pusht's task [%]", ylim=(0, 103)
    )
    right.set(xscale="log", yscale="log", xlabel="training transitions", ylabel="one-step relMSE, held out")
    figure.legend(loc="outside lower center", frameon=False)
    measured = sorted({row["transitions"] for row in result["rows"]})
    for axes in (left, right):
        axes.set_xticks(measured, [f"{count:,}" for count in measured])
        axes.set_xticks([], minor=True)
        axes.grid(alpha=0.3)
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=160))
