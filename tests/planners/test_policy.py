"""The policy: stable-baselines3's protocol, its memory, what it refuses, and copies of it."""

from __future__ import annotations

import copy
import random

import gym_pusht  # noqa: F401  registers the stock environment
import gymnasium as gym
import numpy as np
import pytest
import torch
from family_cases import STATE_FAMILIES
from policy_cases import ENV, PLAIN, PLANNER, model_of, policy_of, rows

from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy, PolicyState


class Spy(CEM):
    """Remembers what it was asked."""

    def plan(self, problem, generators, warm_start=None, active=None):
        asked.append((problem.envs, warm_start))
        return super().plan(problem, generators, warm_start, active)


asked: list = []
SPY = Spy(horizon=3, samples=16, iterations=2, elites=4)


@pytest.fixture(autouse=True)
def _forget():
    asked.clear()


# ------------------------------------------------------------------------------------------- the protocol


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("family", STATE_FAMILIES)
def test_one_observation_or_many(family, dtype, observations):
    policy = policy_of(family, dtype=dtype)
    space = gym.make(ENV).action_space
    action, state = policy.predict(rows(observations, 0))
    assert action.shape == (2,)
    assert action.dtype == np.float64
    assert space.contains(action)
    assert isinstance(state, PolicyState)
    actions, state = policy.predict(observations)
    assert actions.shape == (16, 2)
    assert all(space.contains(one) for one in actions)
    assert [part.shape for part in state] == [
        (16, 1, 3, 2),
        (16, 2, 2),
        *[(16, 2)] * 3,
        *[(16,)] * 6,
    ]
    assert all(isinstance(part, np.ndarray) for part in state)  # as SB3's states are
    assert not state.degenerate.any()
    assert not state.clipped.any()
    assert ((state.seam_margin > 0) & (state.seam_margin <= 0.5)).all()
    assert not policy.inexact
    assert policy.predict(rows(observations, slice(0, 1)))[0].shape == (1, 2)


def test_an_action_does_not_depend_on_who_else_is_in_the_batch(observations):
    """Over several steps, held actions and staggered episodes included."""
    policy = policy_of(repeat=2)
    later = {name: np.roll(array, 1, 0) for name, array in observations.items()}
    starts = [None, np.arange(16) % 3 == 0, np.arange(16) % 5 == 0, np.zeros(16, bool)]
    together, state = [], None
    for step, start in enumerate(starts):
        actions, state = policy.predict(later if step % 2 else observations, state, start)
        together.append(actions)
    for env in (0, 7, 15):
        alone = None
        for step, start in enumerate(starts):
            start = None if start is None else start[env : env + 1]
            seen = rows(later if step % 2 else observations, env)
            action, alone = policy.predict(seen, alone, start)
            assert np.allclose(action, together[step][env], rtol=0, atol=1e-9)


def test_the_state_carries_everything(observations):
    """The same state and observation give the same bits, in this policy and in another one made alike."""
    policy, twin = policy_of(repeat=2), policy_of(repeat=2)
    _, state = policy.predict(observations)
    kept = copy.deepcopy(state)
    first, after = policy.predict(observations, state)
    policy.predict(observations, after)
    again, after_again = policy.predict(observations, state)
    other, _ = twin.predict(observations, state)
    assert np.array_equal(first, again)
    assert np.array_equal(first, other)
    assert all(np.array_equal(one, two) for one, two in zip(state, kept, strict=True))  # not written to
    assert all(np.array_equal(one, two) for one, two in zip(after, after_again, strict=True))


def test_a_new_episode_begins_where_the_mask_says(observations):
    policy = policy_of(repeat=2)
    fresh, _ = policy.predict(observations)
    _, state = policy.predict(rows(observations, np.arange(16)[::-1]))
    mask = np.arange(16) % 2 == 0
    actions, state = policy.predict(observations, state, mask)
    assert np.allclose(actions[mask], fresh[mask], rtol=0, atol=1e-9)
    assert not np.isclose(actions[~mask], fresh[~mask], atol=1e-3).all(1).any()
    assert state.decisions.tolist() == [1] * 16
    assert state.steps.tolist() == [1 if new else 2 for new in mask]
    # A list, and all at once, as wrappers give it.
    everywhere, _ = policy.predict(observations, state, [True] * 16)
    assert np.allclose(everywhere, fresh, rtol=0, atol=1e-9)


@pytest.mark.parametrize("repeat", [1, 2, 3])
def test_an_action_is_held_as_long_as_the_model_spans(repeat):
    env = gym.make(ENV, walls=False)
    observation, _ = env.reset(seed=3)
    policy, state, targets = policy_of(repeat=repeat, planner=SPY), None, []
    for step in range(7):
        action, state = policy.predict(observation, state)
        targets.append(observation["agent_pos"] + action)
        observation = env.step(action)[0]
        assert len(asked) == step // repeat + 1
    for step in range(7):
        first = step - step % repeat
        assert np.allclose(targets[step], targets[first], rtol=0, atol=1e-9)
    assert not np.allclose(targets[0], targets[repeat], atol=1e-3)


