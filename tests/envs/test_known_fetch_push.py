"""FetchPush's exploration, cost and proposals: the block is pushed, and everything turns about gravity."""

from __future__ import annotations

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch

import equiworld as ew
from equiworld.envs.known import FetchPushExploration
from equiworld.envs.known.fetch_task import PUSH_RANDOM_NUMBERS, propose_pushes
from equiworld.rollout import env_copies
from equiworld.tasks import task_of

# Of constraints-robotics.txt, whose MuJoCo is an older one.
gymnasium_robotics = pytest.importorskip("gymnasium_robotics")
pytestmark = pytest.mark.robotics

STRAIGHT = [0.5, 0.5, 0.0, 2 / 3]  # through the middle of the block, to the goal, as fast as can be


def features(symmetry, observation):
    return (
        symmetry.to_features(observation, None, torch.float64),
        symmetry.to_features(observation, symmetry.goal, torch.float64),
    )


def proposed(symmetry, observation, uniform, horizon=12, action_repeat=1):
    """Plans for one observation, `(P, H, 4)`."""
    state, goal = (each.map(lambda part: part[None]) for each in features(symmetry, observation))
    fields = symmetry.channels(), symmetry.channels(symmetry.goal)
    draw = torch.as_tensor(uniform, dtype=torch.float64)[None]
    plans = propose_pushes(state, fields[0], goal, fields[1], draw, horizon, 1.0, action_repeat)
    assert plans.shape == (1, len(uniform), horizon, 4)
    return plans[0].numpy()


def test_exploration_moves_the_block_and_is_the_same_every_time():
    env, explorer = gym.make("FetchPush-v4"), FetchPushExploration()
    data = ew.collect(env, 400, seed=0, exploration=explorer, workers=1)
    again = ew.collect(env, 400, seed=0, exploration=explorer, workers=1)
    assert np.array_equal(data.action, again.action)
    assert data.provenance == again.provenance
    way = np.linalg.norm(data.next_observation["block"] - data.observation["block"], axis=-1)
    assert (way > 1e-3).mean() > 0.3
    assert np.linalg.norm(data.action, axis=-1).max() <= 1.0 + 1e-6
    assert np.abs(data.action[:, 3]).max() == 0.0


def test_proposals_and_cost_turn_with_the_world():
    env, rng = gym.make("FetchPush-v4"), np.random.default_rng(0)
    symmetry, uniform = ew.symmetry_of(env), rng.random((16, PUSH_RANDOM_NUMBERS))
    cost = task_of("FetchPush-v4").objective().bind(symmetry)
    for seed in range(4):
        observation, _ = env.reset(seed=seed)
        g = symmetry.group.sample(rng, scale=0.2)
        turned = symmetry.transform_observation(g, observation)
        here, there = proposed(symmetry, observation, uniform), proposed(symmetry, turned, uniform)
        assert np.allclose(symmetry.transform_action(g, here), there, 0, 1e-9)
        assert np.linalg.norm(here[..., :2], axis=-1).max() <= 1.0 + 1e-9
        (state, goal), (state_there, goal_there) = (features(symmetry, o) for o in (observation, turned))
        costs = cost(state, torch.zeros(4), goal), cost(state_there, torch.zeros(4), goal_there)
        assert costs[0].item() == pytest.approx(costs[1].item(), abs=1e-12)


@pytest.mark.parametrize("action_repeat", [1, 2])
def test_a_straight_push_that_is_proposed_anew_at_each_step_brings_the_block_nearer(action_repeat):
    env, before, after = gym.make("FetchPush-v4"), list[float](), list[float]()
    symmetry = ew.symmetry_of(env)
    for seed in range(900_000, 900_010):
        observation, _ = env.reset(seed=seed)
        before.append(np.linalg.norm(observation["achieved_goal"] - observation["desired_goal"]))
        for step in range(48):
            if step % action_repeat == 0:
                action = proposed(symmetry, observation, [STRAIGHT], 2, action_repeat)[0, 0]
            observation, *_ = env.step(action.astype(np.float32))
        after.append(np.linalg.norm(observation["achieved_goal"] - observation["desired_goal"]))
    assert np.median(before) > 0.1
    assert np.median(after) < 0.05


def test_a_task_plans_without_velocities():
    env = gym.make("FetchPush-v4")
    symmetry = ew.symmetry_of(env)
    places = replace(symmetry, state=("hand", "block", "turned"))
    model = ew.WorldModel.for_env(env, symmetry=places, hidden=(8,))
    policy = ew.MPCPolicy(model, ew.planners.CEM(horizon=3, samples=16))
    observation, _ = env.reset(seed=0)
    assert policy.predict(observation)[0].shape == (4,)


def test_a_maze_that_was_reset_can_be_copied():
    env = gym.make("PointMaze_Open-v3")
    env.reset(seed=3)
    assert len(env_copies(env, 2)) == 2


@pytest.mark.slow
def test_pushes_are_learnt():
    box = gym.spaces.Box(-1.0, 1.0, (4,), np.float64)
    env = gym.wrappers.TransformAction(gym.make("FetchPush-v4"), np.array, box)
    data = ew.collect(env, 10_000, seed=0, exploration=FetchPushExploration(), workers=1)
    model = ew.train(ew.WorldModel.for_data(data), data)
    policy = ew.MPCPolicy(model, ew.planners.CEM(horizon=10, correlation=1.0))
    found = ew.evaluate(
        policy, env, episodes=10, seed=900_000, success=lambda info, seen: bool(info["is_success"])
    )
    assert found.success_rate >= 0.8, found
