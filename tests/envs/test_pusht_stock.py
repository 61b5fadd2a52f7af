"""gym-pusht's own environment, seen through equiworld's interface, is equiworld's PushT."""

import copy
import pickle

import gym_pusht  # noqa: F401  registers gym_pusht/PushT-v0
import gymnasium as gym
import numpy as np
import pytest
from equiworld.envs.pusht.stock import StockView

from equiworld.errors import ArgumentError


@pytest.fixture
def view():
    return StockView(gym.make("gym_pusht/PushT-v0"))


@pytest.mark.parametrize("seed", range(8))
def test_the_same_actions_give_the_same_episode(view, seed):
    own = gym.make("equiworld/PushT-v0")
    rng = np.random.default_rng(seed)
    seen, _ = view.reset(seed=seed)
    expected, _ = own.reset(seed=seed)
    for step in range(60):
        for key, value in expected.items():
            # gym-pusht tells its goal by another point than the centre of gravity.
            np.testing.assert_allclose(
                seen[key], value, rtol=0, atol=1e-9 if "goal" in key else 0, err_msg=key
            )
        towards = expected["block_pos"] - expected["agent_pos"] + rng.normal(size=2) * 20
        action = towards * min(1.0, 60.0 / np.linalg.norm(towards))
        seen, reward, terminated, _, info = view.step(action)
        expected, own_reward, own_terminated, _, own_info = own.step(action)
        assert reward == pytest.approx(own_reward, abs=1e-9), step
        assert terminated == own_terminated
        assert info["coverage"] == pytest.approx(own_info["coverage"], abs=1e-9)


def test_spaces_hold_what_is_shown(view):
    observation, _ = view.reset(seed=0)
    assert view.observation_space.contains(observation)
    assert view.observation_space == gym.make("equiworld/PushT-v0").observation_space


def test_other_environments_and_wrong_actions_are_refused(view):
    with pytest.raises(ArgumentError, match="gym_pusht/PushT-v0"):
        StockView(gym.make("equiworld/PushT-v0"))
    view.reset(seed=0)
    for action in ([100.0, 100.0], [np.nan, 0.0], [1.0]):
        with pytest.raises(ArgumentError, match="action"):
            view.step(np.array(action))


@pytest.mark.parametrize("way", [copy.deepcopy, pickle.dumps])
def test_it_can_be_copied_until_an_episode_begins_and_then_says_what_can(view, way):
    twin = pickle.loads(way(view)) if way is pickle.dumps else way(view)
    shown, again = view.reset(seed=2)[0], twin.reset(seed=2)[0]
    assert all(np.array_equal(shown[key], again[key]) for key in shown)
    with pytest.raises(TypeError, match=r"gym-pusht.*equiworld/PushT-v0"):
        way(view)
    assert np.array_equal(view.step(np.ones(2))[0]["agent_pos"], twin.step(np.ones(2))[0]["agent_pos"])
