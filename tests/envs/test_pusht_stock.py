"""gym-pusht's own environment, seen through equiworld's interface, is equiworld's PushT."""

import copy
import pickle

import gym_pusht  # noqa: F401  registers gym_pusht/PushT-v0
import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from equiworld.envs import GroupAction
from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.stock import StockStateView, StockView
from equiworld.errors import ArgumentError
from equiworld.symmetry import symmetry_of


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


def test_it_says_how_it_transforms(view):
    symmetry = symmetry_of(view)
    assert symmetry == symmetry_of("equiworld/PushT-v0")
    assert "walls" in symmetry.holds
    g = symmetry.group.reflection(0.4)
    turned = GroupAction(view, g)
    expected = symmetry.transform_observation(g, view.reset(seed=2)[0])
    np.testing.assert_allclose(turned.reset(seed=2)[0]["agent_pos"], expected["agent_pos"], atol=1e-9)


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


# ------------------------------------------------------------------- from the stock observations alone


class Spy(gym.Wrapper):
    """gym-pusht's environment, its `info` kept from whoever wraps it; what it was sent and what is true, told apart."""

    def reset(self, **arguments):
        observation, self.truth = super().reset(**arguments)
        return observation, {}

    def step(self, action):
        observation, reward, terminated, truncated, self.truth = self.env.step(action)
        self.sent = action
        return observation, reward, terminated, truncated, {}


def spied():
    spy = Spy(gym.make("gym_pusht/PushT-v0", obs_type="state"))
    return spy, StockStateView(spy)


@pytest.mark.parametrize("seed", range(6))
def test_velocity_and_pose_follow_from_five_numbers_and_the_targets_sent(seed):
    """In contact, against walls, with targets that gym-pusht's box cuts off."""
    spy, view = spied()
    rng = np.random.default_rng(seed)
    seen, _ = view.reset(seed=seed)
    fastest, cut, worst_without = 0.0, 0, 0.0
    for step in range(80):
        places = seen["block_pos"], (-60.0, 256.0), seen["block_pos"], (580.0, 580.0)
        towards = places[step // 20] - seen["agent_pos"]
        action = towards + rng.normal(size=2) * 20
        action *= min(1.0, 99.0 / np.linalg.norm(action))
        before = seen["agent_pos"]
        seen, *_ = view.step(action)
        true = np.array(spy.truth["vel_agent"])
        np.testing.assert_allclose(seen["agent_vel"], true, rtol=0, atol=1e-9)
        np.testing.assert_array_equal(seen["agent_pos"], spy.truth["pos_agent"])
        stock = geometry.to_stock_pose([*seen["block_pos"], *seen["block_heading"]])
        np.testing.assert_allclose(stock[:2], spy.truth["block_pose"][:2], rtol=0, atol=1e-9)
        assert view.observation_space.contains(seen)
        assert spy.action_space.contains(spy.sent)
        fastest = max(fastest, np.abs(true).max())
        cut += not np.allclose(spy.sent, before + action, rtol=0, atol=1e-3)
        worst_without = max(worst_without, np.abs((seen["agent_pos"] - before) / 0.1 - true).max())
    assert fastest > 50  # px/s: there was something to find out
    assert cut > 5
    assert worst_without > 10  # negative control: the mean velocity of a period is another


def test_a_goal_is_shown_that_stock_observations_do_not_hold():
    spy, view = spied()
    seen, _ = view.reset(seed=1)
    true = geometry.from_stock_pose(spy.truth["goal_pose"])
    np.testing.assert_allclose([*seen["goal_pos"], *seen["goal_heading"]], true, rtol=0, atol=1e-9)


def test_what_is_known_of_a_state_can_be_set_in_ours():
    _, view = spied()
    view.reset(seed=4)
    for _ in range(12):
        seen, *_ = view.step(np.array([20.0, -10.0]))
    own = gym.make("equiworld/PushT-v0")
    again, _ = own.reset(options={"state": view.get_state()})
    for key, value in seen.items():
        np.testing.assert_allclose(again[key], value, rtol=0, atol=1e-9, err_msg=key)
    assert np.linalg.norm(seen["agent_vel"]) > 10


def test_the_view_of_stock_observations_refuses_others_and_asks_for_a_reset():
    for other in ("environment_state_agent_pos", "pixels"):
        with pytest.raises(ArgumentError, match=r"env: got observations in .*obs_type='state'"):
            StockStateView(gym.make("gym_pusht/PushT-v0", obs_type=other))
    with pytest.raises(ArgumentError, match="gym_pusht/PushT-v0"):
        StockStateView(gym.make("equiworld/PushT-v0"))
    _, view = spied()
    for ask in (view.get_state, lambda: view.step(np.zeros(2))):
        with pytest.raises(ResetNeeded):
            ask()
    view.reset(seed=0)
    for action in ([100.0, 100.0], [np.nan, 0.0], [1.0]):
        with pytest.raises(ArgumentError, match="action"):
            view.step(np.array(action))
