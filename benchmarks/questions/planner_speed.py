"""How fast is a decision, here and elsewhere, on the same dynamics with the same number of evaluations?"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from equiworld.benchmarks.peers import OURS, Budget, contender, notes, peer_versions, present, recording
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, panels
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.timing import TIMES, median_ratio, race, summary
from equiworld.benchmarks.worlds.toy import network_world
from equiworld.planners.peers import World

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PlannerSpeed", "bare", "exponent", "resident_mb"]

CASES: Mapping[str, tuple[int, Budget]] = {
    "1 × 300 × 10": (1, Budget(samples=300, horizon=10, iterations=10)),
    "1 × 1000 × 25": (1, Budget(samples=1000, horizon=25, iterations=10)),
    "8 × 300 × 10": (8, Budget(samples=300, horizon=10, iterations=10)),
}
"""Environments × samples × horizon: environments and budget."""

SIZES = ("samples", "horizon", "environments")
BASE = CASES["1 × 300 × 10"][1]
_STATM = Path("/proc/self/statm")


@dataclass(frozen=True)
class PlannerSpeed(Question):
    """Untrained dynamics of the size of learned ones, 18 → 128 → 16, float32; everybody decides in turn.

    Evaluations of the dynamics are counted. The bare network is the dynamics alone, called as often and for as many
    states at a time as a planner of ours asks for. Each evaluation of `GradientPlanner` is followed by its backward
    pass, which no budget counts; ten commands of pytorch_mppi are a decision, the plan not shifted between them.

    Attributes:
        repeats: rounds in which every contender decides once.
        scaling_repeats: likewise, for each size.
        samples: sizes for the time against samples.
        horizons: sizes for the time against the horizon.
        envs: sizes for the time against the number of environments.
        decisions: of each of our planners while its memory is watched.
        share: of the samples, for all.
        allow_absent: go on without libraries that are not installed, and say so.
    """

    name: ClassVar = "planner-speed"
    title: ClassVar = "How long does a decision take with the same number of evaluations?"
    timed: ClassVar = True
    closed: ClassVar = True
    worlds: ClassVar = ("network 18→128→16",)
    arms: ClassVar = ("all",)
    coordinates: ClassVar = SIZES
    measures: ClassVar = {
        **TIMES,
        "evaluations": Measure("1", "of the dynamics, counted, for each environment"),
        "calls": Measure("1", "of the dynamics, for many states at a time"),
        "over_bare": Measure("1", "time over the bare network's in the same round; aimed at ≤ 1.25"),
        "over_fastest_peer": Measure(
            "1", "likewise over that of `peer`; aimed at ≤ 0.8, for eight at once ≤ 0.4"
        ),
        "bare_over_fastest_peer": Measure("1", "what a planner would have that did nothing but evaluate"),
        "peer": Measure("", "of other libraries, with the least median"),
        "exponent": Measure("1", "p of time ∝ sizeᵖ, by least squares of logarithms; aimed at 0.9 to 1.1"),
        "drift": Measure(
            "MB", "the farthest that memory moves after a tenth as many decisions; aimed at ≤ 5"
        ),
        "note": Measure("", "why there are no numbers, or whose version is not the one pinned"),
    }
    small: ClassVar = {
        **{"repeats": 2, "scaling_repeats": 1, "samples": (30, 300), "horizons": (5, 10), "envs": (1, 2)},
        **{"decisions": 20, "share": 0.1, "allow_absent": True},
    }

    repeats: int = 40
    scaling_repeats: int = 10
    samples: tuple[int, ...] = (300, 600, 1500, 3000)
    horizons: tuple[int, ...] = (5, 10, 25, 50)
    envs: tuple[int, ...] = (1, 2, 5, 10)
    decisions: int = 1000
    share: float = 1.0
    allow_absent: bool = False

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        return [{"part": part} for part in (*CASES, *SIZES, "memory")]

    def depends(self, cell: Cell) -> Mapping[str, Any]:
        present(allow_absent=self.allow_absent)  # refused before any work
        return {"peers": peer_versions()}

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        part, world = str(cell.point["part"]), network_world(cell.seed)
        if part == "memory":
            return self._memory(cell, world)
        names, absent = present(allow_absent=self.allow_absent)
        found = (self._decisions if part in CASES else self._scaling)(cell, part, world, names)
        return [*notes(absent), *found]

    def _decisions(self, cell: Cell, case: str, world: World, names: Sequence[str]) -> list[Row]:
        envs, budget = CASES[case]
        budget, states = self._scaled(budget), _states(world, envs, cell.seed)
        counts: dict[str, list[int]] = {}
        for name in names:
            watched, asked = recording(world)
            contender(name, watched, budget).decide(states, cell.seed)
            counts[name] = asked
        calls: dict[str, Callable[[int], object]] = _deciding(names, world, budget, states)
        # Planners that ask for the same share one such call.
        calls |= {str(asked): bare(world, asked) for name, asked in counts.items() if name in OURS}
        times = race(calls, self.repeats)
        peers = [name for name in names if name not in OURS]
        fastest = min(peers, key=lambda name: float(np.median(times[name])), default=None)
        rows = []
        for name in names:
            mine, alone = times[name], times.get(str(counts[name]))
            row: Row = {"arm": name, **summary(mine), "calls": len(counts[name])}
            row["evaluations"] = sum(counts[name]) // envs
            if name in OURS and alone is not None:
                row |= median_ratio(mine, alone, "over_bare")
                if fastest is not None:
                    row |= {"peer": fastest, **median_ratio(mine, times[fastest], "over_fastest_peer")}
                    row |= median_ratio(alone, times[fastest], "bare_over_fastest_peer")
            rows.append(row)
        return rows

    def _scaling(self, cell: Cell, part: str, world: World, names: Sequence[str]) -> list[Row]:
        sizes = {"samples": self.samples, "horizon": self.horizons, "environments": self.envs}[part]
        medians: dict[str, list[float]] = {name: [] for name in names}
        for size in sizes:
            budget = BASE if part == "environments" else replace(BASE, **{part: size})
            states = _states(world, size if part == "environments" else 1, cell.seed)
            calls = _deciding(names, world, self._scaled(budget), states)
            for name, times in race(calls, self.scaling_repeats).items():
                medians[name].append(float(np.median(times)))
        rows: list[Row] = [
            {"arm": name, "exponent": exponent(sizes, found)} for name, found in medians.items()
        ]
        return rows + [
            {"arm": name, part: size, "median_ms": ms}
            for name, found in medians.items()
            for size, ms in zip(sizes, found, strict=True)
        ]

    def _memory(self, cell: Cell, world: World) -> list[Row]:
        states, rows = _states(world, 1, cell.seed), []
        for name in OURS:
            each, held = contender(name, world, self._scaled(BASE)), list[float]()
            tenth = max(self.decisions // 10, 1)
            for seed in range(self.decisions + tenth):
                each.decide(states, seed)
                if (seed + 1) % tenth == 0:
                    held.append(resident_mb())
            rows.append({"arm": name, "drift": max(abs(mb - held[0]) for mb in held)})
        return rows

    def _scaled(self, budget: Budget) -> Budget:
        return replace(budget, samples=max(16, round(self.share * budget.samples)))

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Time against samples, horizon and environments."""
        shown = [Panel("ms a decision", size, "median_ms", size, log="xy") for size in SIZES]
        return panels([row for row in rows if any(size in row for size in SIZES)], shown)


