"""How fast is a decision, here and elsewhere, on the same dynamics with the same number of evaluations?"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from equiworld.benchmarks.contenders import CONTENDERS, OURS, Budget, World, assemble, peer_versions
from equiworld.benchmarks.planner_pictures import draw_scaling
from equiworld.benchmarks.planner_timing import bare, exponent, recording, resident_mb
from equiworld.benchmarks.planner_worlds import network_world
from equiworld.benchmarks.suite.timing import race
from equiworld.results import make_result, text_table, write_json

__all__ = ["PlannerSpeedConfig", "report", "run"]

CASES: dict[str, tuple[int, Budget, float]] = {
    "1 × 300 × 10": (1, Budget(samples=300, horizon=10, iterations=10), 0.8),
    "1 × 1000 × 25": (1, Budget(samples=1000, horizon=25, iterations=10), 0.8),
    "8 × 300 × 10": (8, Budget(samples=300, horizon=10, iterations=10), 0.4),
}
"""Environments × samples × horizon: environments, budget, and the target for our time over the fastest peer's."""
BARE_TARGET = 1.25
EXPONENT_TARGET = (0.9, 1.1)
MEMORY_TARGET = 5.0  # [MB]
GRADIENT = "GradientPlanner"  # each of its evaluations is differentiated: compared with nothing
NOTES = {
    "GradientPlanner": "each evaluation is followed by its backward pass, which the budget does not count",
    "pytorch_mppi": "a command is one iteration: ten commands a decision, the plan not shifted between them",
}


@dataclass(frozen=True)
class PlannerSpeedConfig:
    """How often things are timed.

    Attributes:
        out: folder for `planner-speed.json` and `planner-speed.png`.
        seed: of network, states and noise.
        quick: a small version, of this library's planners only, whose numbers prove nothing.
        repeats: rounds in which every contender decides once.
        scaling_repeats: likewise, for each size.
        samples: sizes for the cost against samples.
        horizons: sizes for the cost against the horizon.
        envs: sizes for the cost against the number of environments.
        decisions: of each planner while its memory is watched.
    """

    out: Path = Path("runs/planner-speed")
    seed: int = 0
    quick: bool = False
    repeats: int = 40
    scaling_repeats: int = 10
    samples: tuple[int, ...] = (300, 600, 1500, 3000)
    horizons: tuple[int, ...] = (5, 10, 25, 50)
    envs: tuple[int, ...] = (1, 2, 5, 10)
    decisions: int = 1000

    def reduced(self) -> PlannerSpeedConfig:
        """The small version, if asked for."""
        if not self.quick:
            return self
        small = replace(self, samples=(30, 300), horizons=(5, 10), envs=(1, 2))
        return replace(small, repeats=3, scaling_repeats=2, decisions=40)


def run(config: PlannerSpeedConfig) -> dict[str, Any]:
    """Time everything in turn, write `planner-speed.json`, draw the costs against sizes."""
    began = time.perf_counter()
    config = config.reduced()
    world = network_world(config.seed)
    names = OURS if config.quick else tuple(CONTENDERS)
    rows, settings = assemble(world, Budget(), names)[1], {}
    for case in CASES:
        found, settings[case] = _decisions(config, world, case, names)
        rows += found
    rows += _scaling(config, world, names)
    rows += _memory(config, world)
    described = asdict(config) | {
        "world": world.name,
        "dtype": "float32",
        "threads": torch.get_num_threads(),
        "cases": {case: {"envs": envs, **asdict(budget)} for case, (envs, budget, _) in CASES.items()},
        "budget": "samples × horizon × iterations evaluations of the dynamics for each environment; as counted",
        "bare": "the dynamics alone, as often and for as many states at a time as the planner asks for",
        "targets": {
            "over fastest peer": {case: target for case, (_, _, target) in CASES.items()},
            "over bare": BARE_TARGET,
            "exponent": EXPONENT_TARGET,
            "memory drift [MB]": MEMORY_TARGET,
        },
        "contenders": settings,
        "notes": NOTES,
        "peers": peer_versions(),
    }
    result = make_result("planner-speed", described, rows, time.perf_counter() - began)
    write_json(config.out / "planner-speed.json", result)
    draw_scaling(result, config.out / "planner-speed.png")
    return result


def _states(world: World, envs: int, seed: int) -> torch.Tensor:
    return torch.randn(envs, world.state_size, generator=torch.Generator().manual_seed(seed))


