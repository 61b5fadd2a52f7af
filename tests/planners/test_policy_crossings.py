"""Between NumPy and torch a decision goes once each way, whatever is planned for."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from cloud_model_cases import cloud_model, cloud_observations
from policy_cases import PLANNER

import equiworld.envs  # noqa: F401  registers PushT
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy


def _of_numpy(args: tuple[object, ...]) -> bool:
    return isinstance(args[-1], np.ndarray | np.generic)


@pytest.fixture
def crossings(monkeypatch):
    """The names of the functions that went from one to the other."""
    found: list[str] = []

    def watch(owner, name, counts=lambda args: True):
        function = getattr(owner, name)

        def watched(*args, **settings):
            if counts(args):
                found.append(name)
            return function(*args, **settings)

        monkeypatch.setattr(owner, name, watched)

    for name in ("from_numpy", "as_tensor", "tensor"):
        watch(torch, name, _of_numpy)
    for name in ("numpy", "__array__", "tolist"):
        watch(torch.Tensor, name)
    watch(torch.Tensor, "new_tensor", _of_numpy)
    return found


def pusht() -> tuple[WorldModel, dict[str, np.ndarray]]:
    env = gym.make("equiworld/PushT-v0")
    seen = [env.reset(seed=seed)[0] for seed in range(3)]
    return WorldModel.for_env(env), {name: np.stack([one[name] for one in seen]) for name in seen[0]}


@pytest.mark.parametrize("door", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_decision_crosses_once_each_way(dtype, door, crossings):
    """With warm start, proposals, the bounds and all."""
    model, seen = pusht()
    policy = MPCPolicy(model, CEM(samples=32), dtype, door=door)
    _, state = policy.predict(seen)
    crossings.clear()
    policy.predict(seen, state)
    assert crossings == ["from_numpy", "numpy"]


def test_a_held_action_does_not_cross(crossings):
    model, seen = pusht()
    model.action_repeat = 2
    policy = MPCPolicy(model, CEM(samples=32))
    _, state = policy.predict(seen)
    crossings.clear()
    policy.predict(seen, state)
    assert crossings == []


def test_so_it_does_from_clouds(crossings):
    seen = cloud_observations(4)
    policy = MPCPolicy(cloud_model("latent"), PLANNER)
    _, state = policy.predict(seen)
    crossings.clear()
    policy.predict(seen, state)
    assert crossings == ["from_numpy", "numpy"]


def test_what_a_prior_is_asked_crosses_too(crossings):
    """Negative control: the count sees what goes to another policy and back."""

    class Still:
        def predict(self, observation, state=None, episode_start=None, deterministic=True):
            return np.zeros((len(observation["agent_pos"]), 2)), None

    model, seen = pusht()
    policy = MPCPolicy(model, CEM(samples=32), prior=Still())
    crossings.clear()
    policy.predict(seen)
    assert len(crossings) > 2
