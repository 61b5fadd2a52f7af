"""`equiworld/PushT-v0` as others see it: checkers, vector envs, SB3, options, and messages for what is wrong."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils import env_checker
from hypothesis import given
from hypothesis import strategies as st
from pusht_cases import PROPERTY, make

import equiworld.envs  # noqa: F401  registers
from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.env import PushTEnv
from equiworld.envs.pusht.simulation import PushTState
from equiworld.envs.spaces import Ball
from equiworld.errors import ArgumentError, SimulationError
from equiworld.groups import SE2, SO2, SO3

pytest.importorskip("gym_pusht")

STATE = PushTState((100.0, 100.0), (0.0, 0.0), (255.0, 255.0, 0.5), (300.0, 255.0, 0.0))

# --- checkers, learners, vector envs --------------------------------------------------------------------


def test_gymnasiums_checker_passes() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Positions have no bounds without walls, and the same spaces serve with them.
        warnings.filterwarnings("ignore", message=".*Box observation space m(ax|in)imum value is -?infinity")
        # Actions are displacements in px, not numbers of order 1.
        warnings.filterwarnings("ignore", message=".*symmetric and normalized")
        env_checker.check_env(make(render_mode="rgb_array"))


def test_stable_baselines3s_checker_passes() -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Actions are displacements in px, in the precision of the physics.
        warnings.filterwarnings("ignore", message=".*symmetric and normalized Box action space")
        warnings.filterwarnings("ignore", message=".*action space has dtype float64")
        checker.check_env(make(outside="project"))


def test_gym_make_raises_no_warning() -> None:
    """With the passive checker that gym.make puts around by default, observations, info and actions float64."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gym.make("equiworld/PushT-v0")
        env.action_space.seed(0)
        observation, info = env.reset(seed=0)
        for _ in range(20):
            action = env.action_space.sample()
            assert action.dtype == np.float64
            observation, reward, terminated, truncated, info = env.step(action)
            assert env.observation_space.contains(observation)
            assert type(reward) is float
            assert type(terminated) is type(truncated) is type(info["is_success"]) is bool
            arrays = [*observation.values(), *(x for x in info.values() if isinstance(x, np.ndarray))]
            assert all(array.dtype == np.float64 for array in arrays)
    assert env.spec is not None
    assert env.spec.max_episode_steps == 300


def test_ppo_learns_on_the_projecting_env() -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    env = gym.make("equiworld/PushT-v0", outside="project")
    agent = sb3.PPO("MultiInputPolicy", env, n_steps=32, batch_size=32, n_epochs=1, device="cpu", seed=0)
    agent.learn(64)
    assert agent.num_timesteps == 64


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_vector_envs_sample_valid_actions(mode: str) -> None:
    envs = gym.make_vec("equiworld/PushT-v0", num_envs=2, vectorization_mode=mode)
    try:
        envs.reset(seed=0)
        envs.action_space.seed(0)
        assert isinstance(envs.action_space, Ball)
        for _ in range(20):  # from the enclosing box, a fifth of the samples would be refused
            observation, *_ = envs.step(envs.action_space.sample())
        assert observation["block_keypoints"].shape == (2, 16)
    finally:
        envs.close()


# --- options --------------------------------------------------------------------------------------------


def test_the_goal_of_an_env_and_of_an_episode() -> None:
    stock = make().reset(seed=0)[0]
    assert np.array_equal(stock["goal_pos"], geometry.STOCK_GOAL[:2])
    fixed = make(goal=(200.0, 210.0, 1.0))
    assert fixed.reset(seed=0)[0]["goal_pos"].tolist() == [200.0, 210.0]
    pose = np.array([300.0, 310.0, -1.0])
    observation, info = fixed.reset(seed=0, options={"goal": pose})
    assert [*observation["goal_pos"], *observation["goal_heading"]] == pytest.approx(pose)
    assert geometry.from_stock_pose(info["goal_pose"]) == pytest.approx(pose)
    assert observation["goal_keypoints"].reshape(8, 2) == pytest.approx(geometry.keypoints(pose))
    assert fixed.reset(seed=0)[0]["goal_pos"].tolist() == [200.0, 210.0]  # for that episode only
    env = make(goal="random")
    goals = [env.reset(seed=seed)[0] for seed in range(20)]
    assert len({tuple(goal["goal_pos"]) for goal in goals}) == 20
    for goal in goals:
        assert geometry.wall_gap(np.array([*goal["goal_pos"], *goal["goal_heading"]])) > 0
    # A drawn goal does not disturb the start that belongs to the seed.
    assert np.array_equal(env.reset(seed=5)[0]["block_pos"], make().reset(seed=5)[0]["block_pos"])
    assert env.reset(options={"state": STATE, "goal": "gym-pusht"})[0]["goal_pos"] == pytest.approx(
        geometry.STOCK_GOAL[:2]
    )
    assert env.reset(options={"state": STATE})[0]["goal_pos"].tolist() == [300.0, 255.0]


