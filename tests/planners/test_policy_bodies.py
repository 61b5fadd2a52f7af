"""Policies among interchangeable bodies: the same path at every orientation and in every order."""

from __future__ import annotations

import math

import gymnasium as gym
import numpy as np
import pytest

import equiworld.envs  # noqa: F401  registers
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy
from equiworld.symmetry import Door, symmetry_of

SMALL = {"hidden": (16,), "pair": (16,), "periodic": 8}
CASES = {
    "equiworld/CloudPushBodies-v0": {"bodies": 3},
    "equiworld/PushTBlocks-v0": {"blocks": 2},
}


def path(policy, env, steps, **options):
    """Observations of an episode, actions, and whether a frame was degenerate."""
    observation, _ = env.reset(seed=5, options=options)
    state, seen, actions = None, [observation], []
    for _ in range(steps):
        action, state = policy.predict(observation, state)
        observation = env.step(action)[0]
        seen.append(observation)
        actions.append(action)
    return seen, actions, bool(state.degenerate)


@pytest.mark.parametrize("env_id", CASES)
@pytest.mark.parametrize("family", ["state-bodies", "mlp"])
def test_the_path_is_the_same_whatever_the_model_and_the_order(env_id, family):
    if "Cloud" in env_id:
        pytest.importorskip("mujoco")
    env = gym.make(env_id, disable_env_checker=True, **CASES[env_id])
    settings = SMALL if family == "state-bodies" else {"hidden": (16,), "periodic": 8}
    model = WorldModel.for_env(env, family, **settings)
    policy = MPCPolicy(model, CEM(horizon=3, samples=32, elites=4), dtype="float32")
    assert policy.inexact == ()
    symmetry = symmetry_of(env)
    here, actions, degenerate = path(policy, env, 3)
    assert not degenerate
    for g in symmetry.group.sample(np.random.default_rng(2), 4, scale=symmetry.length_scale):
        there, turned, _ = path(policy, env, 3, group_element=g)
        for before, after in zip(here, there, strict=True):
            moved = symmetry.transform_observation(g, before)
            assert (
                max(np.abs(moved[name] - after[name]).max() for name in moved if "heading" not in name) < 1e-9
            )
        for before, after in zip(actions, turned, strict=True):
            assert np.abs(symmetry.transform_action(g, before) - after).max() < 1e-9


def test_without_the_door_the_order_shows():
    env = gym.make("equiworld/PushTBlocks-v0", disable_env_checker=True)
    model = WorldModel.for_env(env, "mlp", hidden=(16,), periodic=8)
    policy = MPCPolicy(model, CEM(horizon=3, samples=32, elites=4), door=False)
    exchange = next(
        g for g in symmetry_of(env).group.section() if g.label and np.array_equal(g.matrix, np.eye(2))
    )
    one, other = (path(policy, env, 1, **options)[1] for options in ({}, {"group_element": exchange}))
    assert np.abs(one[0] - other[0]).max() > 1e-3


def test_frames_are_whole_isometries_whatever_the_scales_of_spaces():
    pytest.importorskip("mujoco")
    env = gym.make("equiworld/CloudPushBodies-v0", disable_env_checker=True)
    symmetry = symmetry_of(env)
    observation = {name: array[None] for name, array in env.reset(seed=0)[0].items()}
    for scales in (None, {"bodies_rotation": 1.0 + 1e-9}, {"bodies_rotation": 0.3}):
        inside = Door(symmetry, scales=scales).enter(observation)
        assert np.abs(inside.element.matrix[0].T @ inside.element.matrix[0] - np.eye(3)).max() < 1e-12
        back = symmetry.transform_observation(inside.element, inside.observation)
        assert max(np.abs(back[name] - observation[name]).max() for name in back) < 1e-5
    assert math.isclose(float(inside.observation["named"].sum()), 1.0, abs_tol=1e-5)
