"""What stable-baselines3 would let pass, or answer with an error of its own: other algorithms, normalisers, dtypes."""

import gymnasium as gym
import numpy as np
import pytest
import torch

pytest.importorskip("stable_baselines3")

import stable_baselines3
from equivariant_cases import CASES, Drift, tensors
from stable_baselines3 import A2C, DDPG, PPO, SAC, TD3
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor, VecNormalize

import equiworld.sb3
from equiworld.errors import ArgumentError
from equiworld.sb3 import (
    AugmentedRolloutBuffer,
    EquivariantActorCriticPolicy,
    EquivariantSACPolicy,
    EquivariantTD3Policy,
    MirrorLossPolicy,
    VecNormalizeEquivariant,
)
from equiworld.symmetry.sampling import random_observation

WAY = CASES["turns, a vector"]
SMALL = {"symmetry": WAY, "net_arch": [8]}
ON, OFF = {"n_steps": 8, "batch_size": 8, "n_epochs": 1}, {"learning_starts": 4}


@pytest.mark.parametrize(
    ("algorithm", "policy"),
    [
        (PPO, EquivariantSACPolicy),
        (A2C, EquivariantTD3Policy),
        (SAC, EquivariantActorCriticPolicy),
        (SAC, EquivariantTD3Policy),
        (TD3, EquivariantSACPolicy),
        (DDPG, EquivariantActorCriticPolicy),
    ],
)
def test_a_policy_of_another_algorithm_is_refused_by_name(algorithm, policy):
    with pytest.raises(ArgumentError, match=rf"policy: .*{algorithm.__name__}"):
        algorithm(policy, Drift(WAY), policy_kwargs=dict(SMALL), device="cpu")


@pytest.mark.parametrize(
    ("algorithm", "policy"),
    [
        ("PPO", "EquivariantRecurrentPolicy"),
        ("TRPO", "EquivariantRecurrentPolicy"),
        ("RecurrentPPO", "EquivariantActorCriticPolicy"),
        ("ARS", "EquivariantActorCriticPolicy"),
        ("ARS", "MirrorLossPolicy"),
        ("TRPO", "MirrorLossPolicy"),
        ("SAC", "MirrorLossPolicy"),
        ("TQC", "EquivariantSACPolicy"),
        ("CrossQ", "EquivariantSACPolicy"),
        ("TQC", "EquivariantTD3Policy"),
    ],
)
def test_so_is_one_of_sb3_contrib(algorithm, policy):
    contrib = pytest.importorskip("sb3_contrib")
    kind = getattr(contrib, algorithm, None) or getattr(stable_baselines3, algorithm)
    with pytest.raises(ArgumentError, match=rf"policy: .*{policy} for {algorithm};.*options: .*"):
        kind(getattr(equiworld.sb3, policy), Drift(WAY), policy_kwargs=dict(SMALL), device="cpu")


def test_trpo_has_the_policy_of_ppo():
    TRPO = pytest.importorskip("sb3_contrib").TRPO
    model = TRPO(
        EquivariantActorCriticPolicy,
        Drift(WAY),
        policy_kwargs=dict(SMALL),
        n_steps=8,
        batch_size=8,
        device="cpu",
    )
    assert model.learn(8).num_timesteps == 8


def test_policies_and_subclasses_of_algorithms_are_made_by_hand_too():
    class Own(PPO):
        pass

    class Mine(EquivariantActorCriticPolicy):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)

    Own(Mine, Drift(WAY), policy_kwargs=dict(SMALL), device="cpu", **ON).learn(8)
    env = Drift(WAY)
    policy = EquivariantSACPolicy(env.observation_space, env.action_space, lambda _: 1e-3, **SMALL)
    assert policy.predict(env.reset(seed=0)[0])[0].shape == (2,)


