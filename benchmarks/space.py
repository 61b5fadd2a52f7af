"""Does a robot that sees clouds of points push a body anywhere in space, having learned at few orientations?"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equiworld.arguments import integer
from equiworld.benchmarks.parallel import in_parallel
from equiworld.benchmarks.space_prediction import latent_errors, random_elements, residual
from equiworld.benchmarks.space_report import report
from equiworld.benchmarks.space_rows import certificate_row, ladder_rows, noise_rows
from equiworld.benchmarks.space_stages import ENV, SpaceStages
from equiworld.benchmarks.space_tasks import NEAR, PLANNER, play, record_path, seeds_in_slice, solved, summary
from equiworld.errors import ArgumentError
from equiworld.groups import SE3, GroupElement
from equiworld.planners import MPCPolicy
from equiworld.results import make_result, write_json

__all__ = ["MODELS", "SpaceConfig", "report", "run"]

MODELS = {"equivariant": "latent", "centred": "latent-mlp-centred", "augmented": "latent-augmented"}
"""What is compared, and the family of each."""

QUICK = {
    "transitions": 5_000,
    "test_transitions": 200,
    "steps": 400,
    "encoder_steps": 120,
    "joint_steps": 10,
    "batch_size": 256,
    "turns": 3,
    "tasks": 2,
    "task_steps": 10,
    "elements": 2,
    "width": 32,
}


@dataclass(frozen=True)
class SpaceConfig:
    """Train on clouds seen within a slice of orientations, then turn the world: prediction, tasks, paths, noise.

    In the plane, `equiworld demo --env pusht` does the like.

    Attributes:
        out: folder for the results; data and models are kept there too and not made again.
        seed: of data, weights, batches, tasks and planner.
        quick: a small version of everything; its numbers prove nothing.
        transitions: collected for training.
        test_transitions: collected for testing, with another seed.
        steps: optimiser steps of the dynamics, the same for each model.
        encoder_steps: of the encoder before.
        joint_steps: of both together afterwards.
        batch_size: transitions in each.
        width: channels of the encoders' points.
        half_width: of the slice: orientations within this angle of the unturned one [deg].
        turns: angles of the world between 0° and 180° at which tasks are tried, and predictions made.
        tasks: at each of them.
        task_steps: environment steps in each task.
        elements: of SE(3) for the certificate of the closed loop.
        workers: processes; as many as cores if None.
        progress: show progress bars.
        pictures: draw `space.png` and `space.gif`.
    """

    out: Path = Path("runs/demo-cloud")
    seed: int = 0
    quick: bool = False
    transitions: int = 60_000
    test_transitions: int = 1_000
    steps: int = 5000
    encoder_steps: int = 1000
    joint_steps: int = 100
    batch_size: int = 1024
    width: int = 64
    half_width: float = 45.0
    turns: int = 7
    tasks: int = 6
    task_steps: int = 50
    elements: int = 4
    workers: int | None = None
    progress: bool = True
    pictures: bool = True

    def __post_init__(self) -> None:
        for name in ("transitions", "test_transitions", "steps", "tasks", "task_steps", "elements"):
            integer(name, getattr(self, name), least=1)
        if self.turns < 2:
            raise ArgumentError("turns", self.turns, "at least 2: not turned, and turned")
        least = math.degrees(NEAR["goal_angle"]) / 2
        if not least < self.half_width <= 180:
            expected = f"degrees above {least:g}, else no task is within the slice, up to 180"
            raise ArgumentError("half_width", self.half_width, expected)

    def reduced(self) -> SpaceConfig:
        """With `quick`, no number larger than in the small version."""
        if not self.quick:
            return self
        return replace(self, **{name: min(most, getattr(self, name)) for name, most in QUICK.items()})

    @property
    def stages(self) -> SpaceStages:
        """The data and models."""
        return SpaceStages.of(self, settings={"width": self.width})

    def turned(self) -> list[tuple[float, GroupElement]]:
        """Angles [deg] and elements: turns about random axes and shifts by 0.3 m; the first leaves all as it is."""
        rng = np.random.default_rng([self.seed, 31])
        angles = np.linspace(0.0, 180.0, self.turns)
        found = [(0.0, SE3().identity())]
        for angle in angles[1:].tolist():
            found.append((angle, random_elements(rng, 1, math.radians(angle), 0.3)[0]))
        return found


def run(config: SpaceConfig) -> dict[str, Any]:
    """Collect, train, evaluate, draw; write `space.json` and the pictures to `config.out`.

    Raises:
        OverlapError: training and test data share episodes.
        EquiworldError: whatever the stages raise; what was finished before is kept.
    """
    began = time.perf_counter()
    config = config.reduced()
    overlap = config.stages.overlap("slice", "slice test")
    # One bar at a time: they run side by side, and the equivariant model takes the longest.
    quiet = replace(config, progress=False)
    jobs = [(quiet, name, config.progress and name == "equivariant") for name in MODELS]
    in_parallel(_train, jobs, "train", config.workers, config.progress)
    ways: list[tuple[Any, str, int]] = [
        (_play, name, index) for name in MODELS for index in range(config.turns)
    ]
    ways += [(_predict, name, 0) for name in MODELS]
    ways += [(_certify, "equivariant", 0), (_noise, "equivariant", 0)]
    found = in_parallel(
        _call, [(way, quiet, name, i) for way, name, i in ways], "evaluate", config.workers, config.progress
    )
    by_way: dict[Any, list[Any]] = {}
    for (way, *_), part in zip(ways, found, strict=True):
        by_way.setdefault(way, []).append(part)
    rows = _orbit_rows(config, by_way[_play], by_way[_predict])
    rows += [row for part in by_way[_predict] for row in part["rows"]] + by_way[_certify] + by_way[_noise][0]
    result = make_result("space", _settings(config, overlap), rows, time.perf_counter() - began)
    write_json(config.out / "space.json", result)
    if config.pictures:
        _draw(config, result)
        result["seconds"] = time.perf_counter() - began
        write_json(config.out / "space.json", result)
    return result


def policy_of(config: SpaceConfig, name: str, dtype: str = "float32") -> MPCPolicy:
    """The policy of one of the models."""
    model = config.stages.model(MODELS[name], "slice")
    # Behind the door any policy is equivariant: models without the symmetry plan along the world's axes.
    return MPCPolicy(model, PLANNER, dtype=dtype, seed=config.seed, door=model.equivariant)  # type: ignore[arg-type]


def _train(config: SpaceConfig, name: str, progress: bool) -> None:
    config.stages.model(MODELS[name], "slice", progress=progress)


def _call(way: Any, *arguments: Any) -> Any:
    return way(*arguments)


def _arguments(config: SpaceConfig) -> dict[str, Any]:
    """Of the environment: tasks whose start and goal, not turned, are within the slice."""
    return {**NEAR, "max_angle": math.radians(config.half_width)}


def _seeds(config: SpaceConfig, count: int) -> list[int]:
    return seeds_in_slice(count, math.radians(config.half_width), 5_000_000 + 10_000 * config.seed, **NEAR)


def _play(config: SpaceConfig, name: str, index: int) -> dict[str, Any]:
    """The tasks, begun at one orientation."""
    g = config.turned()[index][1]
    return summary(
        play(policy_of(config, name), _arguments(config), _seeds(config, config.tasks), config.task_steps, g)
    )


def _predict(config: SpaceConfig, name: str, index: int) -> dict[str, Any]:
    """One-step errors over the orbit and on the ladder, and how exact the model is."""
    stages = config.stages
    model, data = stages.model(MODELS[name], "slice"), stages.data("slice test")
    rng = np.random.default_rng([config.seed, 32])
    errors = [latent_errors(model, data, g) for _, g in config.turned()]
    rows = [{"model": name, **row} for row in ladder_rows(model, data, config.seed)]
    rows.append(
        {
            "kind": "model",
            "model": name,
            "family": MODELS[name],
            "parameters": model.parameter_count,
            "seen_relative_error": errors[0].relative,
            "residual_m": residual(model, data, random_elements(rng, 16, None, 1.0), torch.float64),
        }
    )
    return {"errors": [one.relative for one in errors], "rows": rows}


def _certify(config: SpaceConfig, name: str, index: int) -> dict[str, Any]:
    """Closed loop, active, at elements of SE(3) that the policy is not told, in float64."""
    policy = policy_of(config, name, "float64")
    row = certificate_row(
        policy, _arguments(config), config.elements, 2, config.task_steps, 5_500_000 + config.seed
    )
    return {"model": name, **row}


def _noise(config: SpaceConfig, name: str, index: int) -> list[dict[str, Any]]:
    model = config.stages.model(MODELS[name], "slice")
    found = noise_rows(model, 5_600_000 + config.seed, 4 if config.quick else 32)
    return [{"model": name, **row} for row in found]


def _orbit_rows(config: SpaceConfig, played: list[Any], predicted: list[Any]) -> list[dict[str, Any]]:
    rows = []
    for position, name in enumerate(MODELS):
        for index, (angle, _) in enumerate(config.turned()):
            rows.append(
                {
                    "kind": "orbit",
                    "model": name,
                    "element": index,
                    "angle_deg": angle,
                    "relative_error": predicted[position]["errors"][index],
                    **played[position * config.turns + index],
                }
            )
    return rows


def _settings(config: SpaceConfig, overlap: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **asdict(config),
        "env": ENV,
        "overlap": overlap,
        "orbit_elements": [g for _, g in config.turned()],
        "orbit": "active: the simulator itself starts at g·s with goal g·goal",
        "planner": asdict(PLANNER),
        "dtype": {"orbit tasks": "float32", "relative_error": "float64", "certificate": "float64"},
        "success": "body within 20 mm (mean point distance) and 10° of the goal after the last step",
        "relative_error": "Σ‖F(E(s), a) − E(s′)‖² / Σ‖E(s′) − E(s)‖² over keypoints, each cloud a fresh one",
    }


def _draw(config: SpaceConfig, result: Mapping[str, Any]) -> None:
    from equiworld.benchmarks.space_pictures import draw
    from equiworld.envs.cloudpush.film import CloudPushFilm
    from equiworld.envs.cloudpush.shapes import make_shape

    draw(result, config.out / "space.png")
    angle, g = config.turned()[config.turns // 2 + 1 if config.turns > 2 else 1]
    seed = _seeds(config, 1)[0]
    turns = {"as trained": None, f"world turned by {angle:.0f}°": g}
    shown = {
        name: {
            title: record_path(policy_of(config, name), _arguments(config), seed, config.task_steps, turn)
            for title, turn in turns.items()
        }
        for name in ("equivariant", "centred")
    }
    film = CloudPushFilm(shown, make_shape("bracket"), solved=solved)
    film.save(config.out / "space.gif")
    film.save_strip(config.out / "space_still.png")
