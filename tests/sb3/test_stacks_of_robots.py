"""Stacks of frames and columns of labelled robots: what policies, doors and models make of arrays of several axes."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import FrameStackObservation, ReshapeObservation

pytest.importorskip("stable_baselines3")
pytest.importorskip("mujoco")

from stable_baselines3 import PPO

import equiworld as ew
from equiworld.sb3 import EquivariantActorCriticPolicy
from equiworld.tasks import Task

STACKS = {
    "two frames of a walker": lambda: FrameStackObservation(gym.make("Walker2d-v5"), 2),
    "a walker in a column": lambda: ReshapeObservation(gym.make("Walker2d-v5"), (17, 1)),
    "two frames of an ant": lambda: FrameStackObservation(gym.make("Ant-v5"), 2),
}
stacks = pytest.mark.parametrize("make", STACKS.values(), ids=STACKS)


def turned(env, rows=4):
    """Observations, elements, and the observations that these make of them."""
    symmetry, rng = ew.symmetry_of(env), np.random.default_rng(0)
    seen = np.stack([env.reset(seed=row)[0] for row in range(rows)])
    seen = seen + rng.normal(scale=0.1, size=seen.shape)
    g = symmetry.group.sample(rng, rows)
    return symmetry, seen, g, symmetry.transform_observation(g, seen)


@stacks
@pytest.mark.parametrize("form", ["canonical", "steerable"])
def test_policies_are_exact_on_them(make, form):
    env = make()
    symmetry, seen, g, there = turned(env)
    settings = {"symmetry": symmetry, "form": form, "net_arch": [8], "ortho_init": False}
    model = PPO(
        EquivariantActorCriticPolicy, env, policy_kwargs=settings, n_steps=8, batch_size=8, device="cpu"
    )
    model.policy.double()
    one, other = (model.predict(each, deterministic=True)[0] for each in (seen, there))
    assert np.abs(symmetry.transform_action(g, one) - other).max() < 1e-12
    assert np.abs(one - other).max() > 1e-4  # the control: it matters that they are turned
    model.learn(8)


@stacks
def test_plain_policies_are_exact_behind_the_door(make):
    env = make()
    symmetry, seen, g, there = turned(env)
    size = env.action_space.shape[0]

    def plain(observation):
        return np.sin(np.arange(1, size + 1) * observation.reshape(-1)[-1])

    policy = ew.symmetrise(plain, env)
    one, other = (policy.predict(each)[0] for each in (seen, there))
    assert np.abs(symmetry.transform_action(g, one) - other).max() < 1e-12
    bare = [np.stack([plain(row) for row in each]) for each in (seen, there)]
    assert np.abs(symmetry.transform_action(g, bare[0]) - bare[1]).max() > 1e-3


@stacks
@pytest.mark.parametrize("family", ["auto", "state"])
def test_models_of_them_plan(make, family):
    env = make()
    _, seen, *_ = turned(env, 2)
    model = ew.WorldModel.for_env(env, family, seed=0)

    def cost(states, channels, goal, goal_channels):
        return states.scalars[..., 0].square()

    policy = ew.MPCPolicy(model, ew.planners.CEM(samples=8, elites=2, horizon=2), task=Task(cost))
    assert policy.predict(seen)[0].shape == (2, env.action_space.shape[0])


@stacks
def test_they_are_restricted_to_what_moves_no_labels(make):
    env = make()
    symmetry, seen, *_ = turned(env)
    kernel = symmetry.restricted(symmetry.group.kernel())
    assert not kernel.labelled
    assert kernel.shapes == symmetry.shapes
    for name, array in symmetry.observed(seen).items():
        assert np.array_equal(array, kernel.observed(seen)[name])
    g = kernel.group.sample(np.random.default_rng(1), len(seen))
    whole = symmetry.transform_observation(g.within(symmetry.group), seen)
    assert np.abs(kernel.transform_observation(g, seen) - whole).max() < 1e-12
