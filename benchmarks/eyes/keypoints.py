"""The eyes of a latent model alone, and dynamics of other kinds that are trained on what they see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from equiworld.benchmarks.eyes.eyes import Array, Eyes
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.trained import (
    Arm,
    Scale,
    TrainingWorld,
    data_of,
    trained_inputs,
    trained_model,
)
from equiworld.models import WorldModel
from equiworld.training import Dataset, TrainingConfig, train

__all__ = ["Keypoints", "encoded_dynamics"]

_AT_ONCE = 128  # clouds: what the caches hold


class Keypoints(Eyes):
    """The keypoints that a model of clouds finds, without the dynamics that it was trained with."""

    def __init__(self, model: WorldModel) -> None:
        self.network = cast(Any, model.encoder).network
        self.size = 3 * self.network.out_type.points

    def see(self, clouds: Array, before: Array) -> Array:
        parts = torch.from_numpy(np.asarray(clouds, np.float64)).mT.split(_AT_ONCE)
        with torch.inference_mode():
            return torch.cat([self.network(part).points.mT.flatten(1) for part in parts]).numpy()

    def shown(self, body: Array, goal: Array) -> dict[str, Array]:
        return {"keypoints": body, "goal_keypoints": goal}


def encoded_dynamics(
    store: Store, world: TrainingWorld, eyes: Arm, dynamics: Arm, seed: int, scale: Scale
) -> WorldModel:
    """Dynamics of an arm of states, trained on what the encoder of an arm of clouds sees of the data of that arm.

    The encoder was trained, with dynamics of its own, with the same seed and scale.
    """
    family, name = dynamics.family("state"), f"{world.name}-{eyes.part}-encoded"

    def make(folder: Path) -> None:
        model = trained_model(store, world, eyes, seed, scale)
        data = _encoded(model, data_of(store, world, eyes.part, "train", scale), seed)
        found = WorldModel.for_data(data, family, seed, **dynamics.settings)
        found.action_space = model.action_space
        config = TrainingConfig(
            steps=scale.steps[0],
            batch_size=scale.batch_size,
            learning_rate=scale.learning_rates[0],
            weight_decay=scale.weight_decays[0],
            seed=seed,
            folder=str(folder),
        )
        train(found, data, config).save(folder)

    inputs = {"eyes": trained_inputs(world, eyes, scale), "dynamics": dynamics, "seed": seed}
    modules = (*world.modules(), __name__)
    return WorldModel.load(store.artefact("models", f"{name}-{family}-{seed}", inputs, modules, make))


def _encoded(model: WorldModel, data: Dataset, seed: int) -> Dataset:
    """Transitions with keypoints in place of clouds, each of some of the points, as encoders are trained."""
    eyes, rng, points = (
        Keypoints(model),
        np.random.default_rng([seed, 62]),
        cast(Any, model.encoder).cloud_points,
    )

    def seen(arrays: Any) -> dict[str, Any]:
        clouds = arrays["cloud"].reshape(len(data), -1, 3)
        some = clouds[:, rng.permutation(clouds.shape[1])[:points]]
        others = {name: array for name, array in arrays.items() if name != "cloud"}
        return {"keypoints": eyes.first(some).astype(clouds.dtype), **others}

    before, after = seen(data.observation), seen(data.next_observation)
    return replace(data, symmetry=model.latent, observation=before, next_observation=after)
