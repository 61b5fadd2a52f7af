"""The clouds of CloudPush: on the body, drawn anew, noisy and partial as asked, and the body's own."""

from __future__ import annotations

import numpy as np
import pytest
from cloudpush_cases import make, started

from equiworld.envs.cloudpush.env import CloudPushEnv
from equiworld.envs.cloudpush.geometry import Pose, quaternion_of, rotation_matrix
from equiworld.envs.cloudpush.sensor import Sensor
from equiworld.envs.cloudpush.shapes import make_shape
from equiworld.groups import SE3

pytest.importorskip("mujoco")

HOME = Pose((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))


def in_body_axes(env: CloudPushEnv, cloud: np.ndarray) -> np.ndarray:
    position, quaternion = env.simulation.body_pose
    return (cloud.reshape(-1, 3) - position) @ rotation_matrix(quaternion)


@pytest.mark.parametrize("name", ["bracket", "bottle", "random"])
def test_clouds_lie_on_the_body_and_are_drawn_anew(name: str) -> None:
    env = make(shape=name, points=200)
    observation, _ = env.reset(seed=0)
    seen = [observation["cloud"]]
    for step in range(4):
        observation, *_ = env.step(np.array([0.01 * step, 0.0, 0.0]))
        assert np.abs(env.shape.surface.distance(in_body_axes(env, observation["cloud"]))).max() < 1e-12
        seen.append(observation["cloud"])
    bodies = np.array([cloud.reshape(-1, 3) for cloud in seen])
    assert len(np.unique(bodies.reshape(-1, 3), axis=0)) == 5 * 200
    goal = observation["goal_cloud"].reshape(-1, 3) - env.get_state().goal_pos
    on_goal = env.shape.surface.distance(goal @ rotation_matrix(env.get_state().goal_quat))
    assert np.abs(on_goal).max() < 1e-12


def test_other_episodes_have_other_clouds_on_the_body() -> None:
    env = make()
    clouds = []
    for seed in (0, 1):
        observation, _ = env.reset(seed=seed)
        clouds.append(in_body_axes(env, observation["cloud"]))
    options = env.exploration.start(np.random.default_rng(0))
    for _ in range(2):  # a start without a key of its own gets one
        observation, _ = env.reset(options=options)
        clouds.append(in_body_axes(env, observation["cloud"]))
    for first in range(4):
        for second in range(first):
            assert np.abs(clouds[first] - clouds[second]).max() > 0.01


def test_noise_is_isotropic_and_dropout_repeats_points() -> None:
    shape, pose = make_shape("bracket"), HOME
    plain = Sensor(20_000).cloud(shape, pose, 1, 2, None)
    noise = Sensor(20_000, noise=0.002).cloud(shape, pose, 1, 2, None) - plain
    np.testing.assert_allclose(np.cov(noise.T), 4e-6 * np.eye(3), atol=2e-7)
    lossy = Sensor(20_000, dropout=0.25).cloud(shape, pose, 1, 2, None)
    lost = (lossy != plain).any(-1)
    assert lost.mean() == pytest.approx(0.25, abs=0.01)
    kept = {tuple(point) for point in plain[~lost].tolist()}
    assert all(tuple(point) in kept for point in lossy[lost].tolist())
    alone = Sensor(3, dropout=0.999).cloud(shape, pose, 1, 2, None)
    assert alone.shape == (3, 3)


def test_a_camera_sees_one_side_and_belongs_to_the_episode() -> None:
    env = make(view="random", points=300)
    for seed in range(4):
        observation, _ = env.reset(seed=seed)
        camera = np.array(env.get_state().camera)
        assert np.linalg.norm(camera) == pytest.approx(1.0)
        cloud = observation["cloud"].reshape(-1, 3)
        everything = make(points=300).sensor.cloud(env.shape, env.simulation.body_pose, 1, 1, None)
        assert ((cloud - everything.mean(0)) @ camera).mean() > 0.005
        env.step(np.zeros(3))
        assert env.get_state().camera == tuple(camera)
    assert started(env, 0).camera != started(env, 1).camera
    fixed = make(view=(0.0, 0.0, 2.0))
    observation, _ = fixed.reset(seed=0)
    assert fixed.get_state().camera is None
    normal_up = in_body_axes(fixed, observation["cloud"]) @ rotation_matrix(fixed.get_state().body_quat)[2]
    assert normal_up.mean() > 0.005


@pytest.mark.parametrize("name", ["bracket", "zed", "bottle", "random"])
@pytest.mark.parametrize(
    "sensor",
    [Sensor(), Sensor(noise=0.003, dropout=0.2), Sensor(view="random"), Sensor(64, 0.001, "random", 0.1)],
    ids=["plain", "noisy", "partial", "all"],
)
def test_the_cloud_of_a_turned_body_is_the_turned_cloud(name: str, sensor: Sensor) -> None:
    rng = np.random.default_rng(0)
    shape, (first, *elements) = make_shape(name), SE3().sample(rng, 6, scale=1.0)
    pose = Pose(tuple(first.translation.tolist()), quaternion_of(first.matrix))
    camera = rng.normal(size=3)
    camera /= np.linalg.norm(camera)
    cloud = sensor.cloud(shape, pose, 7, 3, tuple(camera.tolist()))
    for g in elements:
        turned = g @ first
        moved = Pose(tuple(turned.translation.tolist()), quaternion_of(turned.matrix))
        seen = sensor.cloud(shape, moved, 7, 3, tuple(g.rotate(camera).tolist()))
        np.testing.assert_allclose(seen, g.act(cloud), rtol=0, atol=1e-14)


def test_a_camera_that_stays_put_sees_another_side_of_a_turned_body() -> None:
    sensor, shape = Sensor(view=(0.0, 0.0, 1.0)), make_shape("bracket")
    g = SE3().rotation([np.pi, 0.0, 0.0])
    cloud = sensor.cloud(shape, HOME, 7, 3, None)
    turned = sensor.cloud(shape, Pose(HOME.position, quaternion_of(g.matrix)), 7, 3, None)
    assert np.abs(turned - g.act(cloud)).max() > 0.01