def test_only_environments_whose_action_is_over_are_planned_for(observations):
    policy = policy_of(repeat=2, planner=SPY)
    _, state = policy.predict(observations)
    _, state = policy.predict(observations, state, np.arange(16) < 5)
    policy.predict(observations, state)
    assert [envs for envs, _ in asked] == [16, 5, 11]


def test_the_last_plan_shifted_is_the_next_start(observations):
    policy = policy_of(planner=SPY)
    _, state = policy.predict(observations)
    assert asked[0][1].eq(0).all()
    policy.predict(observations, state, np.arange(16) == 3)
    start = asked[1][1].numpy()
    expected = np.concatenate([state.plan[:, :, 1:], state.plan[:, :, -1:]], 2)
    expected[3] = 0.0
    # What is seen is the same, and so the frame: the plan is turned by no more than a step of the grid.
    assert np.abs(start - expected).max() <= 100 * 4 * 2.0**-22
    assert (start[3] == 0).all()
    assert np.abs(expected).max() > 1


def test_a_plan_is_carried_from_one_frame_to_the_next(observations):
    """In the world it stays as it was, wherever the next frame stands."""
    policy = policy_of(planner=SPY)
    _, state = policy.predict(observations)
    following = {name: np.roll(array, 1, 0) for name, array in observations.items()}
    _, after = policy.predict(following, state)

    def in_the_world(plan, rotation):
        return np.einsum("bij,bkhj->bkhi", rotation, plan)

    shifted = np.concatenate([state.plan[:, :, 1:], state.plan[:, :, -1:]], 2)
    expected, found = in_the_world(shifted, state.rotation), in_the_world(asked[1][1].numpy(), after.rotation)
    assert np.abs(found - expected).max() <= 100 * 4 * 2.0**-22
    assert np.abs(asked[1][1].numpy() - shifted).max() > 1  # negative control: the frames do differ


def test_noise_is_fresh_unless_asked_to_be_deterministic(observations):
    policy, twin, other = policy_of(), policy_of(), policy_of(seed=1)
    one = rows(observations, 0)
    fixed = [policy.predict(one)[0] for _ in range(2)]
    assert np.array_equal(*fixed)
    assert not np.array_equal(fixed[0], other.predict(one)[0])
    free = [policy.predict(one, deterministic=False)[0] for _ in range(3)]
    assert len({tuple(action) for action in free}) == 3
    assert all(np.linalg.norm(action) <= 100 * (1 + 1e-9) for action in free)
    repeated = [twin.predict(one, deterministic=False)[0] for _ in range(3)]
    assert np.array_equal(free, repeated)
    assert np.array_equal(policy.predict(one)[0], fixed[0])
    # Decisions after one another differ too: each has noise of its own.
    actions, state = policy.predict(observations)
    assert not np.array_equal(policy.predict(observations, state)[0], actions)


def test_the_model_is_copied_and_the_global_generators_are_left_alone(observations):
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    model = model_of()
    policy = MPCPolicy(model, PLANNER, dtype="float64")
    assert model.dtype == torch.float32
    assert policy.model.dtype == torch.float64
    action, _ = policy.predict(observations, deterministic=False)
    action, _ = policy.predict(observations)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert np.array_equal(policy.predict(observations)[0], action)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    assert before[2] == random.getstate()


def test_a_plan_may_be_looked_at(observations):
    policy = policy_of()
    plan = policy.plan(rows(observations, 0))
    assert plan.actions.shape == (1, 3, 2)
    assert np.allclose(plan.actions[0, 0], policy.predict(rows(observations, 0))[0], rtol=0, atol=1e-9)
    assert plan.degeneracy.shape == plan.margin.shape == (1,)
    assert float(plan.degeneracy) == 0
    assert 0 < float(plan.margin) <= 0.5
    assert policy.plan(observations).cost.shape == (16,)
    assert not torch.equal(policy.plan(rows(observations, 0), seed=1).actions, plan.actions)


# -------------------------------------------------------------------------------------- stable-baselines3


@pytest.mark.parametrize("envs", [4, 1, None])
def test_evaluate_policy_takes_it_as_it_is(envs):
    """Four environments, one as a vector, and one as it is."""
    pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.vec_env import DummyVecEnv

    def make():
        return gym.make(ENV, max_episode_steps=5)

    env = make() if envs is None else DummyVecEnv([make] * envs)
    rewards, lengths = evaluate_policy(
        policy_of(repeat=2), env, n_eval_episodes=6, return_episode_rewards=True, warn=False
    )
    assert lengths == [5] * 6
    assert np.isfinite(rewards).all()


# ------------------------------------------------------------------------------------------ bad arguments


