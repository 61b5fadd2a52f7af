"""How exact is the symmetry of trained models, of their predictions, and of the closed loop they control?"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from equiworld.benchmarks.closed_loop import draw_tasks, run_orbit
from equiworld.benchmarks.parallel import in_parallel
from equiworld.benchmarks.prediction import away_from_walls, turned_errors
from equiworld.benchmarks.stages import ENV
from equiworld.benchmarks.success import (
    Arm,
    SuccessConfig,
    arm_model,
    shared_settings,
    slice_parts,
)
from equiworld.groups import SE2, GroupElement
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy
from equiworld.results import make_result, write_json
from equiworld.training import Dataset
from equiworld.verify.certificate import certify

__all__ = ["ExactnessConfig", "residual", "run"]


@dataclass(frozen=True)
class ExactnessConfig:
    """Which models, and how much of each measurement.

    Attributes:
        out: folder of the models; those that `success` has trained there are used.
        seed: of elements, tasks and planner, and of the models.
        quick: a small version whose numbers prove nothing.
        families: measured; trained on the slice.
        elements: of the group, mirrored ones included, for the residual of encode and predict.
        angles: of the held-out data, for the spread of the one-step error.
        closed_loop_elements: random ones that the planner is not told.
        steps: environment steps of each closed loop.
        episodes: at each element.
        tasks: at each of eight orientations.
        workers: processes; as many as cores if None.
        progress: show progress bars.
    """

    out: Path = Path("runs/success")
    seed: int = 0
    quick: bool = False
    families: tuple[str, ...] = ("state", "state-steerable", "mlp", "mlp-centred", "augmented")
    elements: int = 32
    angles: int = 16
    closed_loop_elements: int = 16
    steps: int = 120
    episodes: int = 4
    tasks: int = 40
    workers: int | None = None
    progress: bool = True

    def reduced(self) -> ExactnessConfig:
        """The small version, if asked for."""
        return (
            self
            if not self.quick
            else replace(self, families=("state",), closed_loop_elements=2, steps=20, episodes=1, tasks=2)
        )


def run(config: ExactnessConfig) -> dict[str, Any]:
    """Measure every family, write `exactness.json` and return its content."""
    began = time.perf_counter()
    config = config.reduced()
    training = shared_settings(config)
    data, validation, test = slice_parts(training)
    jobs = [(config, training, family, data, validation, test) for family in config.families]
    rows = in_parallel(_measure, jobs, "exactness", config.workers, config.progress)
    settings = {**asdict(config), "environment": ENV, "walls": False, "planner": asdict(CEM())}
    result = make_result("exactness", settings, rows, time.perf_counter() - began)
    write_json(config.out / "exactness.json", result)
    return result


def _measure(
    config: ExactnessConfig,
    training: SuccessConfig,
    family: str,
    data: Dataset,
    validation: Dataset,
    test: Dataset,
) -> dict[str, Any]:
    model = arm_model(training, Arm(family), config.seed, data, validation)
    interior = away_from_walls(test)
    errors = [part.relative(interior) for part in turned_errors(model, test, SE2().grid(config.angles))]
    known = [error for error in errors if error is not None]  # all of them, unless nothing moves
    apart = max(known) / min(known) - 1 if known and min(known) > 0 else None
    group = model.symmetry.group
    elements = group.sample(np.random.default_rng([config.seed, 11]), config.elements, scale=100.0)
    at = {
        f"relative_error_at_{360 * i // config.angles}": errors[i]
        for i in range(0, config.angles, config.angles // 8)
    }
    row = {
        "family": family,
        "parameters": model.parameter_count,
        "residual_float64": residual(model, test, elements, torch.float64),
        "residual_float32": residual(model, test, elements, torch.float32),
        "relative_error_seen": errors[0],
        "relative_error_worst": max(known, default=None),
        **at,
        "relative_error_max_over_min_minus_1": apart,
        "dtype": "float64",
    }
    # The others' closed loops are no copies of one another: `orientation` plays them.
    return row | _closed_loop(config, model) if model.equivariant else row


def _closed_loop(config: ExactnessConfig, model: WorldModel) -> dict[str, Any]:
    policy = MPCPolicy(model, CEM(), dtype="float64", seed=config.seed)
    certificate = certify(
        policy,
        lambda: gym.make(ENV, walls=False, disable_env_checker=True),
        elements=config.closed_loop_elements,
        episodes=config.episodes,
        steps=config.steps,
        seed=config.seed,
        translation_scale=100.0,
    )
    tasks = draw_tasks(np.random.default_rng([config.seed, 12]), config.tasks, math.radians(30.0))
    orbit = run_orbit(policy, tasks, SE2().grid(8), 300)
    equal = (orbit.success == orbit.success[:1]).all(0) & (orbit.steps() == orbit.steps()[:1]).all(0)
    return {
        "closed_loop_max_deviation_px": certificate.max_deviation,
        "closed_loop_passed": certificate.passed,
        "orbit_success_seen": float(orbit.success[0].mean()),
        "orbit_success_worst": float(orbit.success.mean(1).min()),
        "orbit_tasks_equal_at_all": int(equal.sum()),
        "orbit_tasks": config.tasks,
        "orbit_max_deviation_px": float(orbit.deviations().max()),
    }


def residual(model: WorldModel, data: Dataset, elements: GroupElement, dtype: torch.dtype) -> float:
    """Largest of |F(g·s, g·a) − g·F(s, a)| over elements and 256 transitions, relative to the largest number.

    Observations are transformed as arrays and encoded again, so the encoder is tested too.
    """
    model = copy.deepcopy(model).to(dtype).eval()
    part = data.select(slice(0, 256))
    z, action, _ = part.features(dtype)
    with torch.inference_mode():
        reference = model.predict(z, action)
        worst = 0.0
        for g in elements:
            turned_z, turned_action, _ = part.transform(g).features(dtype)
            found = model.predict(turned_z, turned_action).flatten()
            wanted = reference.transform(g).flatten()
            worst = max(worst, float((found - wanted).abs().max() / wanted.abs().max()))
    return worst