def _decisions(
    config: PlannerSpeedConfig, world: World, case: str, names: tuple[str, ...]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """One row for each contender in one case, and what each was set to."""
    envs, budget, target = CASES[case]
    states = _states(world, envs, config.seed)
    watched, asked = recording(world)
    counts: dict[str, list[int]] = {}
    for name, contender in assemble(watched, budget, names)[0].items():
        asked.clear()
        contender.decide(states, config.seed)
        counts[name] = list(asked)
    present, _ = assemble(world, budget, names)
    calls: dict[str, Callable[[int], object]] = {
        name: partial(each.decide, states) for name, each in present.items()
    }
    # Planners that ask for the same share one such call.
    calls |= {str(rows): bare(world, rows) for name, rows in counts.items() if name in OURS}
    times = race(calls, config.repeats)
    peers = [name for name in present if name not in OURS]
    fastest = min(peers, key=lambda name: float(np.median(times[name])), default=None)
    rows = []
    for name in present:
        row: dict[str, Any] = {
            "part": "decision",
            "case": case,
            "contender": name,
            "median_ms": float(np.median(times[name])),
            "minimum_ms": float(times[name].min()),
            "evaluations": sum(counts[name]) // envs,
            "calls": len(counts[name]),
        }
        if name in OURS:
            row["over_bare"] = _ratio(times[name], times[str(counts[name])])
            if fastest is not None:
                row |= {"fastest_peer": fastest, "over_fastest_peer": _ratio(times[name], times[fastest])}
                row["minima_over_fastest_peer"] = float(times[name].min() / times[fastest].min())
                # What no planner can go below that asks for these evaluations.
                row["bare_over_fastest_peer"] = _ratio(times[str(counts[name])], times[fastest])
            if name != GRADIENT:
                row["bare_met"] = row["over_bare"] <= BARE_TARGET
                row["met"] = row["over_fastest_peer"] <= target if fastest is not None else None
        rows.append(row)
    return rows, {name: each.settings for name, each in present.items()}


def _ratio(times: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """The median over rounds of one time over another of the same round."""
    return float(np.median(times / others))


def _scaling(config: PlannerSpeedConfig, world: World, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Milliseconds against samples, horizon and environments, and the exponents they grow with."""
    _, budget, _ = next(iter(CASES.values()))
    sizes = {
        "samples": [(1, replace(budget, samples=size)) for size in config.samples],
        "horizon": [(1, replace(budget, horizon=size)) for size in config.horizons],
        "environments": [(size, budget) for size in config.envs],
    }
    values = {"samples": config.samples, "horizon": config.horizons, "environments": config.envs}
    low, high = EXPONENT_TARGET
    rows = []
    for quantity, cases in sizes.items():
        medians: dict[str, list[float]] = {}
        for envs, each in cases:
            states = _states(world, envs, config.seed)
            present, _ = assemble(world, each, names)
            calls = {name: partial(contender.decide, states) for name, contender in present.items()}
            for name, times in race(calls, config.scaling_repeats).items():
                medians.setdefault(name, []).append(float(np.median(times)))
        for name, found in medians.items():
            power = exponent(values[quantity], found)
            row = {"part": "scaling", "against": quantity, "contender": name, "exponent": power}
            row |= {"values": list(values[quantity]), "median_ms": found}
            rows.append(row | ({"met": low <= power <= high} if name in OURS else {}))
    return rows


def _memory(config: PlannerSpeedConfig, world: World) -> list[dict[str, Any]]:
    """How far the memory of this process moves while each of our planners decides again and again."""
    _, budget, _ = next(iter(CASES.values()))
    states = _states(world, 1, config.seed)
    rows = []
    for name, contender in assemble(world, budget, OURS)[0].items():
        for seed in range(config.decisions // 10):
            contender.decide(states, seed)
        held = [resident_mb()]
        for seed in range(config.decisions):
            contender.decide(states, seed)
            if (seed + 1) % (config.decisions // 10) == 0:
                held.append(resident_mb())
        drift = max(abs(each - held[0]) for each in held)
        row = {"part": "memory", "contender": name, "decisions": config.decisions, "held_mb": held[0]}
        rows.append(row | {"largest_drift_mb": drift, "met": drift <= MEMORY_TARGET})
    return rows


def report(result: Mapping[str, Any]) -> str:
    """Decisions, exponents and memory, a table each."""
    columns = {
        "case": "envs × samples × horizon",
        "contender": "contender",
        "median_ms": "median [ms]",
        "minimum_ms": "minimum [ms]",
        "evaluations": "evaluations",
        "over_bare": "over bare network",
        "over_fastest_peer": "over fastest peer",
        "bare_over_fastest_peer": "bare over it",
        "fastest_peer": "which is",
        "met": "target met",
    }
    parts: dict[str, list[Any]] = {"decision": [], "scaling": [], "memory": [], "absent": []}
    for row in result["rows"]:
        parts[row.get("part", "absent")].append(row)
    exponents: dict[str, dict[str, Any]] = {}
    for row in parts["scaling"]:
        line = exponents.setdefault(row["contender"], {"contender": row["contender"]})
        line[f"exponent of {row['against']}"] = row["exponent"]
    memory = {"contender": "contender", "decisions": "decisions", "largest_drift_mb": "drift [MB]"}
    texts = [
        text_table(parts["decision"], columns),
        text_table(list(exponents.values())),
        text_table(parts["memory"], memory),
    ]
    return "\n\n".join([*texts, *([text_table(parts["absent"])] if parts["absent"] else [])])
