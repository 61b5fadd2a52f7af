"""From clouds of points to the goal: how often, how near, from which data, and what if the sensor is worse?"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from equiworld.benchmarks.parallel import in_parallel
from equiworld.benchmarks.space_arms import ARMS, SMALL, Arm
from equiworld.benchmarks.space_prediction import latent_errors, random_elements, residual
from equiworld.benchmarks.space_rows import certificate_row, ladder_rows, noise_rows
from equiworld.benchmarks.space_stages import ENV, SpaceStages
from equiworld.benchmarks.space_tasks import (
    FAR,
    NEAR,
    PLANNER,
    SUCCESS,
    play,
    seeds_in_slice,
    summary,
    time_decisions,
)
from equiworld.benchmarks.stages import stage_folder, trained_model
from equiworld.errors import ArgumentError
from equiworld.models import WorldModel
from equiworld.planners import MPCPolicy
from equiworld.results import make_result, read_json, write_json
from equiworld.training import TrainingConfig, collect

__all__ = ["ARMS", "SpaceSuccessConfig", "run"]

SENSORS: dict[str, dict[str, Any]] = {
    "64 points": {"points": 64},
    "5 mm noise": {"noise": 0.005},
    "half the points lost": {"dropout": 0.5},
    "seen from one side": {"view": "random"},
    "256 points, half lost": {"points": 256, "dropout": 0.5},
    "other bodies": {"shape": "random"},
}
"""What the model was never trained on."""


@dataclass(frozen=True)
class SpaceSuccessConfig:
    """What is trained and how often it is tried.

    Attributes:
        out: folder for data, models and `space-success.json`.
        seed: of data and models.
        quick: a small version whose numbers prove nothing.
        transitions: collected for each of the slice and all orientations.
        steps: optimiser steps of each model's dynamics.
        encoder_steps: of its encoder before.
        half_width: of the slice [deg].
        episodes: for each model and task.
        steps_near: environment steps in each episode with a near goal; 4/3 of it with a far one.
        first_episode: seed of the first; tuning used others.
        workers: processes; as many as cores if None.
        progress: show progress bars.
    """

    out: Path = Path("runs/space-success")
    seed: int = 0
    quick: bool = False
    transitions: int = 200_000
    steps: int = 8000
    encoder_steps: int = 1500
    half_width: float = 45.0
    episodes: int = 200
    steps_near: int = 60
    first_episode: int = 7_000_000
    workers: int | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        for name in ("transitions", "steps", "episodes", "steps_near"):
            if getattr(self, name) < 1:
                raise ArgumentError(name, getattr(self, name), "a positive integer")

    def reduced(self) -> SpaceSuccessConfig:
        """The small version, if asked for."""
        if not self.quick:
            return self
        return replace(self, transitions=3_000, steps=60, encoder_steps=20, episodes=2, steps_near=3)

    def stages(self, arm: Arm | None = None) -> SpaceStages:
        """The data and models, of one arm or of most."""
        stages = SpaceStages.of(self)
        if self.quick:
            stages = replace(stages, test_transitions=200, joint_steps=5, batch_size=128)
        if arm is None:
            return stages
        if arm.small:
            return replace(stages, settings=SMALL)
        if arm.shape == "bracket":
            return stages
        counts = {
            name: max(getattr(stages, name) // 2, 1) for name in ("transitions", "steps", "encoder_steps")
        }
        return replace(stages, arguments={"shape": arm.shape}, **counts)

    def model(self, name: str) -> WorldModel:
        """An arm's model; trained now if it is not yet there."""
        arm = ARMS[name]
        return self.stages(arm).model(arm.family, arm.data)