def test_bad_observations_are_refused_by_field(observations):
    policy = policy_of()
    good = rows(observations, 0)
    short = {name: array for name, array in good.items() if name != "goal_heading"}
    wrong = {
        r"no key 'goal_heading'.*every declared key": short,
        r"no key 'agent_pos'.*every declared key": {"block_pos": good["block_pos"]},
        r"block_pos: got NaN or infinity": good | {"block_pos": np.array([np.nan, 0.0])},
        r"goal_heading: got NaN or infinity": good | {"goal_heading": np.array([np.inf])},
        r"block_heading: got shape \(1, 2\)": good | {"block_heading": np.zeros(2)},
        r"agent_pos: got shape \(1, 3\)": good | {"agent_pos": np.zeros(3)},
        r"agent_vel: got dtype <U": good | {"agent_vel": np.array(["a", "b"])},
        r"agent_vel: got dtype object": good | {"agent_vel": np.array([None, 1.0])},
        r"agent_vel: got dtype complex": good | {"agent_vel": np.array([1j, 1.0])},
        r"undeclared key 'colour'": good | {"colour": np.zeros(3)},
        r"observation: got .*ndarray; expected a mapping": np.zeros(43),
    }
    for message, observation in wrong.items():
        with pytest.raises(ArgumentError, match=message):
            policy.predict(observation)
    for name in ("block_pos", "block_keypoints", "goal_heading"):  # state, neither, goal
        for count in (5, 20):
            uneven = observations | {
                name: np.resize(observations[name], (count, observations[name].shape[1]))
            }
            message = rf"{name}: got leading shape \({count},\); expected \(16,\)"
            with pytest.raises(ArgumentError, match=message):
                policy.predict(uneven)
    policy.predict({name: array.tolist() for name, array in good.items()})  # lists of numbers are numbers


def test_bad_states_and_masks_are_refused(observations):
    policy = policy_of()
    _, state = policy.predict(rows(observations, slice(0, 3)))
    with pytest.raises(ArgumentError, match="state: got of 3 environments; expected one of 16"):
        policy.predict(observations, state)
    with pytest.raises(ArgumentError, match="state: got of 3 environments; expected one of 1"):
        policy.predict(rows(observations, 0), state)
    for garbage in (3, "state", (1, 2), {"plan": 1}):
        with pytest.raises(ArgumentError, match=r"state: got a \w+; expected what the last call returned"):
            policy.predict(rows(observations, 0), garbage)
    longer = MPCPolicy(model_of(), CEM(horizon=5, samples=16), dtype="float64")
    with pytest.raises(
        ArgumentError, match=r"state\.plan: got shape \(3, 1, 3, 2\).*; expected shape \(3, 1, 5, 2\)"
    ):
        longer.predict(rows(observations, slice(0, 3)), state)
    with pytest.raises(ArgumentError, match=r"episode_start: got shape \(2,\); expected shape \(3,\)"):
        policy.predict(rows(observations, slice(0, 3)), state, [True, False])


@pytest.mark.parametrize("name", ["plan", "rotation", "shift", "action", "origin"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_states_that_are_not_finite_are_refused_by_their_rows(name, bad, observations):
    policy = policy_of(repeat=2)
    _, state = policy.predict(observations)
    spoilt = getattr(state, name).copy()
    spoilt[[4, 9]] = bad
    with pytest.raises(ArgumentError, match=rf"state\.{name}: got NaN or infinity in row\(s\) \[4, 9\]"):
        policy.predict(observations, state._replace(**{name: spoilt}))


def test_states_of_other_dtypes_are_refused(observations):
    policy = policy_of()
    _, state = policy.predict(observations)
    with pytest.raises(ArgumentError, match=r"state\.steps: got .*float64"):
        policy.predict(observations, state._replace(steps=state.steps.astype(float)))
    with pytest.raises(ArgumentError, match="expected what the last call returned"):
        policy.predict(observations, state[:4])  # of an earlier release
    listed = tuple(part.copy() for part in state)  # SB3 makes plain tuples of them
    assert np.array_equal(policy.predict(observations, listed)[0], policy.predict(observations, state)[0])


def test_what_cannot_be_a_policy_is_refused():
    wrong = {
        "dtype": ("float16", r"dtype: got 'float16'.*float32, float64"),
        "device": ("meta", "device: got 'meta'.*cpu"),
        "bound": ("cube", "bound: got 'cube'.*ball, box"),
        "seed": (1.5, r"seed: got 1\.5"),
        "prior": (3, "prior: got int; expected a policy with predict"),
    }
    for name, (value, message) in wrong.items():
        with pytest.raises(ArgumentError, match=message):
            policy_of(**{name: value})
    with pytest.raises(ArgumentError, match="seed: got True"):
        policy_of(seed=True)
    stock = WorldModel.for_env(gym.make("gym_pusht/PushT-v0", obs_type="state"), **PLAIN)
    with pytest.raises(UnknownNameError, match=r"gym_pusht/PushT-v0.*register_task.*equiworld/PushT-v0"):
        MPCPolicy(stock, PLANNER)
