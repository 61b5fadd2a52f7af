"""One-step errors of latent models, how exact they are, and how much the clouds' randomness shows in them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from equiworld.benchmarks.space_stages import ENV
from equiworld.groups import SE3, GroupElement
from equiworld.models import WorldModel
from equiworld.training import Dataset

__all__ = ["LatentErrors", "keypoint_noise", "ladder", "latent_errors", "random_elements", "residual"]


@dataclass(frozen=True)
class LatentErrors:
    """Squared distances summed over all keypoints of N transitions [m²].

    Attributes:
        error: between predicted and encoded keypoints.
        motion: between the keypoints encoded before and after.
        points: keypoints in all.
    """

    error: float
    motion: float
    points: int

    @property
    def relative(self) -> float:
        """relMSE = Σ‖F(E(s), a) − E(s′)‖² / Σ‖E(s′) − E(s)‖², pooled; 1 is as bad as "nothing moves"."""
        return self.error / self.motion

    @property
    def absolute(self) -> float:
        """Root of the mean square distance [m] from where a keypoint comes to be."""
        return (self.error / self.points) ** 0.5


def latent_errors(model: WorldModel, data: Dataset, g: GroupElement | None = None) -> LatentErrors:
    """Predict every transition, turned by g, by one step in float64, each cloud being a fresh one.

    Args:
        model: whose latents have keypoints.
        data: transitions.
        g: one element; None for the data as it is.
    """
    double = copy.deepcopy(model).to(torch.float64).eval()
    state, action, following = (data if g is None else data.transform(g)).features(torch.float64)
    channel = double.latent.channels()["keypoints"]
    with torch.inference_mode():
        z, target = double.encode_features(state), double.encode_features(following)
        found = double.predict(z, action).select(channel)
    before, after = z.select(channel), target.select(channel)
    error, motion = ((found - after).square().sum(), (after - before).square().sum())
    return LatentErrors(float(error), float(motion), after.shape[0] * after.shape[-1])


def random_elements(
    rng: np.random.Generator, count: int, angle: float | None = None, distance: float = 0.0
) -> list[GroupElement]:
    """Turns about random axes, then shifts in random directions.

    Args:
        rng: source of randomness.
        count: how many.
        angle: of each turn [rad]; uniform over all rotations (Haar) if None.
        distance: of each shift [m].
    """
    group = SE3()
    found = []
    for _ in range(count):
        axis, way = (arrow / np.linalg.norm(arrow) for arrow in rng.standard_normal((2, 3)))
        turn = group.sample(rng).matrix if angle is None else group.rotation(angle * axis).matrix
        found.append(group.element(turn, distance * way))
    return found


def ladder(rng: np.random.Generator, count: int) -> dict[str, list[GroupElement]]:
    """From easy to hard: what is done to the test data, `count` elements of each kind."""
    return {
        "as it is": [SE3().identity()],
        "shifted by 0.1 m": random_elements(rng, count, 0.0, 0.1),
        "shifted by 1 m": random_elements(rng, count, 0.0, 1.0),
        "turned": random_elements(rng, count),
        "turned and shifted by 1 m": random_elements(rng, count, None, 1.0),
    }


def residual(
    model: WorldModel, data: Dataset, elements: Sequence[GroupElement], dtype: torch.dtype, seed: int = 0
) -> float:
    """Largest |F(E(g·s), g·a) − g·F(E(s), a)| [m or m/s], the points of g·s in another order.

    Args:
        model: to test.
        data: of which the first 64 transitions are used.
        elements: of the group.
        dtype: to compute in.
        seed: of the orders.
    """
    model = copy.deepcopy(model).to(dtype).eval()
    part, rng, worst = data.select(slice(0, 64)), np.random.default_rng(seed), 0.0
    with torch.inference_mode():
        state, action, _ = part.features(dtype)
        reference = model.predict(model.encode_features(state), action)
        for g in elements:
            state, action, _ = _shuffled(part, rng).transform(g).features(dtype)
            found = model.predict(model.encode_features(state), action)
            away = found.flatten() - reference.transform(g).flatten()
            worst = max(worst, float(away.abs().max()))
    return worst


def keypoint_noise(
    model: WorldModel, points: int, seed: int, instants: int = 32, clouds: int = 16, **env: Any
) -> float:
    """Root mean square distance [m] of keypoints from their mean over fresh clouds of one instant.

    Args:
        model: whose latents have keypoints.
        points: N in each cloud.
        seed: of the first instant.
        instants: how many.
        clouds: of each.
        env: further arguments of the environment.
    """
    made = gym.make(ENV, points=points * clouds, disable_env_checker=True, **env)
    squares = []
    try:
        for instant in range(instants):
            observation, _ = made.reset(seed=seed + instant)
            several = {key: np.repeat(array[None], clouds, 0) for key, array in observation.items()}
            several["cloud"] = observation["cloud"].reshape(clouds, -1)
            del several["goal_cloud"]
            with torch.inference_mode():
                z = model.encode(several)
            found = z.select(model.latent.channels()["keypoints"])
            squares.append(float((found - found.mean(0)).square().sum(-2).mean()))
    finally:
        made.close()
    return float(np.sqrt(np.mean(squares)))


def _shuffled(data: Dataset, rng: np.random.Generator) -> Dataset:
    """The transitions with the points of their clouds in another order."""
    count = data.observation["cloud"].shape[-1] // 3
    order = rng.permutation(count)

    def shuffled(arrays: Any) -> dict[str, NDArray[np.floating]]:
        cloud = arrays["cloud"].reshape(len(data), count, 3)[:, order].reshape(len(data), -1)
        return {**arrays, "cloud": cloud}

    return replace(
        data,
        observation=shuffled(data.observation),
        next_observation=shuffled(data.next_observation),
    )
