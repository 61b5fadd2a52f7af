"""How many parameters does the same one-step error take, with the symmetry and without?"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from equiworld.benchmarks.parallel import in_parallel
from equiworld.benchmarks.prediction import away_from_walls, step_errors
from equiworld.benchmarks.success import (
    Arm,
    SuccessConfig,
    arm_model,
    shared_settings,
    slice_parts,
)
from equiworld.results import make_result, text_table, write_json
from equiworld.training import Dataset, check_disjoint

__all__ = ["ParametersConfig", "report", "run"]

EQUIVARIANT = "state"


@dataclass(frozen=True)
class ParametersConfig:
    """Perceptrons of several widths, all trained alike on the slice, each at the better learning rate.

    Attributes:
        out: folder for models, `parameters.json` and the picture; what `success` has left there is used.
        seed: of everything random.
        quick: a small version whose numbers prove nothing.
        equivariant_widths: of the hidden layers of `state`.
        plain_widths: of `mlp` and `mlp-centred`.
        steps: optimiser steps of each.
        workers: processes; as many as cores if None.
        progress: show progress bars.
    """

    out: Path = Path("runs/success")
    seed: int = 0
    quick: bool = False
    equivariant_widths: tuple[int, ...] = (16, 24, 32, 48, 64)
    plain_widths: tuple[int, ...] = (64, 128, 192)
    steps: int = 8000
    workers: int | None = None
    progress: bool = True

    def reduced(self) -> ParametersConfig:
        """The small version, if asked for."""
        return (
            replace(self, equivariant_widths=(8, 16), plain_widths=(16,), steps=100) if self.quick else self
        )


def run(config: ParametersConfig) -> dict[str, Any]:
    """Train every width, find the sizes of equal error; write the result and its picture."""
    began = time.perf_counter()
    config = config.reduced()
    collection = replace(shared_settings(config), steps=config.steps)
    data, validation, test = slice_parts(collection)
    overlap = check_disjoint(train=data, validation=validation, test=test)
    arms = [Arm(EQUIVARIANT, width=width) for width in config.equivariant_widths] + [
        Arm(family, width=width) for family in ("mlp", "mlp-centred") for width in config.plain_widths
    ]
    jobs = [(collection, arm, config.seed, data, validation, test) for arm in arms]
    rows = in_parallel(_measure, jobs, "models", config.workers, config.progress)
    ours = [row for row in rows if row["family"] == EQUIVARIANT]
    for row in rows:
        if row["family"] != EQUIVARIANT:
            size = row["equivariant_parameters"] = size_of_error(ours, row["relative_error"])
            row["ratio"] = None if size is None else size / row["parameters"]
    result = make_result(
        "parameters", {**asdict(config), "overlap": overlap}, rows, time.perf_counter() - began
    )
    write_json(config.out / "parameters.json", result)
    _draw(rows, config.out / "parameters.png")
    return result


def report(result: dict[str, Any]) -> str:
    """One row a model, and how much smaller an equivariant one of its error is."""
    return text_table(result["rows"])


def size_of_error(rows: list[dict[str, Any]], error: float) -> float | None:
    """Parameters at which a family reaches an error, between its models along straight lines of the logarithms.

    The smallest model's where that is already better: then fewer would do. None where no model reaches it.

    >>> rows = [{"parameters": 100, "relative_error": 0.1}, {"parameters": 10_000, "relative_error": 0.001}]
    >>> round(size_of_error(rows, 0.01)), round(size_of_error(rows, 0.5))
    (1000, 100)
    >>> size_of_error(rows, 1e-4) is None
    True
    """
    smaller = None
    for row in sorted(rows, key=lambda row: row["parameters"]):
        if row["relative_error"] <= error:
            if smaller is None:
                return float(row["parameters"])
            logs = [
                (math.log(each["relative_error"]), math.log(each["parameters"])) for each in (smaller, row)
            ]
            share = (logs[0][0] - math.log(error)) / (logs[0][0] - logs[1][0])
            return math.exp(logs[0][1] + share * (logs[1][1] - logs[0][1]))
        smaller = row
    return None


def _measure(
    collection: SuccessConfig,
    arm: Arm,
    seed: int,
    data: Dataset,
    validation: Dataset,
    test: Dataset,
) -> dict[str, Any]:
    model = arm_model(collection, arm, seed, data, validation)
    return {
        "family": arm.family,
        "width": arm.width,
        "parameters": model.parameter_count,
        "transitions": len(data),
        "relative_error": step_errors(model, test).relative(away_from_walls(test)),
    }


def _draw(rows: list[dict[str, Any]], path: Path) -> None:
    from matplotlib.figure import Figure

    from equiworld.files import write_atomically

    figure = Figure(figsize=(5.2, 3.8), layout="constrained")
    axes = figure.subplots()
    looks = {
        "state": ("equivariant", "#0072b2"),
        "mlp": ("plain", "#d55e00"),
        "mlp-centred": ("plain, centred", "#e69f00"),
    }
    for family, (label, colour) in looks.items():
        chosen = sorted((row["parameters"], row["relative_error"]) for row in rows if row["family"] == family)
        sizes, errors = np.array(chosen).T
        axes.plot(sizes, errors, "o-", color=colour, label=label)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="parameters",
        ylabel="one-step relMSE, headings as trained",
    )
    axes.grid(alpha=0.3, which="both")
    axes.legend(frameon=False)
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=160))