@pytest.mark.parametrize(
    ("algorithm", "policy", "settings"),
    [(PPO, EquivariantActorCriticPolicy, ON), (SAC, EquivariantSACPolicy, OFF), (PPO, MirrorLossPolicy, ON)],
)
def test_a_plain_normaliser_is_refused_though_the_symmetry_is_named(algorithm, policy, settings):
    def made(envs):
        kwargs = {"symmetry": WAY, "net_arch": [8]}
        return algorithm(policy, envs, policy_kwargs=kwargs, device="cpu", seed=0, **settings)

    def bare():
        return DummyVecEnv([lambda: Drift(WAY)])

    with pytest.raises(ArgumentError, match=r"VecNormalize\b.*VecNormalizeEquivariant"):
        made(VecNormalize(bare()))
    made(VecNormalize(bare(), norm_obs=False)).learn(8)
    made(VecNormalizeEquivariant(bare(), WAY)).learn(8)


def test_a_plain_normaliser_is_found_behind_another(tmp_path):
    def made(envs):
        return PPO(EquivariantActorCriticPolicy, envs, policy_kwargs=dict(SMALL), device="cpu", **ON)

    def bare():
        return DummyVecEnv([lambda: Drift(WAY)])

    VecNormalizeEquivariant(bare(), WAY).save(tmp_path / "statistics.pkl")
    for inner in (VecNormalize(bare()), VecMonitor(VecNormalize(bare()))):
        with pytest.raises(ArgumentError, match=r"one in VecNormalize\b"):
            made(VecNormalize(inner, norm_obs=False))
        with pytest.raises(ArgumentError, match=r"one in VecNormalize\b"):
            made(VecNormalize.load(tmp_path / "statistics.pkl", inner))
    made(VecNormalize(VecMonitor(VecNormalize(bare(), norm_obs=False)), norm_obs=False))
    made(VecMonitor(VecNormalize.load(tmp_path / "statistics.pkl", VecNormalize(bare(), norm_obs=False))))


def test_a_wrapper_that_normalises_is_refused_and_so_is_either_with_turned_samples():
    pytest.importorskip("mujoco")

    def made(env):
        kwargs = {"symmetry": "Reacher-v5", "net_arch": [8]}
        return PPO(EquivariantActorCriticPolicy, env, policy_kwargs=kwargs, device="cpu", **ON)

    made(gym.make("Reacher-v5"))
    with pytest.raises(ArgumentError, match="NormalizeObservation"):
        made(gym.wrappers.NormalizeObservation(gym.make("Reacher-v5")))
    with pytest.raises(ArgumentError, match="VecNormalize"):
        PPO(
            "MlpPolicy",
            VecNormalize(DummyVecEnv([lambda: gym.make("Reacher-v5")])),
            rollout_buffer_class=AugmentedRolloutBuffer,
            rollout_buffer_kwargs={"symmetry": "Reacher-v5"},
            device="cpu",
        )


@pytest.mark.parametrize("form", ["canonical", "steerable"])
@pytest.mark.parametrize("name", ["mirrors, rates", "left and right"])
@pytest.mark.parametrize(
    ("algorithm", "policy", "settings"),
    [(PPO, EquivariantActorCriticPolicy, ON), (SAC, EquivariantSACPolicy, OFF)],
)
def test_policies_follow_torchs_default_dtype(algorithm, policy, settings, name, form):
    symmetry = CASES[name]
    kwargs = {"symmetry": symmetry, "form": form, "net_arch": [8]}
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        model = algorithm(
            policy, Drift(symmetry), policy_kwargs=kwargs, device="cpu", seed=0, **settings
        ).learn(8)
    finally:
        torch.set_default_dtype(before)
    seen = random_observation(symmetry, np.random.default_rng(0), 6)
    g = symmetry.group.sample(np.random.default_rng(1), 6)
    here, there = (
        model.policy._predict(tensors(each), deterministic=True).detach().double().numpy()
        for each in (seen, symmetry.transform_observation(g, seen))
    )
    assert all(each.dtype == torch.float64 for each in model.policy.parameters())
    assert np.abs(symmetry.transform_action(g, here) - there).max() < 1e-12
