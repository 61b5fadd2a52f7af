"""How good are the plans of a given number of evaluations? Tasks with obstacles, here and elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from equiworld.arguments import integer
from equiworld.benchmarks.contenders import CONTENDERS, OURS, Budget, World, assemble, peer_versions
from equiworld.benchmarks.planner_pictures import draw_quality
from equiworld.benchmarks.planner_worlds import point_mass, point_mass_states, unicycle, unicycle_states
from equiworld.results import make_result, text_table, write_json

__all__ = ["PlannerQualityConfig", "quality_rows", "report", "run"]

TARGET = (
    "at each number of samples the best of this library's planners is not worse than the best peer by more than "
    "chance: the interval of the paired difference does not lie above 0"
)


@dataclass(frozen=True)
class PlannerQualityConfig:
    """Which tasks, and how much a planner may try.

    Attributes:
        out: folder for `planner-quality.json` and `planner-quality.png`.
        seed: of tasks and noise.
        quick: a small version, of this library's planners only.
        tasks: in each world, the same for all.
        seeds: of the noise, for each task.
        samples: candidates an iteration.
        horizon: of each planner.
        iterations: of each planner.
        resamples: of the tasks, for the intervals.
    """

    out: Path = Path("runs/planner-quality")
    seed: int = 0
    quick: bool = False
    tasks: int = 20
    seeds: int = 5
    samples: tuple[int, ...] = (32, 64, 128, 256, 512)
    horizon: int = 12
    iterations: int = 6
    resamples: int = 2000

    def __post_init__(self) -> None:
        integer("tasks", self.tasks, least=2)  # of one task there is no interval

    def reduced(self) -> PlannerQualityConfig:
        """The small version, if asked for."""
        return self if not self.quick else replace(self, tasks=4, seeds=2, samples=(16, 32), iterations=3)


def run(config: PlannerQualityConfig) -> dict[str, Any]:
    """Plan all tasks with every contender, write `planner-quality.json` and draw costs against samples."""
    began = time.perf_counter()
    config = config.reduced()
    names = OURS if config.quick else tuple(CONTENDERS)
    rows: list[dict[str, Any]] = assemble(point_mass(2), Budget(), names)[1]
    settings: dict[str, Any] = {}
    generator = torch.Generator().manual_seed(config.seed)
    for world, states in (
        (point_mass(2), point_mass_states(2, config.tasks, generator)),
        (unicycle(), unicycle_states(config.tasks, generator)),
    ):
        for samples in config.samples:
            budget = Budget(samples, config.horizon, config.iterations)
            costs, given = _costs(config, world, states, budget, names)
            rows += quality_rows(config, world.name, samples, costs)
            settings[f"{world.name}, {samples} samples"] = given
    described = asdict(config) | {
        "cost": "sum over the horizon, of the plan returned, evaluated alike for all; lower is better",
        "interval": "95 %, bootstrap over tasks; differences are paired",
        "budget": "candidates of a decision = samples × iterations, the same for all; gradients not counted",
        "spread": "first noise of standard deviation 1 in each coordinate of the action, for all",
        "tuning": "none: defaults of each library; as many elites, for the samples, as by default",
        "dtype": "float32",
        "target": TARGET,
        "contenders": settings,
        "peers": peer_versions(),
    }
    result = make_result("planner-quality", described, rows, time.perf_counter() - began)
    write_json(config.out / "planner-quality.json", result)
    draw_quality(result, config.out / "planner-quality.png")
    return result


def _costs(
    config: PlannerQualityConfig, world: World, states: torch.Tensor, budget: Budget, names: Sequence[str]
) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
    """Of each contender the costs of its plans, `(tasks, seeds)`, and its settings."""
    present, _ = assemble(world, budget, names)
    costs = {}
    for name, contender in present.items():
        each = []
        for seed in range(config.seeds):
            # Environments of one call have seeds that follow one another.
            plans = contender.plan(states, config.seed + seed * config.tasks)
            each.append(world.plan_cost(states, plans).double().numpy())
        costs[name] = np.stack(each, 1)
    return costs, {name: contender.settings for name, contender in present.items()}


def quality_rows(
    config: PlannerQualityConfig, world: str, samples: int, costs: Mapping[str, NDArray[np.float64]]
) -> list[dict[str, Any]]:
    """The mean cost of each contender, and how far ours lie from the best peer.

    Args:
        config: says how often tasks are drawn anew.
        world: its name.
        samples: candidates an iteration.
        costs: of the plans of each contender, by name, `(tasks, seeds)`.
    """
    of_tasks = {name: values.mean(1) for name, values in costs.items()}
    means = {name: float(values.mean()) for name, values in of_tasks.items()}
    peers = [name for name in means if name not in OURS]
    best_peer = min(peers, key=means.__getitem__, default=None)
    best_ours = min((name for name in means if name in OURS), key=means.__getitem__)
    seed = [config.seed, samples]
    rows = []
    for name, values in of_tasks.items():
        low, high = _interval(values, config.resamples, seed)
        row: dict[str, Any] = {
            "world": world,
            "contender": name,
            "kind": "ours" if name in OURS else "peer",
            "samples": samples,
            "candidates": samples * config.iterations,
            "mean_cost": means[name],
            "low": low,
            "high": high,
        }
        if name in OURS and best_peer is not None:
            apart = values - of_tasks[best_peer]
            row |= {"best_peer": best_peer, "above_best_peer": float(apart.mean())}
            row["above_low"], row["above_high"] = _interval(apart, config.resamples, seed)
            if name == best_ours:
                row |= {"best_of_ours": True, "met": row["above_low"] <= 0}
        rows.append(row)
    return rows


def _interval(values: NDArray[np.float64], resamples: int, seed: list[int]) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the mean; with one seed the same tasks are drawn for all."""
    from scipy.stats import bootstrap  # slow to import

    rng = np.random.default_rng(seed)
    found = bootstrap((values,), np.mean, n_resamples=resamples, method="percentile", random_state=rng)
    low, high = found.confidence_interval
    return float(low), float(high)


def report(result: Mapping[str, Any]) -> str:
    """For each world mean costs against samples, a line for each contender."""
    rows = [row for row in result["rows"] if "absent" not in row]
    parts = []
    for world in dict.fromkeys(row["world"] for row in rows):
        lines: dict[str, dict[str, Any]] = {}
        for row in rows:
            if row["world"] == world:
                line = lines.setdefault(row["contender"], {"contender": row["contender"]})
                line[f"{row['samples']} samples"] = (
                    f"{row['mean_cost']:.2f} ({row['low']:.2f}–{row['high']:.2f})"
                )
        parts.append(f"{world}: mean cost (95 %)\n\n" + text_table(list(lines.values())))
    absent = [row for row in result["rows"] if "absent" in row]
    return "\n\n".join([*parts, *([text_table(absent)] if absent else [])])