def run(config: SpaceSuccessConfig) -> dict[str, Any]:
    """Train, try, write `space-success.json` and return its content."""
    began = time.perf_counter()
    config = config.reduced()
    overlap = {"bracket": config.stages().overlap("slice", "all", "slice test", "all test")}
    for arm in ARMS.values():
        if arm.shape not in overlap:
            overlap[arm.shape] = config.stages(arm).overlap("all", "all test")
    progress, config = config.progress, replace(config, progress=False)  # jobs side by side show none
    names = [*ARMS, "pose known"]
    in_parallel(_train, [(config, name) for name in names], "train", config.workers, progress)
    jobs: list[tuple[Callable[..., Any], str, str]] = []
    for name, arm in ARMS.items():
        jobs += [
            (_predict, name, ""),
            (_try, name, "near"),
            (_noise, name, ""),
            *([(_try, name, "within the slice")] if arm.data == "slice" else []),
            *([(_try, name, "far")] if arm.far else []),
        ]
    jobs += [(_try, "pose known", "near"), (_try, "pose known", "far"), (_certify, "equivariant", "")]
    jobs += [(_try, "equivariant, all data", kind) for kind in SENSORS]
    rows = in_parallel(_kept, [(config, *job) for job in jobs], "try", config.workers, progress)
    rows.append(_kept(config, _time, "equivariant, all data", ""))  # alone: other work would slow it down
    settings = {
        **asdict(config),
        "overlap": overlap,
        "planner": asdict(PLANNER),
        "tasks": {"near": NEAR, "far": FAR},
        "success": "within 20 mm and 10° of the goal after the last step; close: within 10 mm and 10°",
        "distance": "mean over points of the body (ADD); to the surface (ADD-S) for bodies with symmetries",
        "relative_error": "Σ‖F(E(s), a) − E(s′)‖² / Σ‖E(s′) − E(s)‖² over keypoints, each cloud a fresh one",
        "elements": "drawn by random_elements and ladder of space_prediction, from [seed, 41] and [seed, 32]",
        "dtype": {"success": "float32", "relative_error": "float64"},
    }
    result = make_result(
        "space-success", settings, [one for part in rows for one in part], time.perf_counter() - began
    )
    write_json(config.out / "space-success.json", result)
    return result


def _kept(config: SpaceSuccessConfig, way: Callable[..., Any], name: str, what: str) -> list[dict[str, Any]]:
    """The rows of one job; an interrupted run does not do it again."""
    free = {key: value for key, value in asdict(config).items() if key not in ("out", "workers", "progress")}
    depends = {
        "job": [way.__name__, name, what],
        "arm": ARMS.get(name),
        "small": SMALL,
        "planner": PLANNER,
        "tasks": [NEAR, FAR, SENSORS.get(what), SUCCESS],
    }
    file = stage_folder(config.out / "rows", "row", {**free, **depends}).with_suffix(".json")
    if not file.exists():
        began = time.perf_counter()
        rows = [{"model": name, **row} for row in way(config, name, what)]
        write_json(file, make_result("space-success", free, rows, time.perf_counter() - began))
    return read_json(file)["rows"]


def _train(config: SpaceSuccessConfig, name: str) -> None:
    _posed_model(config) if name == "pose known" else config.model(name)


def _posed_model(config: SpaceSuccessConfig) -> WorldModel:
    """The model of the pose itself, from the simulator: an upper bound for encoders of clouds."""
    training = TrainingConfig(steps=config.steps, seed=config.seed)
    depends = {"transitions": config.transitions, "training": training, "seed": config.seed}
    folder = stage_folder(config.out / "models", "pose-known", depends)
    env = gym.make(ENV, points=0, observe_pose=True, disable_env_checker=True)
    data = collect(env, config.transitions, 10 * config.seed + 4, workers=1, folder=folder / "data")
    return trained_model(folder, data, "state", {"seed": config.seed}, replace(training, folder=str(folder)))


