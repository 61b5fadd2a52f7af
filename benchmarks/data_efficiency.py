"""How many transitions does the task take? Equivariant on a slice against plain with full-group augmentation."""

from __future__ import annotations

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
from equiworld.errors import ArgumentError
from equiworld.models import FAMILIES, WorldModel
from equiworld.planners import CEM, MPCPolicy
from equiworld.results import make_result, read_json, to_plain, write_json
from equiworld.training import Dataset, TrainingConfig, check_disjoint
from equiworld.verify.evaluate import evaluate
from equiworld.verify.evaluation.intervals import wilson_interval

__all__ = ["DataEfficiencyConfig", "run"]


@dataclass(frozen=True)
class DataEfficiencyConfig:
    """Families on parts of one collection: each seed trains on a part of its own and plays episodes of its own.

    What serves with much data overfits little of it. So for every family and size the same cells of settings are tried
    on a part that no seed trains on, and the one of the lowest one-step error on validation data serves all seeds.

    Attributes:
        out: folder for models, `data-efficiency.json` and the picture; data that `success` has collected there is used.
        seed: of the collection; training seeds count up from it, and that of the choice comes before them.
        quick: a small version whose numbers prove nothing.
        sizes: transitions of the slice that models are trained on, a tenth of them held out in training.
        families: compared.
        seeds: models of each family and size.
        steps: of the optimiser, to choose from.
        weight_decays: likewise.
        learning_rates: likewise.
        periodic: shares of sine features, of the width of the perceptrons' hidden layers, likewise.
        episodes: of gym-pusht's own task for each model.
        first_episode: seed of the first.
        workers: processes; as many as cores if None.
        progress: show progress bars.
    """

    out: Path = Path("runs/success")
    seed: int = 0
    quick: bool = False
    sizes: tuple[int, ...] = (2_000, 5_000, 20_000)
    families: tuple[str, ...] = ("state", "state-steerable", "augmented")
    seeds: int = 5
    steps: tuple[int, ...] = (300, 1000, 3000)
    weight_decays: tuple[float, ...] = (0.03, 0.3)
    learning_rates: tuple[float, ...] = (3e-3, 1e-2)
    periodic: tuple[float, ...] = (0.0, 0.5)
    episodes: int = 100
    first_episode: int = 2_000_000
    workers: int | None = None
    progress: bool = True

    def reduced(self) -> DataEfficiencyConfig:
        """The small version, if asked for."""
        if not self.quick:
            return self
        few: dict[str, Any] = {"steps": (100,), "weight_decays": (0.3,), "learning_rates": (1e-2,)}
        return replace(self, sizes=(1_000,), seeds=1, periodic=(0.0,), episodes=2, **few)


def run(config: DataEfficiencyConfig) -> dict[str, Any]:
    """Train and evaluate every size; write the result and its picture."""
    began = time.perf_counter()
    config = config.reduced()
    data, validation, test = slice_parts(shared_settings(config))
    overlap = check_disjoint(train=data, validation=validation, test=test)
    wanted = max(config.sizes) * (config.seeds + 1)
    if wanted > len(data):
        expected = f"(seeds + 1) · sizes of at most the {len(data)} transitions collected"
        raise ArgumentError(
            "sizes", f"{wanted} transitions for {config.seeds} seeds and the choice", expected
        )
    cells = [(family, size) for size in config.sizes for family in config.families]
    trials = [(config, family, _part(data, size, -1), validation) for family, size in cells]
    chosen = in_parallel(_choose, trials, "settings", config.workers, config.progress)
    jobs = [
        (config, family, offset, _part(data, size, offset), cell, test)
        for (family, size), cell in zip(cells, chosen, strict=True)
        for offset in range(config.seeds)
    ]
    rows = in_parallel(_measure, jobs, "models", config.workers, config.progress)
    settings = {**asdict(config), "overlap": overlap, "planner": asdict(CEM())}
    result = make_result("data-efficiency", settings, rows, time.perf_counter() - began)
    write_json(config.out / "data-efficiency.json", result)
    _draw(result, config.out / "data-efficiency.png")
    return result


