"""Equivariant policies: exact before and after training, for every representation and algorithm."""

import numpy as np
import pytest
import torch

pytest.importorskip("stable_baselines3")

from equivariant_cases import CASES, Drift, linear, tensors
from stable_baselines3 import A2C, DDPG, PPO, SAC, TD3

from equiworld.sb3 import EquivariantActorCriticPolicy, EquivariantSACPolicy, EquivariantTD3Policy
from equiworld.symmetry.sampling import random_observation

FORMS = ("canonical", "steerable")
RELATIVE = [name for name in CASES if "absolute" not in name]
SMALL = {"net_arch": [16, 16]}


def made(algorithm, policy, symmetry, form, **kwargs):
    settings = {"n_steps": 16} if algorithm in (PPO, A2C) else {"learning_starts": 16, "buffer_size": 500}
    if algorithm is PPO:
        settings |= {"batch_size": 8, "n_epochs": 1}
    policy_kwargs = {"symmetry": symmetry, "form": form, **SMALL, **kwargs}
    return algorithm(policy, Drift(symmetry), policy_kwargs=policy_kwargs, seed=0, device="cpu", **settings)


def turned(symmetry, count=24):
    """Observations, elements that the group is made of, and the observations turned."""
    rng = np.random.default_rng(3)
    seen = random_observation(symmetry, rng, count)
    g = symmetry.group.sample(rng, count)
    return seen, g, symmetry.transform_observation(g, seen)


def apart(symmetry, g, before, after, scale=1.0):
    return np.abs(symmetry.transform_action(g, before) - after).max() / scale


def on_policy_residual(model, symmetry):
    """The largest deviation of mean, sample, density and value."""
    seen, g, moved = turned(symmetry)
    policy = model.policy
    with torch.no_grad():
        here, there = policy.get_distribution(tensors(seen)), None
        mean, std = here.distribution.mean.double().numpy(), here.distribution.stddev.double().numpy()
        noise = np.random.default_rng(4).normal(size=mean.shape)
        action = mean + std * noise
        values, log_prob, _ = policy.evaluate_actions(tensors(seen), torch.as_tensor(action))
        there = policy.get_distribution(tensors(moved))
        mean2, std2 = there.distribution.mean.double().numpy(), there.distribution.stddev.double().numpy()
        action2 = mean2 + std2 * linear(symmetry, g, noise)
        values2, log_prob2, _ = policy.evaluate_actions(
            tensors(moved), torch.as_tensor(symmetry.transform_action(g, action))
        )
    size = max(1.0, np.abs(action2).max())
    assert np.ptp(values.numpy()) > 0
    assert np.isfinite(action2).all()
    assert np.abs(mean).max() > 1e-6
    return max(
        apart(symmetry, g, mean, mean2, size),
        apart(symmetry, g, action, action2, size),
        float((values - values2).abs().max() / values.abs().max().clamp(min=1.0)),
        float((log_prob - log_prob2).abs().max() / log_prob.abs().max().clamp(min=1.0)),
    )


def off_policy_residual(model, symmetry):
    """The largest deviation of a deterministic action, a sample, its density and what critics say of it."""
    seen, g, moved = turned(symmetry)
    policy, found = model.policy, []
    with torch.no_grad():
        a, b = policy.actor(tensors(seen)), policy.actor(tensors(moved))
        if isinstance(model, SAC):
            a, b = (
                policy.actor(tensors(seen), deterministic=True),
                policy.actor(tensors(moved), deterministic=True),
            )
            mean, spread, _ = policy.actor.get_action_dist_params(tensors(seen))
            mean2, spread2, _ = policy.actor.get_action_dist_params(tensors(moved))
            dist, actions = policy.actor.action_dist, policy.actor.action_dist.actions
            noise = np.random.default_rng(4).normal(size=a.shape)
            std, std2 = (each.exp()[..., actions.block].double() for each in (spread, spread2))
            row = mean.double() + std * actions.of(torch.as_tensor(noise))
            row2 = mean2.double() + std2 * actions.of(torch.as_tensor(linear(symmetry, g, noise)))
            image = symmetry.transform_action(g, actions.back(row).numpy())
            found.append(np.abs(image - actions.back(row2).numpy()).max() / max(1.0, np.abs(image).max()))
            p1 = dist.proba_distribution(mean, spread).log_prob(None, row)
            p2 = dist.proba_distribution(mean2, spread2).log_prob(None, actions.of(torch.as_tensor(image)))
            found.append(float((p1 - p2).abs().max() / p1.abs().max().clamp(min=1.0)))
            a1 = dist.actions_from_params(mean, spread)
            assert a1.abs().max() <= 1
        q1 = policy.critic(tensors(seen), a.double())
        q2 = policy.critic(tensors(moved), torch.as_tensor(symmetry.transform_action(g, a.double().numpy())))
        found += [
            float((x - y).abs().max() / x.abs().max().clamp(min=1.0)) for x, y in zip(q1, q2, strict=True)
        ]
    assert a.abs().max() > 1e-6
    return max(*found, apart(symmetry, g, a.double().numpy(), b.double().numpy()))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", CASES)
def test_actor_critics_are_exact_before_and_after_training(name, form):
    symmetry = CASES[name]
    model = made(PPO, EquivariantActorCriticPolicy, symmetry, form)
    assert on_policy_residual(model, symmetry) < 1e-5
    model.learn(32)
    assert on_policy_residual(model, symmetry) < 1e-5
    model.policy.double()
    assert on_policy_residual(model, symmetry) < 1e-12


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", RELATIVE)
def test_sac_is_exact_before_and_after_training(name, form):
    symmetry = CASES[name]
    model = made(SAC, EquivariantSACPolicy, symmetry, form)
    assert off_policy_residual(model, symmetry) < 1e-5
    model.learn(24)
    assert off_policy_residual(model, symmetry) < 1e-5
    model.policy.double()
    assert off_policy_residual(model, symmetry) < 1e-12


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("algorithm", [TD3, DDPG])
@pytest.mark.parametrize("name", ["turns, a vector", "left and right", "about gravity"])
def test_td3_and_ddpg_are_exact_before_and_after_training(name, algorithm, form):
    symmetry = CASES[name]
    model = made(algorithm, EquivariantTD3Policy, symmetry, form)
    assert off_policy_residual(model, symmetry) < 1e-5
    model.learn(24)
    assert off_policy_residual(model, symmetry) < 1e-5
    model.policy.double()
    assert off_policy_residual(model, symmetry) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("algorithm", [PPO, SAC, TD3])
@pytest.mark.parametrize("name", ["a pose and a mixture", "left and right", "about gravity, mirrors"])
def test_twenty_thousand_steps_leave_them_exact(name, algorithm, form):
    symmetry = CASES[name]
    rare = {"learning_starts": 100, "train_freq": 20, "gradient_steps": 1}
    settings = {"n_steps": 1000, "batch_size": 250, "n_epochs": 4} if algorithm is PPO else rare
    policy = {PPO: EquivariantActorCriticPolicy, SAC: EquivariantSACPolicy, TD3: EquivariantTD3Policy}[
        algorithm
    ]
    kwargs = {"symmetry": symmetry, "form": form, **SMALL}
    model = algorithm(policy, Drift(symmetry), policy_kwargs=kwargs, seed=0, device="cpu", **settings)
    model.learn(20_000)
    residual = on_policy_residual if algorithm is PPO else off_policy_residual
    assert residual(model, symmetry) < 1e-5
    model.policy.double()
    assert residual(model, symmetry) < 1e-12
