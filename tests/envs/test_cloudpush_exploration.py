"""Collecting in CloudPush: starts near contact, data that turns, certificates, and nothing preferred."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from cloudpush_cases import ID, make

from equiworld.envs.cloudpush.geometry import angle_between
from equiworld.errors import ArgumentError
from equiworld.groups import SE3
from equiworld.training import Dataset, collect
from equiworld.verify.certificate import certify
from equiworld.verify.evaluate import evaluate

pytest.importorskip("mujoco")


class Push:
    """Goes behind the body and pushes its middle towards that of the goal: equivariant, if clumsy."""

    dtype = "float64"

    def predict(
        self, obs: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> Any:
        cloud, goal = (obs[key].reshape(len(obs[key]), -1, 3).mean(1) for key in ("cloud", "goal_cloud"))
        way = goal - cloud
        way /= np.linalg.norm(way, axis=-1, keepdims=True)
        to = cloud - 0.12 * way - obs["agent_pos"]
        behind = np.linalg.norm(to, axis=-1, keepdims=True) < 0.03
        action = np.where(behind, cloud - obs["agent_pos"], to)
        length = np.linalg.norm(action, axis=-1, keepdims=True)
        return action * np.minimum(1.0, 0.04 / length), state


# --- starts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [{}, {"table": True, "gravity": 9.81}], ids=["free", "table"])
@pytest.mark.parametrize("shape", ["bracket", "zed", "bottle", "random"])
def test_no_start_overlaps_and_each_is_near_contact(arguments: dict[str, Any], shape: str) -> None:
    env, rng = make(shape=shape, **arguments), np.random.default_rng(0)
    for _ in range(50):
        state = env.exploration.start(rng)["state"]
        assert env.exploration.is_free(state)
        assert env.exploration.agent_gap(state) + 1e-9 >= 0.005
        assert env.exploration.agent_gap(state) <= 0.05 + 1e-9
        _, info = env.reset(options={"state": state})
        assert not info["is_success"]
        assert env.simulation.data.ncon == 0
        if arguments:
            assert env.exploration.table_gap(state) == pytest.approx(1e-4)


def test_starts_prefer_no_direction_unless_asked_to() -> None:
    env, rng = make(), np.random.default_rng(0)
    states = [env.exploration.draw(rng) for _ in range(1500)]
    quaternions = np.array([state.body_quat for state in states])
    np.testing.assert_allclose(quaternions.T @ quaternions / len(states), np.eye(4) / 4, atol=0.02)
    for key in ("body_pos", "goal_pos", "agent_pos"):
        places = np.array([getattr(state, key) for state in states])
        assert np.abs(places.mean(0)).max() < 0.01
        np.testing.assert_allclose(np.cov(places.T), np.trace(np.cov(places.T)) / 3 * np.eye(3), atol=7e-4)
    narrow = make(max_angle=0.5)
    angles = [angle_between(narrow.exploration.draw(rng).body_quat, (1.0, 0.0, 0.0, 0.0)) for _ in range(500)]
    assert 0.45 < max(angles) <= 0.5
    assert np.mean(np.array(angles) < 0.25) == pytest.approx(1 / 8, abs=0.04)  # of a ball, nearly


def test_pushes_are_log_uniform_mostly_towards_the_body_and_allowed() -> None:
    rng = np.random.default_rng(0)
    for arguments in ({}, {"points": 0, "observe_pose": True}, {"max_displacement": 0.02}):
        env = make(**arguments)
        lengths, towards = [], []
        for seed in range(300):
            observation, info = env.reset(seed=seed)
            action = env.exploration.action(rng, observation)
            assert env.action_space.contains(action)
            lengths.append(np.log(np.linalg.norm(action)))
            towards.append(action @ (info["body_pos"] - observation["agent_pos"]) > 0)
        low, high = np.log(env.exploration.lengths)
        assert low <= min(lengths)
        assert max(lengths) <= high + 1e-9
        assert np.mean(lengths) == pytest.approx((low + high) / 2, abs=0.15)
        assert 0.6 < np.mean(towards) < 0.95


# --- data -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data() -> Dataset:
    return collect(ID, 200, seed=0, workers=1)


def test_data_are_chains_of_fresh_clouds_that_move(data: Dataset) -> None:
    assert set(data.observation) == {"agent_pos", "agent_vel", "cloud"}
    assert data.observation["cloud"].shape == (200, 384)
    same = data.episode[1:] == data.episode[:-1]
    for name in data.observation:
        after, before = data.next_observation[name][:-1], data.observation[name][1:]
        assert np.array_equal(after[same], before[same])
    assert (data.observation["cloud"] != data.next_observation["cloud"]).all()
    middles = [
        arrays["cloud"].reshape(200, 128, 3).mean(1) for arrays in (data.observation, data.next_observation)
    ]
    assert np.mean(np.linalg.norm(middles[1] - middles[0], axis=-1) > 0.01) > 0.1


def test_the_same_bits_for_any_number_of_workers(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    monkeypatch.setattr(importlib.import_module("equiworld.training.collect"), "CHUNK", 60)
    one, two = (collect(gym.make(ID, points=16), 120, seed=3, workers=workers) for workers in (1, 2))
    assert one.fingerprint() == two.fingerprint()


def test_float32_halves_the_memory_and_is_the_rounded_data(data: Dataset, tmp_path: Any) -> None:
    rounded = collect(ID, 200, seed=0, workers=1, dtype="float32")
    assert rounded.observation["cloud"].nbytes * 2 == data.observation["cloud"].nbytes
    for name, array in data.next_observation.items():
        assert np.array_equal(rounded.next_observation[name], array.astype(np.float32))
    g = SE3().sample(np.random.default_rng(0))
    turned = rounded.transform(g)
    assert turned.observation["cloud"].dtype == np.float32
    np.testing.assert_allclose(turned.action, g.rotate(data.action), atol=1e-7)
    loaded = Dataset.load(rounded.save(tmp_path / "data.safetensors"))
    assert loaded.fingerprint() == rounded.fingerprint()
    assert loaded.observation["cloud"].dtype == np.float32
    with pytest.raises(ArgumentError, match="two kinds"):
        Dataset.concatenate([data, rounded])


def test_where_the_pose_is_known_it_is_the_state() -> None:
    data = collect(gym.make(ID, observe_pose=True, points=0), 40, workers=1)
    assert set(data.observation) == set(data.symmetry.state)
    assert data.observation["body_rotation"].shape == (40, 9)
    features = data.features()[0]
    assert features.type == data.symmetry.feature_type()


# --- closed loops ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [{}, {"observe_pose": True, "view": "random", "noise": 0.002, "shape": "bottle"}]
)
def test_a_closed_loop_is_certified(arguments: dict[str, Any]) -> None:
    certificate = certify(
        Push(),
        gym.make(ID, **arguments),
        elements=3,
        episodes=2,
        steps=20,
        modes=("active", "passive"),
        error="mean_point_distance",
    )
    assert certificate.passed, certificate
    assert certificate.max_deviation < 1e-10
    for orbit in certificate.orbits:
        assert orbit.motion > 0.05  # of the end-effector: clouds drawn anew do not count
        np.testing.assert_allclose(orbit.final_error[1:], orbit.final_error[:1].repeat(3, 0), atol=1e-10)


@pytest.mark.parametrize("arguments", [{"gravity": 9.81}, {"cone": "pyramidal", "friction": 1.0}])
def test_a_broken_symmetry_is_not_certified(arguments: dict[str, Any]) -> None:
    certificate = certify(Push(), gym.make(ID, **arguments), elements=4, episodes=2, steps=30)
    assert not certificate.passed
    assert "nowhere, because of" in str(certificate)


def test_a_loop_at_rest_is_not_certified_however_its_clouds_dance() -> None:
    class Wait:
        def predict(
            self, obs: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
        ) -> Any:
            return np.zeros((len(obs["agent_pos"]), 3)), state

    certificate = certify(Wait(), gym.make(ID), elements=2, episodes=1, steps=5)
    assert not certificate.passed
    assert "nothing moved" in str(certificate)


def test_evaluation_tells_how_far_from_the_goal_it_ended() -> None:
    evaluation = evaluate(Push(), gym.make(ID, max_episode_steps=15), episodes=3, n_envs=2)
    for episode in evaluation.episodes:
        assert {"mean_point_distance", "angle"} <= set(episode.final)
