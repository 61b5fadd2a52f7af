"""`equiworld/CloudPush-v0`: an exact state, a body that is pushed and stops, and what counts as success."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from cloudpush_cases import chase, flat, make, moved, rollout, started

from equiworld.envs.cloudpush.env import CloudPushEnv
from equiworld.envs.cloudpush.geometry import Pose, multiply, turn

mujoco = pytest.importorskip("mujoco")

# --- state ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"observe_pose": True, "noise": 0.002, "dropout": 0.2, "view": "random"},
        {"shape": "bottle", "friction": 1.0, "drag": 5.0},
        {"table": True, "gravity": 9.81, "cone": "pyramidal"},
    ],
    ids=["default", "noisy", "bottle", "table"],
)
def test_a_state_is_exact_in_the_middle_of_contact(arguments: dict) -> None:
    env, other, rng = make(**arguments), make(**arguments), np.random.default_rng(3)
    start = started(env, 5)
    chase(env, rng, 7)
    state, shown = env.get_state(), env._observation()
    assert env.simulation.data.qvel.any()
    assert env.simulation.data.qacc_warmstart.any()
    actions = chase(env, rng, 20)
    env.set_state(state)
    expected = flat(rollout(env, actions))
    assert moved(env, start) > 0.02
    other.reset(seed=9)
    for player, given_state in ((env, state), (other, state), (env, env.get_state()), (other, state)):
        player.set_state(given_state)
        if given_state is state:
            assert np.array_equal(flat(rollout(player, actions)), expected)
    observation, _ = env.reset(options={"state": state})  # the same through reset, the same cloud included
    assert all(np.array_equal(observation[key], shown[key]) for key in shown)
    assert np.array_equal(flat(rollout(env, actions)), expected)


def test_nothing_of_what_mujoco_integrates_is_left_out() -> None:
    env, other = make(), make()
    env.reset(seed=1)
    chase(env, np.random.default_rng(0), 6)
    other.reset(seed=2)
    chase(other, np.random.default_rng(1), 3)
    other.set_state(env.get_state())
    everything = mujoco.mjtState.mjSTATE_INTEGRATION
    vectors = []
    for simulation in (env.simulation, other.simulation):
        vector = np.empty(mujoco.mj_stateSize(simulation.model, everything))
        mujoco.mj_getState(simulation.model, simulation.data, vector, everything)
        vectors.append(vector)
    assert np.array_equal(*vectors)


def test_poses_alone_are_not_the_state() -> None:
    env = make()
    env.reset(seed=1)
    chase(env, np.random.default_rng(0), 6)
    state = env.get_state()
    actions = chase(env, np.random.default_rng(1), 6)
    results = []
    for given_state in (state, state.replace(agent_vel=(0, 0, 0), body_vel=(0, 0, 0), body_spin=(0, 0, 0))):
        env.set_state(given_state)
        results.append(flat(rollout(env, actions)))
    assert np.abs(results[0] - results[1]).max() > 1e-6


def test_a_deep_copy_goes_on_alike_and_by_itself() -> None:
    env = make()
    env.reset(seed=4)
    chase(env, np.random.default_rng(0), 4)
    twin = copy.deepcopy(env)
    actions = chase(env, np.random.default_rng(1), 8)
    expected = env.get_state()
    rollout(twin, actions)
    assert twin.get_state() == expected
    assert env.get_state() == expected


def test_the_same_seed_is_the_same_episode_whatever_is_observed() -> None:
    env, again, knowing = make(), make(), make(points=0, observe_pose=True)
    actions = chase(make_started(0), np.random.default_rng(0), 5)
    for seed in range(3):
        for one in (env, again, knowing):
            one.reset(seed=seed)
        assert np.array_equal(flat(rollout(env, actions)), flat(rollout(again, actions)))
        rollout(knowing, actions)
        assert env.simulation.body_pose == knowing.simulation.body_pose
    assert started(env, 0) != started(env, 1)


def make_started(seed: int) -> CloudPushEnv:
    env = make()
    env.reset(seed=seed)
    return env


def test_what_is_returned_is_the_callers() -> None:
    """Writing into observations or info changes nothing in the env."""
    env, again = make(observe_pose=True), make(observe_pose=True)
    observation, info = env.reset(seed=1)
    again.reset(seed=1)
    for _ in range(3):
        for array in (*observation.values(), *info.values()):
            if isinstance(array, np.ndarray):
                array.fill(np.nan)
        observation, _, _, _, info = env.step(np.array([0.01, 0.01, 0.0]))
        expected, *_ = again.step(np.array([0.01, 0.01, 0.0]))
        assert all(np.array_equal(observation[key], expected[key]) for key in expected)


# --- the body, the end-effector --------------------------------------------------------------------------


def test_the_end_effector_goes_where_it_is_sent_and_the_body_stops_when_let_go() -> None:
    env = make()
    env.reset(seed=0)
    before = env.simulation.agent_pos
    away = before - np.array(env.simulation.body_pose.position)
    action = 0.05 * away / np.linalg.norm(away)
    env.step(action)
    assert np.linalg.norm(env.simulation.agent_pos - before - action) < 0.003
    assert moved(env, started(env, 0)) == 0.0
    chase(env, np.random.default_rng(0), 6)
    for _ in range(5):
        env.step(np.zeros(3))
    assert np.abs(env.simulation.body_vel).max() < 1e-6


def test_drag_stops_a_free_body_at_its_rate() -> None:
    env = make(drag=5.0)
    state = started(env, 0).replace(
        agent_pos=(1.0, 1.0, 1.0), target=(1.0, 1.0, 1.0), body_vel=(0.3, 0.0, 0.0), body_spin=(0.0, 0.5, 0.0)
    )
    env.set_state(state)
    env.step(np.zeros(3))
    np.testing.assert_allclose(env.simulation.body_vel, [0.3 * np.exp(-0.5), 0, 0], rtol=0.02, atol=1e-12)
    assert np.linalg.norm(env.simulation.body_angular_vel) < 0.5


def test_gravity_pulls_the_body_only_and_a_table_holds_it() -> None:
    falling, lying = make(gravity=9.81), make(gravity=9.81, table=True)
    for env in (falling, lying):
        start = started(env, 3)
        height = env.simulation.agent_pos[2]
        for _ in range(10):
            env.step(np.zeros(3))
        assert abs(env.simulation.agent_pos[2] - height) < 1e-6
        drop = start.body_pos[2] - env.simulation.body_pose.position[2]
        assert (drop > 0.05) is (env is falling)
        assert env is falling or moved(env, start) < 0.002


# --- task -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("angle", "distance"), [(45.0, 0.12), (90.0, 0.2), (0.0, 0.3)])
@pytest.mark.parametrize("name", ["bracket", "zed", "bottle"])
def test_goals_are_as_far_as_asked(angle: float, distance: float, name: str) -> None:
    env = make(shape=name, goal_angle=np.radians(angle), goal_distance=distance)
    for seed in range(10):
        _, info = env.reset(seed=seed)
        assert np.linalg.norm(info["goal_pos"] - info["body_pos"]) == pytest.approx(distance)
        if name == "bracket":
            assert info["angle"] == pytest.approx(np.radians(angle), abs=1e-7)
        else:
            assert info["angle"] <= np.radians(angle) + 1e-7
        if name == "bottle":
            assert info["angle"] == pytest.approx(np.radians(angle), abs=1e-7)


@pytest.mark.parametrize(
    ("shift", "degrees", "success"),
    [(0.0, 0.0, True), (0.015, 0.0, True), (0.025, 0.0, False), (0.0, 9.0, True), (0.0, 11.0, False)],
)
def test_success_is_near_in_distance_and_in_angle(shift: float, degrees: float, success: bool) -> None:
    env = make()
    state = started(env, 0).replace(agent_pos=(1.0, 1.0, 1.0))
    goal = Pose((state.body_pos[0] + shift, *state.body_pos[1:]), state.body_quat)
    turned = multiply(turn((0.6, 0.0, 0.8), np.radians(degrees)), state.body_quat)
    env.reset(options={"state": state, "goal": (goal.position, turned)})
    _, reward, terminated, truncated, info = env.step(np.zeros(3))
    assert (terminated, truncated, info["is_success"]) == (success, False, success)
    assert reward == pytest.approx(1 - np.tanh(info["mean_point_distance"] / 0.1))
    assert info["angle"] == pytest.approx(np.radians(degrees), abs=1e-6)


def test_bodies_with_symmetries_may_look_right_in_other_poses() -> None:
    for name, angle in (("zed", np.pi), ("bottle", 1.0)):
        for metric, success in ((None, True), ("ADD", False)):
            env = make(shape=name, metric=metric)
            state = started(env, 0).replace(agent_pos=(1.0, 1.0, 1.0))
            own = multiply(state.body_quat, turn((0.0, 0.0, 1.0), angle))
            env.reset(options={"state": state, "goal": (state.body_pos, own)})
            _, _, terminated, _, info = env.step(np.zeros(3))
            assert terminated is success
            assert (info["mean_point_distance"] < 1e-9) is success
            assert (info["angle"] < 1e-6) is success
