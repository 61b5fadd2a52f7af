"""Several bodies, each seen as a cloud: exact under S_n × SE(3), from the sensor to the decision."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch

import equiworld.envs  # noqa: F401  registers
from equiworld.groups import SE3
from equiworld.models import WorldModel
from equiworld.models.families import best_family
from equiworld.planners import CEM, MPCPolicy
from equiworld.symmetry import Cloud, Objects, symmetry_of
from equiworld.training import TrainingConfig, collect, train

pytest.importorskip("mujoco")
SMALL = {"hidden": (16,), "pair": (16,), "periodic": 8, "width": 8}


def make(bodies: int, points: int = 24) -> gym.Env:
    return gym.make("equiworld/CloudPushBodies-v0", bodies=bodies, points=points, disable_env_checker=True)


def residual(model: WorldModel, symmetry, state, elements) -> float:
    """max |F(g·s, g·a) − g·F(s, a)| of all latent fields."""
    action = np.random.default_rng(0).normal(size=(len(state["named"]), 3)) * 0.02

    def predicted(state, action):
        with torch.no_grad():
            after = model.predict(model.encode(state), torch.as_tensor(action).to(model.dtype))
        return model.latent.observation_arrays(after)

    here, worst = predicted(state, action), 0.0
    for g in elements:
        there = predicted(symmetry.transform_observation(g, state), symmetry.transform_action(g, action))
        for name, array in here.items():
            moved = model.latent.observation[name].transform(g, array, model.latent.centre)
            worst = max(worst, float(np.abs(there[name] - moved).max()))
    assert all(np.isfinite(array).all() and np.ptp(array) > 0 for array in here.values())
    return worst


def shown(env: gym.Env, seeds) -> dict[str, np.ndarray]:
    found = [env.reset(seed=seed)[0] for seed in seeds]
    return {name: np.stack([each[name] for each in found]) for name in found[0]}


@pytest.mark.parametrize("bodies", [2, 4])
def test_clouds_belong_to_the_bodies(bodies):
    env = make(bodies)
    symmetry, rng = symmetry_of(env), np.random.default_rng(bodies)
    assert symmetry.observation["bodies_cloud"] == Objects(Cloud(24), bodies)
    pushes = rng.normal(size=(3, 3)) * 0.01

    def played(turn, **options):
        first, info = env.reset(seed=0, options=options)
        assert env.observation_space.contains(first)
        assert "bodies_pos" in info
        return [first, *(env.step(turn(push))[0] for push in pushes)]

    here = played(lambda push: push)
    assert not np.array_equal(here[0]["bodies_cloud"], here[1]["bodies_cloud"])  # drawn anew
    for g in symmetry.group.sample(rng, 3, scale=0.3):
        there = played(lambda push, g=g: symmetry.transform_action(g, push), group_element=g)
        for before, after in zip(here, there, strict=True):
            moved = symmetry.transform_observation(g, before)
            assert max(np.abs(moved[name] - after[name]).max() for name in moved) < 1e-10


def test_a_state_holds_the_sensor_too():
    env, other = make(2), make(2)
    env.reset(seed=0)
    env.step(np.zeros(3))
    other.reset(seed=1)
    other.unwrapped.set_state(env.unwrapped.get_state())
    one, two = (each.step(np.full(3, 0.01))[0] for each in (env, other))
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_all_orders_of_four_bodies_at_sixteen_orientations():
    env = make(4)
    symmetry, state = symmetry_of(env), shown(env, range(2))
    model = WorldModel.for_env(env, **SMALL).double()
    assert (model.family, model.equivariant) == ("latent-bodies", True)
    group = symmetry.group
    elements = [
        group.element(g.matrix, g.translation, label=label)
        for g in SE3().sample(np.random.default_rng(2), 16, scale=0.3)
        for label in range(group.labels.order)
    ]
    assert len(elements) == 24 * 16
    assert residual(model, symmetry, state, elements) < 1e-12


def test_the_order_of_points_means_nothing_and_whose_they_are_does():
    env = make(2)
    state = shown(env, range(2))
    model = WorldModel.for_env(env, **SMALL).double()
    clouds = state["bodies_cloud"].reshape(2, 2, 24, 3)
    order = np.random.default_rng(0).permutation(24)
    shuffled = clouds[:, :, order].reshape(2, -1)
    mixed = np.concatenate(
        [clouds[:, :1, :12], clouds[:, 1:, :12], clouds[:, :1, 12:], clouds[:, 1:, 12:]], 1
    )
    with torch.no_grad():
        here, there, other = (
            model.encode({**state, "bodies_cloud": each}).points
            for each in (state["bodies_cloud"], shuffled, mixed.reshape(2, -1))
        )
    assert torch.allclose(here, there, atol=1e-13)
    assert (here - other).abs().max() > 1e-3


def test_it_stays_exact_when_it_is_trained_saved_and_loaded(tmp_path):
    env = make(2)
    data = collect(make(2, 48), 60, seed=0, workers=1)  # encoders are trained on halves of clouds
    model = WorldModel.for_env(env, cloud_points=12, **SMALL)
    config = TrainingConfig(encoder_steps=4, steps=4, joint_steps=4, batch_size=32)
    train(model, data, config)
    symmetry = symmetry_of(env)
    elements = symmetry.group.sample(np.random.default_rng(3), 16, scale=0.3)
    state = shown(env, range(3))
    assert residual(model.double(), symmetry, state, elements) < 1e-12
    loaded = WorldModel.load(model.save(tmp_path / "model"))
    assert torch.equal(loaded.encode(state).points, model.encode(state).points)


def test_paths_behind_the_door_are_the_same():
    env = make(3)
    symmetry = symmetry_of(env)
    policy = MPCPolicy(WorldModel.for_env(env, **SMALL), CEM(horizon=2, samples=16, elites=4))
    assert policy.inexact == ()

    def path(turn, **options):
        observation, _ = env.reset(seed=3, options=options)
        state, actions = None, []
        for _ in range(3):
            action, state = policy.predict(observation, state)
            observation = env.step(action)[0]
            actions.append(turn(action))
        return np.stack(actions)

    here = path(lambda action: action)
    for g in symmetry.group.sample(np.random.default_rng(4), 3, scale=0.3):
        there = path(lambda action, g=g: symmetry.transform_action(g.inverse(), action), group_element=g)
        assert np.abs(here - there).max() < 1e-9


def test_families_of_one_body_see_each_cloud_and_know_no_exchange():
    env = make(2)
    symmetry, state = symmetry_of(env), shown(env, range(2))
    assert best_family(symmetry) == "latent-bodies"
    model = WorldModel.for_env(env, "latent", hidden=(16,), periodic=8, width=8).double()
    clouds = state["bodies_cloud"].reshape(2, 2, -1)
    exchanged = {**state, "bodies_cloud": clouds[:, ::-1].reshape(2, -1)}
    keypoints = model.latent.channels()["keypoints"]

    def predicted(state):
        with torch.no_grad():
            z = model.encode(state)
            after = model.predict(z, torch.full((2, 3), 0.02, dtype=torch.float64))
        return (each.select(keypoints).unflatten(-1, (2, -1)) for each in (z, after))

    (here, after), (there, other) = predicted(state), predicted(exchanged)
    assert torch.equal(there, here.flip(-2))  # one encoder
    assert (other - after.flip(-2)).abs().max() > 1e-6  # and dynamics that tell first from second
    turned = [SE3().sample(np.random.default_rng(5), scale=0.3)]
    assert residual(model, model.symmetry, state, turned) < 1e-12
