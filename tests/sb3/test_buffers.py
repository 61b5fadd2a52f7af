"""Buffers that turn what they hold: transitions stay transitions, elements are fresh, what does not fit is refused."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("stable_baselines3")

import gymnasium as gym
from equivariant_cases import CASES, Drift
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import VecNormalize

from equiworld.errors import ArgumentError
from equiworld.groups import O2
from equiworld.sb3 import (
    AugmentedDictReplayBuffer,
    AugmentedDictRolloutBuffer,
    AugmentedReplayBuffer,
    AugmentedRolloutBuffer,
    EquivarianceCallback,
    EquivariantActorCriticPolicy,
    MirrorLossPolicy,
    VecNormalizeEquivariant,
)
from equiworld.sb3.deviation import action_deviation
from equiworld.symmetry import Symmetry, Vector


class Mass(gym.Env):
    """A point that goes where it is pushed, and its goal: position, velocity and goal in a row."""

    symmetry = Symmetry(
        O2(), {"at": Vector(), "speed": Vector(), "goal": Vector()}, Vector(), goal=("goal",), flat=True
    )
    observation_space = gym.spaces.Box(-np.inf, np.inf, (6,), np.float64)
    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float64)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state = self.np_random.normal(size=6)
        self.count = 0
        return self.state.copy(), {}

    def step(self, action):
        self.state[2:4] += 0.1 * action
        self.state[:2] += 0.1 * self.state[2:4]
        self.count += 1
        return (
            self.state.copy(),
            -float(np.linalg.norm(self.state[:2] - self.state[4:])),
            False,
            self.count >= 10,
            {},
        )


def replay(**kwargs):
    settings = {
        "replay_buffer_class": AugmentedReplayBuffer,
        "replay_buffer_kwargs": {"symmetry": Mass.symmetry},
    }
    return SAC(
        "MlpPolicy",
        Mass(),
        seed=0,
        device="cpu",
        learning_starts=30,
        policy_kwargs={"net_arch": [8]},
        **settings,
    )


def test_transitions_are_transitions_of_the_same_world_with_the_same_reward():
    model = replay().learn(40)
    data = model.replay_buffer.sample(64)
    seen, action, after = (x.numpy() for x in (data.observations, data.actions, data.next_observations))
    speed = seen[:, 2:4] + 0.1 * action
    # float32: how stable-baselines3 keeps actions
    assert np.allclose(after[:, 2:4], speed, atol=1e-6)
    assert np.allclose(after[:, :2], seen[:, :2] + 0.1 * speed, atol=1e-6)
    assert np.allclose(after[:, 4:], seen[:, 4:])
    reward = -np.linalg.norm(after[:, :2] - after[:, 4:], axis=-1)
    assert np.allclose(data.rewards.numpy()[:, 0], reward, atol=1e-6)
    kept = model.replay_buffer.observations[:40, 0]
    apart = np.abs(seen[:, None] - kept[None]).max(-1).min(1)
    assert (apart > 1e-3).mean() > 0.9  # they are turned, each by an element of its own


def test_rollouts_are_turned_and_keep_values_and_densities():
    buffer = AugmentedRolloutBuffer(
        4, Mass.observation_space, Mass.action_space, symmetry=Mass.symmetry, seed=0
    )
    rng = np.random.default_rng(0)
    for _ in range(4):
        seen = rng.normal(size=(1, 6))
        pushed = seen[:, :2].copy()  # along the position
        buffer.add(seen, pushed, np.ones(1), np.zeros(1), torch.ones(1), torch.full((1,), float(seen[0, 0])))
    buffer.compute_returns_and_advantage(torch.zeros(1), np.ones(1))
    data = next(buffer.get(4))
    assert torch.allclose(data.observations[:, :2].float(), data.actions.float(), atol=1e-6)
    assert sorted(data.old_log_prob.tolist()) == pytest.approx(
        sorted(buffer.observations[:, 0].tolist()), abs=1e-6
    )
    first = next(buffer.get(4)).observations
    assert (
        not np.isclose(first.numpy()[:, None], next(buffer.get(4)).observations.numpy()[None]).all(-1).any()
    )


def test_mappings_have_buffers_too():
    symmetry = CASES["points, a relative action"]
    settings = {
        "rollout_buffer_class": AugmentedDictRolloutBuffer,
        "rollout_buffer_kwargs": {"symmetry": symmetry},
    }
    PPO("MultiInputPolicy", Drift(symmetry), n_steps=16, batch_size=8, device="cpu", **settings).learn(16)
    settings = {
        "replay_buffer_class": AugmentedDictReplayBuffer,
        "replay_buffer_kwargs": {"symmetry": symmetry},
    }
    model = SAC(
        "MultiInputPolicy", Drift(symmetry), learning_starts=10, device="cpu", buffer_size=100, **settings
    )
    data = model.learn(14).replay_buffer.sample(3)
    assert set(data.next_observations) == {"a", "b"}


def test_what_is_normalised_number_by_number_is_refused():
    plain = VecNormalize(make_vec_env(Mass, 1))
    fitting = VecNormalizeEquivariant(make_vec_env(Mass, 1), Mass.symmetry)
    buffer = AugmentedReplayBuffer(8, Mass.observation_space, Mass.action_space, symmetry=Mass.symmetry)
    for env in (plain, fitting):
        seen = env.reset()
        buffer.add(seen, seen, np.zeros((1, 2)), np.zeros(1), np.zeros(1), [{}])
    with pytest.raises(ArgumentError, match="VecNormalizeEquivariant"):
        buffer.sample(2, env=plain)
    assert buffer.sample(2, env=fitting).observations.shape == (2, 6)


def test_the_distance_from_equivariance_is_logged_and_nought_for_ours(tmp_path):
    found = {}
    for policy, kwargs in (("MlpPolicy", {}), (EquivariantActorCriticPolicy, {"symmetry": Mass.symmetry})):
        callback = EquivarianceCallback(Mass.symmetry, every=32, samples=32)
        model = PPO(policy, Mass(), n_steps=64, device="cpu", seed=0, policy_kwargs=kwargs)
        log = tmp_path / callback.__class__.__name__ / ("plain" if policy == "MlpPolicy" else "ours")
        model.set_logger(configure(str(log), ["csv"]))
        model.learn(128, callback=callback)
        found[policy] = callback.deviation
        with (log / "progress.csv").open() as file:
            logged = [float(row["symmetry/deviation"]) for row in csv.DictReader(file)]
        assert len(logged) == 2
        assert np.isfinite(logged).all()
    assert found["MlpPolicy"] > 0.1
    assert found[EquivariantActorCriticPolicy] < 1e-5


def test_the_mirror_loss_brings_a_plain_policy_nearer():
    seen = np.random.default_rng(1).normal(size=(256, 6))

    def distance(weight):
        kwargs = {"symmetry": Mass.symmetry, "mirror_weight": weight}
        model = PPO(
            MirrorLossPolicy,
            Mass(),
            n_steps=256,
            device="cpu",
            seed=0,
            policy_kwargs=kwargs,
            learning_rate=1e-3,
        )
        model.learn(512)
        return action_deviation(model, Mass.symmetry, seen, np.random.default_rng(0))

    assert distance(10.0) < 0.7 * distance(0.0)


def test_without_weight_the_mirror_loss_changes_nothing():
    def weights(policy, **kwargs):
        model = PPO(
            policy, Mass(), n_steps=32, batch_size=16, device="cpu", seed=0, policy_kwargs=kwargs
        ).learn(32)
        return torch.cat([each.detach().flatten() for each in model.policy.parameters()])

    plain = weights("MlpPolicy")
    assert torch.equal(plain, weights(MirrorLossPolicy, symmetry=Mass.symmetry, mirror_weight=0.0)) is True
    assert not torch.equal(plain, weights(MirrorLossPolicy, symmetry=Mass.symmetry, mirror_weight=5.0))


def test_a_policy_with_a_mirror_loss_is_saved_goes_on_and_is_measured(tmp_path):
    settings = {"symmetry": Mass.symmetry, "mirror_weight": 4.0}
    model = PPO(
        MirrorLossPolicy, Mass(), n_steps=32, batch_size=16, device="cpu", seed=0, policy_kwargs=settings
    )
    callback = EquivarianceCallback(Mass.symmetry, every=32, samples=32)
    model.learn(64, callback=callback)
    assert 0 < callback.deviation < np.inf
    model.save(tmp_path / "model")
    again = PPO.load(tmp_path / "model", env=Mass(), device="cpu")
    seen = np.random.default_rng(1).normal(size=(8, 6))
    assert np.array_equal(*(each.predict(seen, deterministic=True)[0] for each in (model, again)))
    assert again.policy.mirror_weight == 4.0
    assert again.policy.symmetry == model.policy.symmetry
    again.learn(32)


def test_the_mirror_loss_is_nought_for_an_equivariant_mean_and_not_for_others():
    """The loss itself, against a mean that is known: along the position, and across it."""
    policy = PPO(
        MirrorLossPolicy, Mass(), device="cpu", seed=0, policy_kwargs={"symmetry": Mass.symmetry}
    ).policy
    seen = torch.as_tensor(np.random.default_rng(1).normal(size=(64, 6)))
    for mean, exact in ((lambda obs: obs[:, :2], True), (lambda obs: obs[:, :2].flip(-1), False)):
        policy.get_distribution = lambda obs, mean=mean: SimpleNamespace(mode=lambda: mean(obs))
        assert (float(policy.mirror_loss(seen)) < 1e-20) is exact


def test_numbers_that_are_none_are_refused():
    for wrong in (
        {"seed": -1},
        {"seed": True},
        {"scale": "far"},
        {"scale": np.nan},
        {"symmetry": CASES["left and right"]},
    ):
        with pytest.raises(ArgumentError, match=r"seed|scale|space"):
            AugmentedReplayBuffer(
                9, Mass.observation_space, Mass.action_space, **{"symmetry": Mass.symmetry, **wrong}
            )
    with pytest.raises(ArgumentError, match="seed"):
        EquivarianceCallback(Mass.symmetry, seed=-1)


def test_the_mirror_loss_takes_mappings():
    symmetry = CASES["left and right"]
    settings = {"symmetry": symmetry, "net_arch": [8]}
    model = PPO(
        MirrorLossPolicy, Drift(symmetry), n_steps=8, batch_size=8, policy_kwargs=settings, device="cpu"
    )
    assert model.learn(8).num_timesteps == 8
