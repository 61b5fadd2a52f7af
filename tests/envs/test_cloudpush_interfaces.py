"""`equiworld/CloudPush-v0` as others see it: checkers, learners, options, and messages for what is wrong."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from cloudpush_cases import ID, PROPERTY, difference, make, started
from gymnasium.utils import env_checker
from hypothesis import given
from hypothesis import strategies as st

from equiworld.envs.cloudpush.env import CloudPushEnv
from equiworld.envs.cloudpush.simulation import CloudPushState
from equiworld.envs.spaces import Ball
from equiworld.errors import ArgumentError, SimulationError
from equiworld.groups import E3, SE3, SO2, SO3

pytest.importorskip("mujoco")

UNTURNED = (1.0, 0.0, 0.0, 0.0)
STATE = CloudPushState((0.2, 0.0, 0.0), (0.0, 0.0, 0.0), UNTURNED, (0.1, 0.0, 0.0), UNTURNED, cloud_key=1)
KINDS: list[dict[str, Any]] = [
    {},
    {"observe_pose": True, "points": 0},
    {"observe_pose": True, "noise": 0.001, "dropout": 0.1, "view": "random", "shape": "zed"},
    {"gravity": 9.81, "table": True, "cone": "pyramidal", "shape": "bottle"},
]

# --- checkers, learners, vector envs --------------------------------------------------------------------


@pytest.mark.parametrize("arguments", KINDS)
def test_gymnasiums_checker_passes(arguments: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Space has no edge.
        warnings.filterwarnings("ignore", message=".*Box observation space m(ax|in)imum value is -?infinity")
        # Actions are displacements in m, not numbers of order 1.
        warnings.filterwarnings("ignore", message=".*symmetric and normalized")
        env_checker.check_env(make(render_mode="rgb_array", **arguments))


@pytest.mark.parametrize("arguments", KINDS)
def test_stable_baselines3s_checker_passes(arguments: dict[str, Any]) -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Actions are displacements in m, in the precision of the physics.
        warnings.filterwarnings("ignore", message=".*symmetric and normalized Box action space")
        warnings.filterwarnings("ignore", message=".*action space has dtype float64")
        checker.check_env(make(outside="project", **arguments))


@pytest.mark.parametrize("arguments", KINDS)
def test_gym_make_raises_no_warning(arguments: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gym.make(ID, **arguments)
        env.action_space.seed(0)
        observation, info = env.reset(seed=0)
        for _ in range(10):
            action = env.action_space.sample()
            assert action.dtype == np.float64
            observation, reward, terminated, truncated, info = env.step(action)
            assert env.observation_space.contains(observation)
            assert type(reward) is float
            assert type(terminated) is type(truncated) is type(info["is_success"]) is bool
            assert type(info["mean_point_distance"]) is type(info["angle"]) is float
            arrays = [*observation.values(), *(x for x in info.values() if isinstance(x, np.ndarray))]
            assert all(array.dtype == np.float64 for array in arrays)
    assert env.spec is not None
    assert env.spec.max_episode_steps == 200


def test_ppo_learns_on_the_projecting_env() -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    env = gym.make(ID, outside="project", points=16)
    agent = sb3.PPO("MultiInputPolicy", env, n_steps=32, batch_size=32, n_epochs=1, device="cpu", seed=0)
    agent.learn(64)
    assert agent.num_timesteps == 64


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_vector_envs_sample_valid_actions(mode: str) -> None:
    envs = gym.make_vec(ID, num_envs=2, vectorization_mode=mode)
    try:
        envs.reset(seed=0)
        envs.action_space.seed(0)
        assert isinstance(envs.action_space, Ball)
        for _ in range(10):  # from the enclosing box, half of the samples would be refused
            observation, *_ = envs.step(envs.action_space.sample())
        assert observation["cloud"].shape == (2, 384)
    finally:
        envs.close()


# --- without MuJoCo -------------------------------------------------------------------------------------

WITHOUT = "import sys; sys.modules['mujoco'] = None; "  # as if it were not installed


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-c", WITHOUT + code]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120, check=False)


def test_without_mujoco_it_says_how_to_install_it_and_all_else_works(tmp_path: Path) -> None:
    done = run(
        "import gymnasium as gym, equiworld as ew; env = gym.make('equiworld/PushT-v0'); env.reset(seed=0); "
        "ew.symmetry_of(env); ew.collect(env, 10, workers=1)",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    for code in (f"gym.make({ID!r})", f"ew.symmetry_of({ID!r})"):
        done = run(f"import gymnasium as gym, equiworld as ew; {code}", tmp_path)
        assert done.returncode == 1
        message = "DependencyNotInstalled: equiworld/CloudPush-v0 runs on MuJoCo, which is not installed"
        assert message in done.stderr
        assert "pip install 'equiworld[mujoco]'" in done.stderr


# --- options --------------------------------------------------------------------------------------------


def test_the_goal_of_an_episode() -> None:
    env = make(observe_pose=True)
    turned = SO3().rotation([0.3, 0.4, 0.5])
    observation, info = env.reset(seed=0, options={"goal": ((0.1, 0.2, 0.3), turned.matrix)})
    assert observation["goal_pos"].tolist() == info["goal_pos"].tolist() == [0.1, 0.2, 0.3]
    np.testing.assert_allclose(observation["goal_rotation"].reshape(3, 3), turned.matrix, atol=1e-15)
    again, _ = env.reset(seed=0)
    assert again["goal_pos"].tolist() != [0.1, 0.2, 0.3]  # for that episode only
    assert np.array_equal(again["body_pos"], observation["body_pos"])
    _, info = env.reset(seed=1, options={"state": STATE, "goal": "random"})
    assert np.linalg.norm(info["goal_pos"]) == pytest.approx(0.12)
    _, info = env.reset(options={"state": STATE})
    assert info["goal_pos"].tolist() == [0.1, 0.0, 0.0]


@pytest.fixture(scope="module")
def players() -> dict[str, CloudPushEnv]:
    return {"raise": make(), "project": make(outside="project")}


@given(seed=st.integers(0, 1000), length=st.floats(1e-4, 10.0))
@PROPERTY
def test_an_action_outside_is_refused_or_shortened_radially(
    players: dict[str, CloudPushEnv], seed: int, length: float
) -> None:
    direction = SO3().sample(np.random.default_rng(seed)).matrix[0]
    for player in players.values():
        player.reset(options={"state": STATE})
    if length > 0.050001:
        with pytest.raises(ArgumentError, match=r"^action: got .* of length .*ball of radius 0.05 m"):
            players["raise"].step(length * direction)
    expected = players["raise"].step(min(length, 0.05) * direction)[0]
    assert difference(players["project"].step(length * direction)[0], expected) < 1e-12


# --- what is wrong --------------------------------------------------------------------------------------


@pytest.mark.parametrize("outside", ["raise", "project"])
@pytest.mark.parametrize(
    "action",
    [[np.nan, 0, 0], [np.inf, 0, 0], [0, 0, -np.inf], [0.1], [0, 0], [[0, 0, 0]], 3.0, None, "up", {}],
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
        ({"shape": "teapot"}, "^shape: .*bracket, zed, bottle, random"),
        ({"shape": None}, "^shape: "),
        ({"shape_seed": -1}, "^shape_seed: "),
        ({"points": -1}, "^points: "),
        ({"points": 2.5}, "^points: "),
        ({"points": 0}, r"^points: got 0; expected at least 1; or observe_pose=True"),
        ({"noise": -0.1}, r"^noise: .*\[m\]"),
        ({"noise": np.nan}, "^noise: "),
        ({"noise": "much"}, "^noise: "),
        ({"view": "above"}, '^view: .*"random"'),
        ({"view": (0.0, 0.0, 0.0)}, "^view: "),
        ({"view": (0.0, np.nan, 0.0)}, "^view: "),
        ({"dropout": 1.0}, "^dropout: "),
        ({"goal_angle": -0.1}, r"^goal_angle: .*\[rad\]"),
        ({"goal_angle": 45.0}, r"^goal_angle: got 45.0; .*at most 3.14159 \[rad\]"),
        ({"goal_distance": np.inf}, "^goal_distance: "),
        ({"max_angle": 0.0}, "^max_angle: "),
        ({"max_angle": 4.0}, "^max_angle: "),
        ({"cone": "round"}, "^cone: .*elliptic, pyramidal"),
        ({"friction": -1.0}, "^friction: "),
        ({"gravity": (0.0, 0.0, -9.81)}, r"^gravity: .*\[m/s²\]"),
        ({"drag": -1.0}, "^drag: "),
        ({"drag": (1.0, 2.0)}, "^drag: "),
        ({"drag": (1.0, 2.0, -3.0)}, "^drag: "),
        ({"drag": "much"}, "^drag: "),
        ({"metric": "IoU"}, "^metric: .*ADD, ADD-S"),
        ({"success_distance": 0.0}, r"^success_distance: .*\[m\]"),
        ({"success_angle": -1.0}, "^success_angle: "),
        ({"max_displacement": 0.0}, "^max_displacement: "),
        ({"max_displacement": np.inf}, "^max_displacement: "),
        ({"outside": "clip"}, "^outside: .*raise, project"),
        ({"render_mode": "human"}, "^render_mode: "),
    ],
)
def test_a_wrong_setting_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        CloudPushEnv(**arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stat": STATE}, "^options: got 'stat'.*state, goal, group_element"),
        ({"state": [0.1] * 10}, r"^options\['state'\]: got list; expected a CloudPushState"),
        ({"goal": "anywhere"}, r"^options\['goal'\]: .*random"),
        ({"goal": (0.0, 0.0, 0.0)}, r"^options\['goal'\]: .*\(position, rotation\)"),
        ({"goal": ((0.0, 0.0, 0.0), (1.0, 1.0, 0.0, 0.0))}, r"^options\['goal'\]: "),
        ({"goal": ((0.0, 0.0, 0.0), -np.eye(3))}, r"^options\['goal'\]: "),
        ({"goal": ((0.0, 0.0, np.nan), np.eye(3))}, r"^options\['goal'\]: "),
        ({"goal": 3.0}, r"^options\['goal'\]: "),
        ({"group_element": np.eye(3)}, r"^options\['group_element'\]: got ndarray"),
        ({"group_element": E3().element(-np.eye(3))}, r"(?s)^options\['group_element'\]: .*proper"),
        ({"group_element": SO2().identity()}, r"(?s)^options\['group_element'\]: .*space"),
        (
            {"group_element": SO3().sample(np.random.default_rng(0), 3)},
            r"(?s)^options\['group_element'\]: .*one",
        ),
    ],
)
def test_a_wrong_option_is_refused_and_changes_nothing(options: dict[str, Any], message: str) -> None:
    env = make()
    env.reset(options={"state": STATE})
    before = env.get_state()
    with pytest.raises(ArgumentError, match=message):
        env.reset(options=options)
    assert env.get_state() == before


def test_an_element_that_leads_into_the_table_is_refused() -> None:
    env = make(table=True)
    started(env, 0)
    for g in (SE3().translation([0.0, 0.0, -0.1]), SO3().rotation([np.pi, 0.0, 0.0])):
        with pytest.raises(ArgumentError, match=r"(?s)^options\['group_element'\]: .*table=False"):
            env.reset(seed=0, options={"group_element": g})
    env.reset(seed=0, options={"group_element": SE3().translation([0.3, 0.0, 0.05])})


@pytest.mark.parametrize(
    "changes",
    [
        {"agent_pos": (1.0,)},
        {"agent_vel": (1.0, np.nan, 0.0)},
        {"body_pos": None},
        {"body_quat": (1.0, 1.0, 0.0, 0.0)},
        {"goal_quat": (0.0, 0.0, 0.0, 0.0)},
        {"goal_pos": "home"},
        {"warmstart": (0.0,) * 8},
        {"target": (1.0, np.inf, 0.0)},
        {"camera": (0.0, 0.0, 2.0)},
        {"cloud_key": -1},
        {"cloud_key": 1.5},
        {"step": None},
        {"time": np.nan},
    ],
)
def test_a_wrong_state_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=rf"^state.{next(iter(changes))}: "):
        STATE.replace(**changes)


def test_a_simulation_that_diverges_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where MuJoCo writes its log
    env = make()
    env.reset(options={"state": STATE})
    with pytest.raises(SimulationError, match="non-finite"):
        env.simulation.step((1e308, 1e308, 1e308))