def _try(config: SpaceSuccessConfig, name: str, what: str) -> list[dict[str, Any]]:
    """Episodes with near or far goals, or with another sensor."""
    known = name == "pose known"
    arm = Arm("state", "all", far=True) if known else ARMS[name]
    model = _posed_model(config) if known else config.model(name)
    arguments: dict[str, Any] = {**(FAR if what == "far" else NEAR), "shape": arm.shape}
    if known:
        arguments |= {"points": 0, "observe_pose": True}
    steps = config.steps_near * 4 // 3 if what == "far" else config.steps_near
    count = max(1, round(config.episodes * arm.share * (0.5 if what in SENSORS else 1.0)))
    policy = MPCPolicy(model, PLANNER, seed=config.seed, door=model.equivariant)
    seeds = list(range(config.first_episode, config.first_episode + count))
    if what == "within the slice":
        half_width = math.radians(config.half_width)
        seeds = seeds_in_slice(count, half_width, config.first_episode + 800_000, **NEAR)
        arguments["max_angle"] = half_width
    if what == "other bodies":  # ten of them, one after the other
        ends = [
            end
            for body, part in enumerate(np.array_split(seeds, 10))
            for end in play(
                policy, {**arguments, "shape": "random", "shape_seed": body}, part.tolist(), steps
            )
        ]
    else:
        ends = play(policy, {**arguments, **SENSORS.get(what, {})}, seeds, steps)
    return [
        {
            "kind": "success",
            "data": arm.data,
            "task": what,
            "steps": steps,
            "parameters": model.parameter_count,
        }
        | summary(ends)
    ]


def _predict(config: SpaceSuccessConfig, name: str, what: str) -> list[dict[str, Any]]:
    """One-step errors, where it was trained and elsewhere, and how exact the model is."""
    model, stages = config.model(name), config.stages(ARMS[name])
    rng = np.random.default_rng([config.seed, 41])
    test = stages.data(f"{ARMS[name].data} test")
    seen = latent_errors(model, test)
    elements = random_elements(rng, 16)
    orbit = [latent_errors(model, test, g) for g in elements]
    relatives = [one.relative for one in orbit]
    row = {
        "kind": "prediction",
        "family": model.family,
        "data": ARMS[name].data,
        "parameters": model.parameter_count,
        "relative_error": seen.relative,
        "relative_error_all": latent_errors(model, stages.data("all test")).relative,
        "error_mm": 1e3 * seen.absolute,
        "orbit_spread": max(relatives) / min(relatives) - 1,
        "orbit_worst": max(relatives),
    }
    for distance, dtype in ((1.0, torch.float64), (100.0, torch.float64), (1.0, torch.float32)):
        label = f"residual_m_{distance:g}_{str(dtype).removeprefix('torch.')}"
        row[label] = residual(model, test, random_elements(rng, 32, None, distance), dtype)
    return [row, *ladder_rows(model, test, config.seed)]


def _certify(config: SpaceSuccessConfig, name: str, what: str) -> list[dict[str, Any]]:
    """Closed loop, active, at elements of SE(3) that the policy is not told, in float64."""
    policy = MPCPolicy(config.model(name), PLANNER, dtype="float64", seed=config.seed)
    return [certificate_row(policy, NEAR, 8, 4, config.steps_near, config.first_episode + 500_000)]


def _noise(config: SpaceSuccessConfig, name: str, what: str) -> list[dict[str, Any]]:
    instants = 2 if config.quick else 64
    shape = ARMS[name].shape
    return noise_rows(config.model(name), config.first_episode + 600_000, instants, shape=shape)


def _time(config: SpaceSuccessConfig, name: str, what: str) -> list[dict[str, Any]]:
    policy = MPCPolicy(config.model(name), PLANNER, seed=config.seed)
    seconds = time_decisions(policy, NEAR, 10 if config.quick else 200, config.first_episode + 700_000)
    milliseconds = 1e3 * np.sort(seconds)
    return [
        {
            "kind": "timing",
            "decisions": len(seconds),
            "threads": torch.get_num_threads(),
            "milliseconds_median": float(np.median(milliseconds)),
            "milliseconds_worst": float(milliseconds[-1]),
            "dtype": "float32",
        }
    ]