def _part(data: Dataset, size: int, offset: int) -> Dataset:
    """The transitions of one seed; −1 for the choice of settings, which takes the last."""
    start = len(data) - size if offset < 0 else offset * size
    return data.select(slice(start, start + size))


def _choose(
    config: DataEfficiencyConfig, family: str, data: Dataset, validation: Dataset
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of the model and of training with the lowest one-step error away from walls."""
    interior = away_from_walls(validation)
    grid = product(config.steps, config.weight_decays, config.learning_rates)
    cells = [
        (settings, {"steps": steps, "weight_decay": decay, "learning_rate": rate})
        for steps, decay, rate in grid
        for settings in _settings(config, family)
    ]

    def error(cell: tuple[dict[str, Any], dict[str, Any]]) -> float:
        # A seed that no reported model has.
        model = _trained(config, family, config.seed + config.seeds, data, cell)
        return step_errors(model, validation).comparable(interior)

    return min(cells, key=error)


def _trained(
    config: DataEfficiencyConfig,
    family: str,
    seed: int,
    data: Dataset,
    cell: tuple[dict[str, Any], dict[str, Any]],
) -> WorldModel:
    settings, training = {"seed": seed, **cell[0]}, {"seed": seed, **cell[1]}
    depends = {"settings": settings, "training": training, "data": data.fingerprint()}
    folder = stage_folder(config.out / "models", f"{family}-{len(data)}", depends)
    return trained_model(folder, data, family, settings, TrainingConfig(**training, folder=str(folder)))


def _measure(
    config: DataEfficiencyConfig,
    family: str,
    offset: int,
    data: Dataset,
    cell: tuple[dict[str, Any], dict[str, Any]],
    test: Dataset,
) -> dict[str, Any]:
    seed, first = config.seed + offset, config.first_episode + offset * config.episodes
    path = config.out / "models" / f"efficiency-{family}-{len(data)}-{seed}-{config.episodes}-{first}.json"
    depends = {"cell": cell, "data": data.fingerprint()}
    if path.exists() and (kept := read_json(path))["config"] == to_plain(depends):
        return kept["rows"][0]  # an interrupted run does not play its episodes again
    model = _trained(config, family, seed, data, cell)
    result = evaluate(
        MPCPolicy(model, CEM(), seed=seed, door=model.equivariant),
        lambda: gym.make(ENV, disable_env_checker=True),
        episodes=config.episodes,
        seed=first,
        n_envs=10,  # few: those whose episodes are over wait for the last one
    )
    row = {
        "family": family,
        "transitions": len(data),
        "training_seed": seed,
        "parameters": model.parameter_count,
        **cell[0],
        **cell[1],
        "relative_error": step_errors(model, test).relative(away_from_walls(test)),
        "episodes": config.episodes,
        "success_count": result.successes,
        "success": result.success_rate,
        "median_steps": result.summary()["median_steps"],
    }
    write_json(path, make_result("data-efficiency", depends, [row], 0.0))
    return row


def _settings(config: DataEfficiencyConfig, family: str) -> list[dict[str, Any]]:
    """What a family is tried with."""
    network = FAMILIES[family].network
    if not hasattr(network, "periodic"):
        return [{}]
    return [{"periodic": round(share * network.hidden[0])} for share in config.periodic]  # type: ignore[attr-defined]


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
        sizes = sorted({row["transitions"] for row in rows})
        alike = [[row for row in rows if row["transitions"] == size] for size in sizes]
        counts = [
            (sum(row["success_count"] for row in each), sum(row["episodes"] for row in each))
            for each in alike
        ]
        low, high = (
            100 * np.array(side) for side in zip(*(wilson_interval(*count) for count in counts), strict=True)
        )
        left.fill_between(sizes, low, high, color=colour, alpha=0.18, linewidth=0)
        shares = [100 * solved / played for solved, played in counts]
        left.plot(sizes, shares, "o-", color=colour, label=labels.get(family, family))
        right.plot(
            sizes, [np.mean([row["relative_error"] for row in each]) for each in alike], "o-", color=colour
        )
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