def test_walls_stop_the_block_and_without_them_nothing_does() -> None:
    start = PushTState((150.0, 255.0), (0.0, 0.0), (75.0, 255.0, 0.0), (0.0, 0.0, 0.0))
    ends = {}
    for walls in (True, False):
        env = make(walls=walls)
        env.reset(options={"state": start})
        for _ in range(12):
            observation, *_ = env.step(np.array([-60.0, 0.0]))
        ends[walls] = observation["block_keypoints"].reshape(8, 2)[:, 0].min()
    assert ends[True] > geometry.WALL_LOW
    assert ends[False] < -50.0


@pytest.fixture(scope="module")
def players() -> dict[str, PushTEnv]:
    return {"raise": make(), "project": make(outside="project")}


@given(angle=st.floats(-np.pi, np.pi), length=st.floats(1e-3, 1e4))
@PROPERTY
def test_an_action_outside_is_refused_or_shortened_radially(
    players: dict[str, PushTEnv], angle: float, length: float
) -> None:
    direction = np.array([np.cos(angle), np.sin(angle)])
    for player in players.values():
        player.reset(options={"state": STATE})
    if length > 100.001:
        with pytest.raises(ArgumentError, match=r"^action: got .* of length .*disc of radius 100"):
            players["raise"].step(length * direction)
    expected = players["raise"].step(min(length, 100.0) * direction)[0]
    observation = players["project"].step(length * direction)[0]
    for key in expected:
        np.testing.assert_allclose(observation[key], expected[key], rtol=0, atol=1e-9)


# --- what is wrong --------------------------------------------------------------------------------------


@pytest.mark.parametrize("outside", ["raise", "project"])
@pytest.mark.parametrize(
    "action",
    [[np.nan, 0.0], [np.inf, 0.0], [0.0, -np.inf], [1.0], [1.0, 2.0, 3.0], [[1.0, 2.0]], 3.0, None, "up", {}],
)
def test_a_wrong_action_is_refused(action: Any, outside: Any) -> None:
    env = make(outside=outside)
    env.reset(options={"state": STATE})
    before = env.get_state()
    with pytest.raises(ArgumentError, match=r"^action: "):
        env.step(action)
    assert env.get_state() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"starts": "anywhere"}, "^starts: .*gym-pusht, free"),
        ({"outside": "clip"}, "^outside: .*raise, project"),
        ({"render_mode": "human"}, "^render_mode: "),
        ({"success_coverage": 1.0}, "^success_coverage: "),
        ({"success_coverage": np.nan}, "^success_coverage: "),
        ({"max_displacement": 0.0}, "^max_displacement: "),
        ({"max_displacement": np.inf}, "^max_displacement: "),
        ({"goal": "anywhere"}, "^goal: .*gym-pusht, random"),
        ({"goal": (1.0, 2.0)}, "^goal: "),
        ({"goal": (1.0, 2.0, np.nan)}, "^goal: "),
        ({"goal": None}, "^goal: "),
    ],
)
def test_a_wrong_setting_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        PushTEnv(**arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stat": STATE}, "^options: got 'stat'.*state, goal, group_element"),
        ({"state": [100.0, 100.0]}, r"^options\['state'\]: got list; expected a PushTState"),
        ({"goal": "anywhere"}, "^goal: .*gym-pusht, random"),
        ({"goal": [1.0, 2.0, 3.0, 4.0]}, "^goal: "),
        ({"goal": 3.0}, "^goal: "),
        ({"group_element": np.eye(2)}, r"(?s)^options\['group_element'\]: got ndarray"),
        ({"group_element": SO3().identity()}, r"(?s)^options\['group_element'\]: .*plane"),
        (
            {"group_element": SO2().sample(np.random.default_rng(0), 3)},
            r"(?s)^options\['group_element'\]: .*one",
        ),
        ({"group_element": SE2().translation([400.0, 0.0])}, r"(?s)^options\['group_element'\]: .*walls"),
    ],
)
def test_a_wrong_option_is_refused_and_changes_nothing(options: dict[str, Any], message: str) -> None:
    env = make()
    env.reset(options={"state": STATE})
    with pytest.raises(ArgumentError, match=message):
        env.reset(options=options)
    assert env.get_state() == STATE


@pytest.mark.parametrize(
    "changes",
    [
        {"agent_pos": (1.0,)},
        {"agent_vel": (1.0, np.nan)},
        {"block": (1.0, 2.0)},
        {"goal": "home"},
        {"block": None},
        {"targets": ((1.0, np.inf),)},
        {"targets": (1.0, 2.0)},
    ],
)
def test_a_wrong_state_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=f"^state.{next(iter(changes))}: "):
        STATE.replace(**changes)


def test_a_simulation_that_diverges_is_named() -> None:
    env = make()
    env.reset(options={"state": STATE})
    with pytest.raises(SimulationError, match="non-finite"):
        env.simulation.step((1e308, 1e308))
