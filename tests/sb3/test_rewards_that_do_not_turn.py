"""Symmetries that the reward does not have: turned samples are refused, policies say what they cannot do."""

import warnings
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

from equivariant_cases import CASES, Drift
from stable_baselines3 import PPO, SAC

import equiworld as ew
from equiworld.errors import ArgumentError
from equiworld.groups import Isometries
from equiworld.sb3 import (
    AugmentedDictReplayBuffer,
    AugmentedDictRolloutBuffer,
    AugmentedReplayBuffer,
    EquivariantActorCriticPolicy,
    EquivariantSACPolicy,
    MirrorLossPolicy,
)

WAY = CASES["turns, a vector"]
EAST = replace(WAY, reward=False)
ON, OFF = {"n_steps": 8, "batch_size": 8, "n_epochs": 1}, {"learning_starts": 4, "buffer_size": 100}


@pytest.mark.parametrize(
    ("kind", "buffer", "settings"),
    [
        (SAC, {"replay_buffer_class": AugmentedDictReplayBuffer}, OFF),
        (PPO, {"rollout_buffer_class": AugmentedDictRolloutBuffer}, ON),
    ],
)
def test_buffers_do_not_turn_what_is_rewarded_for_a_direction(kind, buffer, settings):
    def made(symmetry):
        name = next(iter(buffer)).replace("class", "kwargs")
        given = {**buffer, name: {"symmetry": symmetry}}
        return kind("MultiInputPolicy", Drift(WAY), device="cpu", seed=0, **given, **settings)

    with pytest.raises(ArgumentError, match=r"symmetry: .*reward=False; .*restricted\(group, reward=True\)"):
        made(EAST)
    made(WAY).learn(8)
    made(EAST.restricted(EAST.group, reward=True)).learn(8)


def test_a_swimmer_is_rewarded_for_its_own_direction_after_all():
    pytest.importorskip("mujoco")

    def made(**buffer):
        kwargs = {"learning_starts": 10**6, "buffer_size": 1000, "seed": 0, "device": "cpu"}
        return SAC("MlpPolicy", gym.make("Swimmer-v5"), **kwargs, **buffer)

    turned = {"replay_buffer_class": AugmentedReplayBuffer}
    with pytest.raises(ArgumentError, match="reward=False"):
        made(**turned, replay_buffer_kwargs={"symmetry": "Swimmer-v5"})
    whole = ew.symmetry_of("Swimmer-v5")
    mirror = whole.restricted(Isometries([[[1.0, 0.0], [0.0, -1.0]]]), reward=True)
    found = []
    for symmetry in (mirror, replace(whole, reward=True)):  # the second says what is not so
        model = made(**turned, replay_buffer_kwargs={"symmetry": symmetry}).learn(500)
        data = model.replay_buffer.sample(500)
        speeds = data.next_observations[:, 3].numpy()
        found.append(np.corrcoef(speeds, data.rewards[:, 0].numpy())[0, 1])
    assert found[0] > 0.9
    assert found[1] < 0.5


@pytest.mark.parametrize(
    ("kind", "policy", "settings"),
    [
        (PPO, EquivariantActorCriticPolicy, ON),
        (SAC, EquivariantSACPolicy, OFF),
        (PPO, MirrorLossPolicy, ON),
    ],
)
def test_policies_say_that_they_cannot_prefer_a_direction(kind, policy, settings):
    def made(symmetry):
        kwargs = {"symmetry": symmetry, "net_arch": [8]}
        return kind(policy, Drift(WAY), policy_kwargs=kwargs, device="cpu", **settings)

    with pytest.warns(UserWarning, match="reward=False"):
        made(EAST).learn(8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made(WAY)