def _states(world: World, envs: int, seed: int) -> Tensor:
    return torch.randn(envs, world.state_size, generator=torch.Generator().manual_seed(seed))


def _deciding(names: Iterable[str], world: World, budget: Budget, states: Tensor) -> dict[str, Any]:
    return {name: partial(contender(name, world, budget).decide, states) for name in names}


def bare(world: World, rows: Sequence[int]) -> Callable[[int], None]:
    """A call that does nothing but evaluate the dynamics, as often and for as many states as was recorded."""
    generator = torch.Generator().manual_seed(0)
    sizes = world.state_size, world.action_size
    inputs = {n: tuple(torch.randn(n, size, generator=generator) for size in sizes) for n in set(rows)}

    @torch.inference_mode()
    def evaluate(_: int) -> None:
        for count in rows:
            world.dynamics(*inputs[count])

    return evaluate


def exponent(values: Sequence[float], times: Sequence[float]) -> float:
    """The exponent p of times ∝ valuesᵖ, by least squares of the logarithms.

    >>> round(exponent([1, 10, 100], [2, 20, 200]), 6)
    1.0
    """
    return float(np.polyfit(np.log(values), np.log(times), 1)[0])


def resident_mb() -> float:
    """Memory that this process holds [MB]; the most that it ever held where the system does not say."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    import resource  # not everywhere

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
