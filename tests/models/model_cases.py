"""What the tests of models share: toy worlds that carry their symmetry exactly, and the check of exactness."""

from __future__ import annotations

import copy

import gymnasium as gym
import numpy as np
import torch
from family_cases import STATE_FAMILIES

from equiworld.groups import E2, O2, SE2, SE3, Group
from equiworld.models import FAMILIES, WorldModel
from equiworld.symmetry import Point, Scalar, Symmetry, Vector
from equiworld.training import Dataset, TrainingConfig, train
from equiworld.training.losses import prediction_loss
from equiworld.verify.equivariance import EquivarianceReport, equivariance_residual
from equiworld.verify.representations import as_representation

SMALL = {
    "state": {"hidden": (32, 32), "periodic": 8},
    "state-steerable": {"scalars": 16, "vectors": 8, "depth": 2},
    "state-latent": {"width": 8},
}
PLAIN = {"hidden": (32, 32), "periodic": 8}
EXACT = [name for name in STATE_FAMILIES if FAMILIES[name].equivariant]
OTHERS = [name for name in STATE_FAMILIES if name not in EXACT]


def made(env: gym.Env, family: str, seed: int = 0) -> WorldModel:
    return WorldModel.for_env(env, family, seed=seed, **SMALL.get(family, PLAIN))


def model_of(symmetry: Symmetry, family: str, seed: int = 0) -> WorldModel:
    return WorldModel.for_symmetry(symmetry, family, env_id="toy", seed=seed, **SMALL.get(family, PLAIN))


def trained(model: WorldModel, data: Dataset, steps: int = 50) -> WorldModel:
    return train(model, data, TrainingConfig(steps=steps, batch_size=64, learning_rate=3e-3))


def fitted_loss(model: WorldModel, data: Dataset) -> float:
    model.dynamics.fit_scales(*data.features(torch.float64))
    return prediction_loss(model.dynamics, *data.features()).item()


def observations_of(env: gym.Env, count: int = 6):
    """A stack of real observations `(count, size)`, and actions for them."""
    env.action_space.seed(0)
    found = [env.reset(seed=seed)[0] for seed in range(count)]
    actions = np.stack([env.action_space.sample() for _ in range(count)]).astype(np.float64)
    if isinstance(found[0], dict):
        return {name: np.stack([one[name] for one in found]) for name in found[0]}, actions
    return np.stack(found), actions


def one_of(observation, index: int):
    if isinstance(observation, dict):
        return {name: array[index] for name, array in observation.items()}
    return observation[index]


def some_of(data: Dataset):
    """Observations `(32, size)` of a dataset, and their actions."""
    part = data.select(slice(0, 32))
    return dict(part.observation), part.action


def residual(model: WorldModel, dtype: torch.dtype, observation, action, group=None) -> EquivarianceReport:
    """encode, then predict, at observations moved by elements of the group: the model's, or another."""
    model = copy.deepcopy(model).to(dtype)
    symmetry = model.symmetry

    def step(observation, action):
        return model.predict(model.encode(observation), torch.as_tensor(action, dtype=dtype))

    fields = symmetry if symmetry.flat else {name: symmetry.observation[name] for name in observation}
    about = np.asarray(symmetry.centre), symmetry.length_scale
    source = as_representation("observation", (fields, symmetry.action), symmetry.dim, *about)
    source.sample = lambda *_: (observation, action)  # type: ignore
    name = str(dtype).removeprefix("torch.")
    return equivariance_residual(step, source, symmetry.feature_type(), group or symmetry.group, dtype=name)


def assert_exact(model: WorldModel, observation, action) -> None:
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        report = residual(model, dtype, observation, action)
        assert report.elements >= 24
        assert report.finite
        assert report.residual <= tolerance, str(report)
        assert (report.reflections > 0) == (not model.symmetry.group.proper)


def toy_symmetry(group: Group, centre: float = 1.5) -> Symmetry:
    """A hand with a speed, a body of four points and a mass; pushed by a vector."""
    return Symmetry(
        group,
        {"hand": Point(), "body": Point(4), "speed": Vector(), "mass": Scalar()},
        action=Vector(),
        reference="hand",
        centre=(centre,) * group.dim,
        length_scale=2.0,
    )


def toy_data(group: Group, count: int = 300, seed: int = 0) -> Dataset:
    """The body is drawn to the hand, the hand is pushed and pulled; the same in every isometric world."""
    symmetry = toy_symmetry(group)
    rng, dim = np.random.default_rng(seed), group.dim
    hand, speed, action = rng.normal(size=(3, count, dim))
    body, mass = rng.normal(size=(count, 4, dim)), rng.uniform(0.5, 2.0, (count, 1))
    arrows = body - hand[:, None]
    pull = (arrows / (1.0 + np.square(arrows).sum(-1, keepdims=True))).mean(1)
    faster = 0.9 * speed + 0.2 * action / mass + 0.3 * pull
    now = {"hand": hand, "body": body.reshape(count, -1), "speed": speed, "mass": mass}
    drawn = body - 0.2 * arrows / (1.0 + np.square(arrows).sum(-1, keepdims=True))
    after = {
        "hand": hand + 0.1 * faster,
        "body": drawn.reshape(count, -1),
        "speed": faster,
        "mass": 0.9 * mass + 0.05 * mass**2,
    }
    return Dataset(symmetry, now, action, after, np.arange(count) // 10)


TOYS = {"SE2": SE2(), "SE3": SE3(), "E2": E2(), "O2": O2()}
