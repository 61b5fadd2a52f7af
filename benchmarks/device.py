"""How many decisions a second on each device, and are they the same?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equiworld.benchmarks.device_graph import graph_rows, timed
from equiworld.benchmarks.device_world import TASK, fresh_model, observations, turned_apart
from equiworld.devices import available_devices, processor_name, usable_device
from equiworld.planners import CEM, MPPI, MPCPolicy, Planner
from equiworld.planners.captured import CapturedCalls
from equiworld.planners.planning import seeded_generators
from equiworld.planners.problem import Problem
from equiworld.planners.search import Search
from equiworld.results import make_result, text_table, write_json

__all__ = ["DeviceConfig", "report", "run"]

PLANNERS: dict[str, Planner] = {"CEM": CEM(), "MPPI": MPPI()}


@dataclass(frozen=True)
class DeviceConfig:
    """Settings of the benchmark of devices.

    Attributes:
        out: folder for `device.json`.
        seed: of model, observations and noise.
        quick: a small version.
        devices: by name; all that torch finds here if None.
        envs: how many environments are decided for at a time.
        decisions: timed for each, the median counts.
        seconds: after which no further decision of one size is timed; one is at least.
        elements: of the group, at which closed loops are compared.
        steps: of those.
        compiled: also time torch.compile of a rollout, which takes a minute to compile.
    """

    out: Path = Path("runs/device")
    seed: int = 0
    quick: bool = False
    devices: tuple[str, ...] | None = None
    envs: tuple[int, ...] = (1, 64, 4096)
    decisions: int = 50
    seconds: float = 6.0
    elements: int = 16
    steps: int = 5
    compiled: bool = False

    def reduced(self) -> DeviceConfig:
        """The small version, if asked for."""
        if not self.quick:
            return self
        return replace(self, envs=(1, 8), decisions=3, seconds=1.0, elements=4, steps=2)


def run(config: DeviceConfig) -> dict[str, Any]:
    """Time decisions on each device, compare them between devices and over the orbit; write `device.json`."""
    began = time.perf_counter()
    config = config.reduced()
    names = available_devices() if config.devices is None else config.devices
    devices = [str(usable_device(name)) for name in names]
    rows, result = list[dict[str, Any]](), dict[str, Any]()
    for device in devices[::-1]:  # the CPU last, which takes longest
        about = {"device": device, "name": device_name(device), "threads": torch.get_num_threads()}
        found = [
            *_decisions(config, device),
            *graph_rows(config.seed, device, config.envs, config.decisions, config.seconds, config.compiled),
        ]
        found += [*_orbit(config, device), *_agreement(config, device)]
        rows += [about | row for row in found]
        result = make_result("device", asdict(config), rows, time.perf_counter() - began)
        write_json(config.out / "device.json", result)
    return result


def device_name(device: str) -> str:
    """The model name of the device."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor_name()


def _policy(config: DeviceConfig, planner: Planner, device: str, dtype: str = "float32") -> MPCPolicy:
    return MPCPolicy(fresh_model(config.seed), planner, dtype, config.seed, TASK, device=device)  # type: ignore[arg-type]


def _decisions(config: DeviceConfig, device: str) -> list[dict[str, Any]]:
    """A decision, and of it the planning alone, from states on the device."""
    rows = []
    for name, planner in PLANNERS.items():
        policy = _policy(config, planner, device)
        for envs in config.envs:
            seen = observations(envs, config.seed)
            problem = _problem(policy, seen)

            def plan(planner: Planner = planner, problem: Problem = problem, envs: int = envs) -> object:
                return planner.plan(problem, seeded_generators(config.seed, range(envs)))

            def decide(policy: MPCPolicy = policy, seen: Any = seen) -> object:
                return policy.predict(seen)

            row = {"part": "decision", "planner": name, "envs": envs, "dtype": "float32"}
            whole = timed(decide, device, config.decisions, config.seconds)
            row |= whole | {"per_second": 1e3 * envs / whole["median_ms"]}
            rows.append(
                row | {"planning_ms": timed(plan, device, config.decisions, config.seconds)["median_ms"]}
            )
    return rows


def _problem(policy: MPCPolicy, seen: Any) -> Problem:
    """What a policy would plan for, as it is seen."""
    z, goal = policy.model.encode(seen), policy.model.encode_goal(seen)
    cost = policy.task.objective().bind(policy.latent)
    captured = CapturedCalls() if policy.device.type == "cuda" else None  # as policies do
    return Problem(z, policy.model.stepper(), cost, 2, policy.bounds, goal, captured=captured)


def _orbit(config: DeviceConfig, device: str) -> list[dict[str, Any]]:
    """Closed loops from s and from g·s, on this device."""
    g = fresh_model(config.seed).symmetry.group.sample(
        np.random.default_rng([config.seed, 62]), config.elements, scale=100.0
    )
    rows = []
    for name, planner in PLANNERS.items():
        for dtype in ("float32", "float64") if torch.device(device).type != "mps" else ("float32",):
            policy = _policy(config, planner, device, dtype)
            row = {"part": "orbit", "planner": name, "dtype": dtype, "elements": config.elements}
            rows.append(row | turned_apart(policy, observations(4, config.seed), g, config.steps))
    return rows


def _agreement(config: DeviceConfig, device: str) -> list[dict[str, Any]]:
    """The noise and the actions of this device beside the CPU's."""
    rows, envs = [], max(each for each in config.envs if each <= 64)
    seen = observations(envs, config.seed)
    for name, planner in PLANNERS.items():
        near, far = (_policy(config, planner, each) for each in ("cpu", device))
        noise = [_noise(config, planner, _problem(policy, seen)) for policy in (near, far)]
        actions = [policy.predict(seen)[0] for policy in (near, far)]
        apart = np.linalg.norm(actions[0] - actions[1], axis=-1)
        rows.append(
            {
                "part": "agreement",
                "planner": name,
                "dtype": "float32",
                "envs": envs,
                "same_noise": bool(torch.equal(*noise)),
                "median_apart_px": float(np.median(apart)),
                "most_apart_px": float(apart.max()),
                "beyond_1e-3_px": float((apart > 1e-3).mean()),
            }
        )
    return rows


def _noise(config: DeviceConfig, planner: Planner, problem: Problem) -> torch.Tensor:
    """The first noise that a planner draws for a problem, brought back."""
    generators = seeded_generators(config.seed, range(problem.envs))
    search = Search(problem, planner, generators, problem.blank(planner.horizon)[:, None])
    return search.drawn((planner.horizon, planner.samples, problem.size), torch.Tensor.normal_).cpu()


def report(result: Mapping[str, Any]) -> str:
    """Decisions, rollouts, agreement and orbits, a table each."""
    columns = {
        "decision": "device name threads planner envs median_ms planning_ms per_second n",
        "rollout": "device how envs median_ms minimum_ms largest_deviation reason",
        "agreement": "device planner envs same_noise median_apart_px most_apart_px beyond_1e-3_px",
        "orbit": "device planner dtype elements action_px path_px",
    }
    texts = []
    for part, names in columns.items():
        rows = [row for row in result["rows"] if row["part"] == part]
        if rows:
            texts.append(text_table(rows, {name: name for name in names.split()}))
    return "\n\n".join(texts)
