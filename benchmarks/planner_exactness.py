"""Does a plan turn with the world? Every planner here and elsewhere, on dynamics that commute with it exactly."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from equiworld.benchmarks.contenders import (
    CONTENDERS,
    OURS,
    Budget,
    Contender,
    World,
    assemble,
    peer_versions,
)
from equiworld.benchmarks.contenders.ours import Ours
from equiworld.benchmarks.planner_worlds import point_mass, point_mass_states, turned
from equiworld.planners import PLANNERS, Bound
from torch import Tensor

from equiworld.errors import ArgumentError, SimulationError
from equiworld.groups import SE2, SE3, SO2, SO3, Group, GroupElement
from equiworld.results import make_result, text_table, write_json

__all__ = ["PlannerExactnessConfig", "report", "residuals", "run"]

GROUPS: dict[str, type[Group]] = {"SO2": SO2, "SE2": SE2, "SO3": SO3, "SE3": SE3}
DTYPES = {"float64": torch.float64, "float32": torch.float32}
TARGETS = {"float64": {"median": 1e-12, "maximum": 1e-10}, "float32": {"median": 1e-5}}
BOX = 0.8  # half the side of the box that actions are clamped to


@dataclass(frozen=True)
class PlannerExactnessConfig:
    """Where, with how many elements, and how long each planner may search.

    Attributes:
        out: folder for `planner-exactness.json`.
        seed: of states, elements and noise.
        quick: a small version, of this library's planners only.
        groups: that the world is moved by.
        dtypes: to plan in.
        elements: of each group; each moves a state of its own. No planner is told them.
        translation_scale: longest shift; the goals are 2 to 3 away.
        samples: of each planner.
        horizon: of each planner.
        iterations: of each planner.
    """

    out: Path = Path("runs/planner-exactness")
    seed: int = 0
    quick: bool = False
    groups: tuple[str, ...] = ("SO2", "SE2", "SO3", "SE3")
    dtypes: tuple[str, ...] = ("float64", "float32")
    elements: int = 40
    translation_scale: float = 5.0
    samples: int = 100
    horizon: int = 8
    iterations: int = 5

    def __post_init__(self) -> None:
        for name, options in (("groups", GROUPS), ("dtypes", DTYPES)):
            for value in getattr(self, name):
                if value not in options:
                    raise ArgumentError(name, repr(value), "names of known ones", options)

    def reduced(self) -> PlannerExactnessConfig:
        """The small version, if asked for."""
        return self if not self.quick else replace(self, elements=5, samples=32, iterations=3)


def run(config: PlannerExactnessConfig) -> dict[str, Any]:
    """Plan in each world and in the moved one, compare, write `planner-exactness.json`."""
    began = time.perf_counter()
    config = config.reduced()
    names = OURS if config.quick else tuple(CONTENDERS)
    rows: list[dict[str, Any]] = assemble(point_mass(2), Budget(), names)[1]
    drawn: dict[str, GroupElement] = {}
    for name in config.groups:
        rng = np.random.default_rng([config.seed, list(GROUPS).index(name)])
        drawn[name] = GROUPS[name]().sample(rng, config.elements, scale=config.translation_scale)
        for dtype in config.dtypes:
            rows += _measured(config, names, name, drawn[name], dtype)
    settings = asdict(config) | {
        "group_elements": drawn,
        "residual": "rms of plan(g·s) − ρ(g)·plan(s) over rms of ρ(g)·plan(s), each element with its own state",
        "targets": TARGETS,
        "noise": "the same seed for both plans",
        "box": BOX,
        "peers": peer_versions(),
    }
    result = make_result("planner-exactness", settings, rows, time.perf_counter() - began)
    write_json(config.out / "planner-exactness.json", result)
    return result


def _measured(
    config: PlannerExactnessConfig, names: Sequence[str], group: str, elements: GroupElement, dtype: str
) -> list[dict[str, Any]]:
    """One row for each contender, and for each control, moved by one group in one dtype."""
    world = point_mass(elements.matrix.shape[-1])
    budget = Budget(config.samples, config.horizon, config.iterations)
    present, _ = assemble(world, budget, names)
    kinds = {each: "ours" if each in OURS else "peer" for each in present}
    for each, control in _controls(world, budget, DTYPES[dtype]).items():
        present[each], kinds[each] = control, "control"
    generator = torch.Generator().manual_seed(config.seed)
    states = point_mass_states(world.action_size, config.elements, generator, dtype=torch.float64)
    rows = []
    for each, contender in present.items():
        found, dearer = residuals(contender, world, states.to(DTYPES[dtype]), elements, config.seed)
        row: dict[str, Any] = {
            "contender": each,
            "kind": kinds[each],
            "group": group,
            "dtype": dtype,
            "median": float(found.double().quantile(0.5)),
            "maximum": float(found.max()),
            "median_cost_difference": float(dearer.double().quantile(0.5)),
            "elements": config.elements,
        }
        if kinds[each] == "ours":
            row["met"] = all(row[key] <= limit for key, limit in TARGETS[dtype].items())
        rows.append(row)
    return rows


def _controls(world: World, budget: Budget, dtype: torch.dtype) -> dict[str, Contender]:
    """This library's planners with something taken away that exactness needs: they must fail."""
    corner = torch.full((world.action_size,), BOX, dtype=dtype)
    box = Bound(low=-corner, high=corner)
    found: dict[str, Contender] = {}
    for name, planner in zip(OURS, PLANNERS, strict=True):
        found[f"{name}, no frame"] = Ours(world, budget, planner, framed=False)
        found[f"{name}, box"] = Ours(world, budget, planner, bound=box)
    return found


