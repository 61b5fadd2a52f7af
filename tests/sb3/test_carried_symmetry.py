"""A symmetry that the observation space carries: what stands between it and the policy is asked, not passed over."""

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

from equivariant_cases import CASES, Drift
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor
from stable_baselines3.common.vec_env.base_vec_env import VecEnvWrapper

import equiworld as ew
from equiworld.errors import ArgumentError
from equiworld.sb3 import (
    AugmentedDictReplayBuffer,
    EquivariantActorCriticPolicy,
    EquivariantSACPolicy,
    ImaginedVecEnv,
    MirrorLossPolicy,
    VecNormalizeEquivariant,
    with_symmetry,
)

WAY = CASES["turns, a vector"]
SMALL = {"net_arch": [8]}
ON, OFF = {"n_steps": 8, "batch_size": 8, "n_epochs": 1}, {"learning_starts": 4, "buffer_size": 100}
BUFFER = {"replay_buffer_class": AugmentedDictReplayBuffer}


class Shifted(gym.ObservationWrapper):
    """What points somewhere is seen from another place."""

    def observation(self, seen):
        return {**seen, "way": seen["way"] + 1.0}


class Doubled(gym.ActionWrapper):
    """Actions are scaled alike."""

    def action(self, action):
        return 2.0 * action


class Pushed(gym.ActionWrapper):
    """A wind is added to actions."""

    def action(self, action):
        return action + np.array([0.5, 0.0])


def functional(env):
    return gym.wrappers.TransformObservation(env, lambda seen: {**seen, "way": seen["way"] * 2.0}, None)


@pytest.mark.parametrize(
    ("algorithm", "policy", "settings"),
    [
        (PPO, EquivariantActorCriticPolicy, ON),
        (SAC, EquivariantSACPolicy, OFF),
        (PPO, MirrorLossPolicy, ON),
        (SAC, "MultiInputPolicy", {**OFF, **BUFFER}),
    ],
)
@pytest.mark.parametrize("wrapper", [Shifted, Pushed, functional])
def test_wrappers_that_change_numbers_are_refused_outside_of_it(algorithm, policy, settings, wrapper):
    def made(env):
        return algorithm(policy, env, policy_kwargs=dict(SMALL), device="cpu", seed=0, **settings)

    env = wrapper(with_symmetry(Drift(WAY)))
    name = type(env).__name__
    for stack in (env, Doubled(env), VecMonitor(DummyVecEnv([lambda: env]))):
        with pytest.raises(ArgumentError, match=f"env: got one in {name}, which changes"):
            made(stack)
    made(with_symmetry(wrapper(Drift(WAY)), WAY))  # whoever says so of what it shows answers for it
    made(gym.wrappers.TimeLimit(Doubled(with_symmetry(Drift(WAY))), 5))


def test_a_declaration_of_a_wrapper_that_changes_numbers_is_what_counts():
    outer = with_symmetry(Shifted(with_symmetry(Drift(WAY))), WAY)
    PPO(EquivariantActorCriticPolicy, outer, policy_kwargs=dict(SMALL), device="cpu", **ON).learn(8)


def test_what_is_imagined_carries_the_symmetry_of_its_model():
    model = ew.WorldModel.for_env("equiworld/PushT-v0", hidden=(8,))
    first, _ = gym.make("equiworld/PushT-v0").reset(seed=0)
    starts = {name: array[None] for name, array in first.items()}
    envs = ImaginedVecEnv(model, starts, n_envs=2, horizon=4, attached=["block_keypoints"])
    symmetry = ew.symmetry_of(envs)
    assert symmetry == ew.symmetry_of("equiworld/PushT-v0").sized(envs.observation_space)
    normalised = VecNormalizeEquivariant(envs)
    assert ew.symmetry_of(normalised).group == symmetry.group
    policy = ew.symmetrise(lambda observation: np.array([1.0, 0.0]), envs)
    g = symmetry.group.rotation(1.0)
    here, there = (policy.predict(seen)[0] for seen in (first, symmetry.transform_observation(g, first)))
    assert np.abs(g.rotate(here) - there).max() < 1e-9
    model = PPO(EquivariantActorCriticPolicy, envs, policy_kwargs=dict(SMALL), device="cpu", **ON)
    assert model.learn(16).num_timesteps == 16


class Bare(VecEnvWrapper):
    """Environments of which stable-baselines3 cannot ask more than to step: no members, no spec, no wrappers."""

    def __init__(self, venv):
        super().__init__(venv)
        self.inner, self.venv = venv, None

    def reset(self):
        return self.inner.reset()

    def step_async(self, actions):
        self.inner.step_async(actions)

    def step_wait(self):
        return self.inner.step_wait()

    def get_attr(self, name, indices=None):
        if name == "render_mode":
            return [None]
        raise AttributeError(name)

    def env_is_wrapped(self, wrapper_class, indices=None):
        raise NotImplementedError


def test_environments_that_know_nothing_of_their_members_are_trained_in_and_named():
    envs = Bare(DummyVecEnv([lambda: Drift(WAY)]))
    settings = {"symmetry": WAY, "net_arch": [8]}
    model = PPO(EquivariantActorCriticPolicy, envs, policy_kwargs=settings, device="cpu", **ON)
    assert model.learn(8).num_timesteps == 8
    with pytest.raises(ArgumentError, match=r"Bare"):
        ew.symmetry_of(envs)
    assert ew.symmetry_of(VecNormalizeEquivariant(envs, WAY)).group == WAY.group
