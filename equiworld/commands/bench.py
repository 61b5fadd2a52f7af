"""`equiworld bench NAME` and `equiworld demo`"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from equiworld.benchmarks import BENCHMARKS, Benchmark, benchmark
from equiworld.commands.outcome import Outcome
from equiworld.results import write_json

__all__ = ["DEMO", "bench_commands", "run_benchmark"]

DEMO = "orientation"


def run_benchmark(which: Benchmark, settings: Any) -> Outcome:
    """Run it, and write its result to `NAME.json` in its output folder."""
    result = which.run(settings)
    path = write_json(Path(settings.out) / f"{which.name}.json", result, allow_nonfinite=True)
    return Outcome(f"{which.report(result)}\n{path}")


def bench_commands() -> dict[str, tuple[type[Any], Callable[[Any], Outcome]]]:
    """By name of the benchmark, the class of its settings and what runs them."""

    def runner(which: Benchmark) -> Callable[[Any], Outcome]:
        return lambda settings: run_benchmark(which, settings)

    found = [benchmark(name) for name in BENCHMARKS]
    return {which.name: (which.settings, runner(which)) for which in found}
