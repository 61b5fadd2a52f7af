"""`equiworld/PushT-v0`: gym-pusht to the last bit, and an exact state."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from numpy.typing import NDArray
from pusht_cases import chase, flat, make, rollout

from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.env import PushTEnv
from equiworld.envs.pusht.simulation import PushTState

gym_pusht = pytest.importorskip("gym_pusht")


def stock_env() -> Any:
    return gym.make("gym_pusht/PushT-v0", obs_type="state", disable_env_checker=True).unwrapped


def assert_same_pose(stock: Any, env: PushTEnv, observation: dict[str, NDArray[np.float64]]) -> None:
    """Bit for bit what the engine holds; the derived numbers up to rounding."""
    gravity = stock.block.local_to_world(stock.block.center_of_gravity)
    assert np.array_equal(observation["agent_pos"], stock.agent.position)
    assert np.array_equal(observation["agent_vel"], stock.agent.velocity)
    assert np.array_equal(observation["block_pos"], gravity)
    assert env.simulation.block_pose[2] == stock.block.angle
    wrapped = (stock.block.angle + np.pi) % (2 * np.pi) - np.pi
    assert abs(observation["block_heading"][0] - wrapped) < 1e-12
    corners = stock.get_keypoints(stock._block_shapes)
    np.testing.assert_allclose(observation["block_keypoints"].reshape(8, 2), corners, atol=1e-10)


def target(stock: Any, rng: np.random.Generator) -> NDArray[np.float64]:
    """Mostly somewhere in the block, so that it is pushed, into the walls too."""
    if rng.uniform() < 0.7:
        return np.array(stock.block.local_to_world((rng.uniform(-60, 60), rng.uniform(0, 120))))
    return rng.uniform(0.0, 512.0, 2)


def test_bit_for_bit_equal_to_gym_pusht() -> None:
    stock, env = stock_env(), make(max_displacement=1e4)
    contacts = walls = 0
    for seed in range(25):
        stock.reset(seed=seed)
        observation, info = env.reset(seed=seed)
        assert_same_pose(stock, env, observation)
        rng = np.random.default_rng(seed)
        for step in range(60):
            if step % 3 == 0:
                aim = target(stock, rng)
            action = aim - observation["agent_pos"]
            # what the env makes of the displacement, rounding included
            _, reward, terminated, truncated, stock_info = stock.step(observation["agent_pos"] + action)
            observation, *result, info = env.step(action)
            assert_same_pose(stock, env, observation)
            assert result[0] == pytest.approx(reward, abs=1e-9)
            assert result[1:] == [terminated, truncated]
            assert info["is_success"] == stock_info["is_success"]
            assert info["coverage"] == pytest.approx(stock_info["coverage"], abs=1e-9)
            for key in ("pos_agent", "vel_agent", "block_pose", "goal_pose"):
                np.testing.assert_allclose(info[key], stock_info[key], rtol=0, atol=1e-10)
            contacts += stock_info["n_contacts"] > 0
            walls += bool(geometry.wall_gap(env.simulation.block_pose) < 0.5)
    assert contacts > 300  # the comparison means something only where things touch
    assert walls > 30


def test_the_comparison_can_fail() -> None:
    """One engine step less before an overlapping start, and the comparison notices."""
    stock, env = stock_env(), make()
    seed = next(seed for seed in range(100) if not env.exploration.is_free(started(env, seed)))
    for settle in (True, False):
        stock.reset(seed=seed)
        observation, _ = env.reset(options={"state": started(env, seed).replace(settle=settle)})
        for _ in range(3):
            stock.step(observation["agent_pos"])
            observation, *_ = env.step(np.zeros(2))
        if settle:
            assert_same_pose(stock, env, observation)
        else:
            with pytest.raises(AssertionError):
                assert_same_pose(stock, env, observation)


def started(env: PushTEnv, seed: int) -> PushTState:
    env.reset(seed=seed)
    return env.get_state()


def test_same_starts_as_gym_pusht_overlaps_included() -> None:
    stock, env = stock_env(), make()
    kinds = {"free": 0, "in block": 0, "in wall": 0}
    for seed in range(400):
        stock.reset(seed=seed)
        observation, _ = env.reset(seed=seed)
        assert_same_pose(stock, env, observation)
        state = env.get_state()
        kinds["in wall"] += bool(geometry.wall_gap(state.block) < 0)
        kinds["in block"] += bool(geometry.distance_to_block(state.agent_pos, state.block) < 15)
        kinds["free"] += env.exploration.is_free(state)
    assert all(count > 2 for count in kinds.values()), kinds


def test_free_starts_are_free() -> None:
    env = make(starts="free")
    for seed in range(50):
        state = started(env, seed)
        assert env.exploration.is_free(state)
        assert not state.settle


@pytest.mark.parametrize("away", [0.0, 0.5, 2.0, 4.0, 9.0])
def test_success_and_termination_are_those_of_gym_pusht(away: float) -> None:
    """Near the goal, by gym-pusht's own way of setting a state."""
    stock, env = stock_env(), make()
    x, y, heading = geometry.STOCK_GOAL
    place = (round(x) + away, round(y) - 45.0)  # gym-pusht turns the block about its centre of gravity
    stock.reset(options={"reset_to_state": [40.0, 40.0, *place, heading]})
    state = PushTState(
        (40.0, 40.0), (0.0, 0.0), (place[0], place[1] + 45.0, heading), geometry.STOCK_GOAL, settle=True
    )
    env.reset(options={"state": state})
    _, reward, terminated, _, stock_info = stock.step(np.array([42.0, 40.0]))
    observation, ours, ended, _, info = env.step(np.array([2.0, 0.0]))
    assert_same_pose(stock, env, observation)
    assert (ended, info["is_success"]) == (terminated, stock_info["is_success"])
    if away in (0.0, 9.0):
        assert ended is (away == 0.0)  # both outcomes are among the cases
    assert ours == pytest.approx(reward, abs=1e-9)
    strict = make(success_coverage=0.999)
    strict.reset(options={"state": state})
    assert strict.step(np.array([2.0, 0.0]))[2] is False