def residuals(
    contender: Contender, world: World, states: Tensor, elements: GroupElement, seed: int
) -> tuple[Tensor, Tensor]:
    """How far plan(g·s) is from ρ(g)·plan(s), and how differently good the two are; both relative, `(N,)`.

    Args:
        contender: to plan with.
        world: a point mass.
        states: `(N, n)`.
        elements: one for each state.
        seed: of the noise of both plans.

    Raises:
        SimulationError: a plan is not finite, or all zeros.
    """
    dim = world.action_size
    matrix = torch.as_tensor(elements.matrix, dtype=states.dtype)
    shift = torch.as_tensor(elements.translation, dtype=states.dtype)
    moved = turned(states, dim, matrix, shift)
    plan = contender.plan(states, seed)
    wanted = torch.einsum("nij,nhj->nhi", matrix, plan)
    found = contender.plan(moved, seed)
    if not (found.isfinite().all() and wanted.isfinite().all() and wanted.any() and found.any()):
        raise SimulationError(f"{contender.planner} of {contender.library}: a plan that cannot be compared")
    residual = (found - wanted).square().mean((1, 2)).sqrt() / wanted.square().mean((1, 2)).sqrt()
    before, after = world.plan_cost(states, plan), world.plan_cost(moved, found)
    return residual, (after - before).abs() / before


def report(result: Mapping[str, Any]) -> str:
    """Medians and maxima over the elements, a line for each contender."""
    rows = [row for row in result["rows"] if "absent" not in row]
    columns = list(dict.fromkeys(f"{row['group']} {row['dtype']}" for row in rows))
    parts = []
    for key in ("median", "maximum"):
        lines: dict[str, dict[str, Any]] = {}
        for row in rows:
            line = lines.setdefault(row["contender"], {"contender": row["contender"]})
            line[f"{row['group']} {row['dtype']}"] = row[key]
        parts.append(
            f"relative residual, {key}\n\n" + text_table(list(lines.values()), ["contender", *columns])
        )
    absent = [row for row in result["rows"] if "absent" in row]
    return "\n\n".join([*parts, *([text_table(absent)] if absent else [])])
