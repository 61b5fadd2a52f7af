"""Small models of CloudPush's clouds, and data to train them on, for the tests of several folders."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import gymnasium as gym
import numpy as np

import equiworld.envs  # noqa: F401  registers CloudPush
from equiworld.models import WorldModel
from equiworld.training import Dataset, TrainingConfig, collect

ID = "equiworld/CloudPush-v0"
POINTS = 64
SMALL = {"width": 16, "hidden": (16,), "periodic": 4, "cloud_points": 32}
RICH = {"vectors": 2, "scalars": 3}
CONFIG = TrainingConfig(steps=12, batch_size=128, encoder_steps=12, joint_steps=6)


def env_of(**arguments: Any) -> gym.Env:
    return gym.make(ID, **({"points": POINTS} | arguments))


def cloud_model(family: str = "latent", seed: int = 0, **settings: Any) -> WorldModel:
    return WorldModel.for_env(env_of(), family, seed=seed, **(SMALL | settings))


@lru_cache
def cloud_data(count: int = 300, **arguments: Any) -> Dataset:
    """Transitions, collected once for each kind of environment."""
    return collect(env_of(**arguments), count, seed=0, workers=1)


@lru_cache
def many_shapes(count: int = 100) -> Dataset:
    """Transitions of four different bodies."""
    kinds = [{"shape": "random", "shape_seed": seed} for seed in range(4)]
    return Dataset.concatenate([cloud_data(count, **kind) for kind in kinds])


@lru_cache
def cloud_observations(count: int = 16, points: int = POINTS) -> dict[str, np.ndarray]:
    """Observations `(count, size)`, goals included, some with the end-effector in motion."""
    env, found = env_of(points=points), []
    for seed in range(count):
        observation, _ = env.reset(seed=seed)
        env.action_space.seed(seed)
        for _ in range(seed % 3):
            observation = env.step(env.action_space.sample())[0]
        found.append(observation)
    return {name: np.stack([one[name] for one in found]) for name in found[0]}


def some_actions(count: int = 16) -> np.ndarray:
    space = env_of().action_space
    space.seed(0)
    return np.stack([space.sample() for _ in range(count)]).astype(np.float64)


def rows(observation: dict[str, np.ndarray], which: Any) -> dict[str, np.ndarray]:
    return {name: array[which] for name, array in observation.items()}


def reordered(observation: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The same clouds, their points in another order."""
    found = dict(observation)
    for name in ("cloud", "goal_cloud"):
        points = observation[name].reshape(*observation[name].shape[:-1], -1, 3)
        found[name] = points[..., rng.permutation(points.shape[-2]), :].reshape(observation[name].shape)
    return found
