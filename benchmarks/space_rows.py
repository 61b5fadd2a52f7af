"""Lines of the result tables that the benchmarks in space have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from equiworld.benchmarks.space_prediction import keypoint_noise, ladder, latent_errors
from equiworld.benchmarks.space_tasks import make
from equiworld.groups import SE3
from equiworld.models import WorldModel
from equiworld.planners import MPCPolicy
from equiworld.training import Dataset
from equiworld.verify.certificate import certify

__all__ = ["certificate_row", "ladder_rows", "noise_rows"]

NOISE_POINTS = (32, 48, 64, 96, 128, 192, 256, 512)


def ladder_rows(model: WorldModel, data: Dataset, seed: int) -> list[dict[str, Any]]:
    """One-step errors from the data as it is to the data turned and shifted, 4 elements each."""
    rows = []
    for rung, elements in ladder(np.random.default_rng([seed, 32]), 4).items():
        found = [latent_errors(model, data, g) for g in elements]
        relative = sum(one.error for one in found) / sum(one.motion for one in found)
        absolute = float(np.sqrt(np.mean([one.absolute**2 for one in found])))
        rows.append({"kind": "ladder", "test": rung, "relative_error": relative, "error_mm": 1e3 * absolute})
    return rows


def noise_rows(model: WorldModel, seed: int, instants: int, **env: Any) -> list[dict[str, Any]]:
    """How far keypoints of fresh clouds differ, by the number of points; `env`: arguments of the environment."""
    return [
        {
            "kind": "noise",
            "points": points,
            "noise_mm": 1e3 * keypoint_noise(model, points, seed, instants, **env),
        }
        for points in NOISE_POINTS
    ]


def certificate_row(
    policy: MPCPolicy, arguments: Mapping[str, Any], elements: int, episodes: int, steps: int, seed: int
) -> dict[str, Any]:
    """The closed loop, active, at elements of SE(3) that the policy is not told; shifts of up to 1 m."""
    certificate = certify(
        policy,
        lambda: make(**arguments),
        SE3(),
        elements=elements,
        episodes=episodes,
        steps=steps,
        seed=seed,
        translation_scale=1.0,
        error="mean_point_distance",
    )
    return {
        "kind": "certificate",
        "elements": elements,
        "episodes": episodes,
        "steps": steps,
        "deviation_m": certificate.max_deviation,
        "motion_m": max(orbit.motion for orbit in certificate.orbits),
        "passed": certificate.passed,
        "dtype": str(policy.dtype).removeprefix("torch."),
    }