# --- state --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pushing", "in the wall", "overlapping start"])
@pytest.mark.parametrize("walls", [True, False])
def test_a_state_is_exact_in_the_middle_of_contact(kind: str, walls: bool) -> None:
    env, other, rng = make(walls=walls), make(walls=walls), np.random.default_rng(3)
    if kind == "pushing":
        env.reset(options=env.exploration.start(rng))
    elif kind == "in the wall":
        env.reset(options={"state": PushTState((150.0, 300.0), (0, 0), (75.0, 300.0, 1.0), (0, 0, 0))})
        rollout(env, np.tile([-60.0, 0.0], (4, 1)))
    else:
        env.reset(seed=next(k for k in range(100) if not env.exploration.is_free(started(env, k))))
    chase(env, rng, 7)
    state = env.get_state()
    actions = chase(env, rng, 20)
    env.set_state(state)
    expected = flat(rollout(env, actions))
    moved = np.ptp(expected, axis=0)
    assert moved[4] > 1.0  # the block was pushed
    other.reset(seed=9)
    for player, given in ((env, state), (other, state), (env, env.get_state()), (other, state)):
        player.set_state(given)
        if given is state:
            assert np.array_equal(flat(rollout(player, actions)), expected)
    env.reset(options={"state": state})  # the same through reset
    assert np.array_equal(flat(rollout(env, actions)), expected)


def test_poses_alone_are_not_the_state() -> None:
    """What the engine remembers matters: a fresh start at the same poses and velocity goes elsewhere."""
    env = make()
    env.reset(options={"state": PushTState((255.0, 150.0), (0, 0), (265.0, 230.0, 0.3), (0, 0, 0))})
    pushes = np.tile([0.0, 60.0], (10, 1))
    rollout(env, pushes)
    state, simulation = env.get_state(), env.simulation
    fresh = PushTState(simulation.agent_pos, simulation.agent_vel, simulation.block_pose, state.goal)
    expected = flat(rollout(env, pushes))
    env.set_state(fresh)
    apart = np.abs(flat(rollout(env, pushes)) - expected).max()
    assert 0.0 < apart < 20.0


def test_the_same_episode_after_the_same_seed_and_a_fresh_state_reads_back() -> None:
    env, again = make(goal="random"), make(goal="random")
    for seed in range(5):
        first, _ = env.reset(seed=seed)
        second, _ = again.reset(seed=seed)
        assert all(np.array_equal(first[key], second[key]) for key in first)
    state = PushTState((1.25, 2.5), (3.0, -4.0), (200.1, 300.3, 7.0), (100.0, 100.0, -7.0))
    observation, _ = env.reset(options={"state": state})
    assert env.get_state() == state
    assert observation["agent_vel"].tolist() == [3.0, -4.0]
    assert observation["block_pos"].tolist() == [200.1, 300.3]
    assert observation["block_heading"][0] == pytest.approx(7.0 - 2 * np.pi)
    assert observation["goal_heading"][0] == pytest.approx(2 * np.pi - 7.0)


def test_what_is_returned_is_the_callers() -> None:
    """Writing into observations or info changes nothing in the env."""
    env, again = make(), make()
    observation, info = env.reset(seed=1)
    again.reset(seed=1)
    for _ in range(3):
        for array in (*observation.values(), *info.values()):
            if isinstance(array, np.ndarray):
                array.fill(np.nan)
        observation, _, _, _, info = env.step(np.array([5.0, 5.0]))
        expected, *_ = again.step(np.array([5.0, 5.0]))
        assert all(np.array_equal(observation[key], expected[key]) for key in expected)
