"""Gymnasium-Robotics' Fetch and PointMaze: what is declared, how far it holds, and that what is false is found."""

from __future__ import annotations

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

import equiworld as ew
from equiworld.envs.known.fetch import fetch_symmetry, move_fetch
from equiworld.envs.known.point_maze import maze_group, move_point_maze, point_maze_symmetry
from equiworld.errors import ArgumentError
from equiworld.groups import E2, O2, SE2, SE3, SO2
from equiworld.symmetry import Concatenation, Point, Pseudovector, Scalar, Vector
from equiworld.tasks import TASKS

# Of constraints-robotics.txt, whose MuJoCo is an older one.
gymnasium_robotics = pytest.importorskip("gymnasium_robotics")
pytestmark = pytest.mark.robotics

UP = (0.0, 0.0, 1.0)
WIDE = [[1] * 41, *([1, *[0] * 39, 1] for _ in range(39)), [1] * 41]
WIDE[20][20], WIDE[19][19] = "r", "g"
FETCH = ["FetchReach-v4", "FetchReachDense-v4", "FetchPush-v4", "FetchPushDense-v4"]
MAZES = ["PointMaze_Open-v3", "PointMaze_OpenDense-v3", "PointMaze_UMaze-v3", "PointMaze_Large-v3"]
QUICK = {"states": 4, "elements": 4, "steps": 3}


def wide_maze():
    return gym.make("PointMaze_Open-v3", maze_map=WIDE)


@pytest.mark.parametrize("env_id", [*FETCH, *MAZES])
def test_every_number_is_declared(env_id):
    env = gym.make(env_id)
    symmetry = ew.symmetry_of(env)
    observation, _ = env.reset(seed=0)
    turned = symmetry.transform_observation(symmetry.group.sample(np.random.default_rng(0)), observation)
    assert {name: array.shape for name, array in turned.items()} == {
        name: array.shape for name, array in observation.items()
    }
    assert symmetry.holds != ""


def test_every_registered_version_that_runs_is_known():
    ids = [
        each for each in gym.registry if each.startswith(("FetchReach", "FetchPush")) and each.endswith("-v4")
    ]
    ids += [each for each in gym.registry if each.startswith("PointMaze") and each.endswith("-v3")]
    assert len(ids) == 4 + 20
    assert all(ew.symmetry_of(each).dim in (2, 3) for each in ids if "Diverse" not in each)
    assert set(TASKS) >= {each for each in ids if "Open" in each or "Fetch" in each}


@pytest.mark.parametrize(("maze", "order"), [("Open", 4), ("UMaze", 2)])
def test_a_maze_is_exact_under_what_keeps_its_walls(maze, order):
    env = gym.make(f"PointMaze_{maze}-v3")
    assert maze_group(env).order == order
    check = ew.check_symmetry(env, point_maze_symmetry(env, "maze"), move=move_point_maze, **QUICK)
    assert check.verdict == "exact", check
    assert check.ok


def test_square_mazes_turn_by_quarters_and_others_not_at_all():
    square = [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]]
    assert maze_group(gym.make("PointMaze_Open-v3", maze_map=square)).order == 8
    assert ew.symmetry_of(gym.make("PointMaze_Open-v3", maze_map=square)).group.order == 8
    large = gym.make("PointMaze_Large-v3")
    assert maze_group(large) is None
    assert ew.symmetry_of(large).group == SE2()
    with pytest.raises(ArgumentError, match="only the identity"):
        point_maze_symmetry(large, "maze")
    with pytest.raises(ArgumentError, match="mirrors"):
        point_maze_symmetry(large, "turns")


@pytest.mark.parametrize("group", ["plane", "mirrors"])
def test_the_plane_holds_but_for_the_clipped_velocity(group):
    env = wide_maze()
    symmetry = point_maze_symmetry(env, group)
    check = ew.check_symmetry(env, symmetry, tolerance=0.05, move=move_point_maze)
    assert check.verdict == "approximate", check
    assert check.ok
    env = wide_maze()
    env.unwrapped.point_env._clip_velocity = lambda: None
    rng = np.random.default_rng(0)
    for seed in range(4):
        g, actions = symmetry.group.sample(rng), rng.uniform(-0.7, 0.7, (60, 2))
        runs = []
        for each in (symmetry.group.identity(), g):
            env.reset(seed=seed)
            move_point_maze(env, each)
            runs.append([env.step(each.rotate(action))[0] for action in actions])
        for here, there in zip(*runs, strict=True):
            expected = symmetry.transform_observation(g, here)
            assert all(np.allclose(there[name], expected[name], 0, 1e-11) for name in expected)


def test_walls_break_the_plane_and_a_move_into_one_is_refused():
    check = ew.check_symmetry("PointMaze_Open-v3", tolerance=0.05, **QUICK)
    assert check.verdict == "false"
    env = gym.make("PointMaze_Open-v3")
    env.reset(seed=0, options={"reset_cell": np.array([1, 5]), "goal_cell": np.array([2, 2])})
    with pytest.raises(ArgumentError, match=r"takes the ball .* into a wall"):
        move_point_maze(env, SE2().rotation(np.pi / 2))
    flat = gym.wrappers.FlattenObservation(gym.make("PointMaze_Open-v3"))
    flat.reset(seed=0)
    assert move_point_maze(flat, SE2().identity()).shape == (8,)


def deviations(env, group, runs, steps=10):
    """How far the hand is from where it should be after one step and after all [m], and after the move of all."""
    symmetry, rng = fetch_symmetry(env, group), np.random.default_rng(0)
    first, last, moved = [], [], []
    for seed in range(runs):
        g = symmetry.group.sample(rng, scale=symmetry.length_scale)
        actions = np.append(rng.uniform(-0.57, 0.57, (steps, 3)), rng.uniform(-1, 1, (steps, 1)), 1)
        seen = []
        try:
            for each in (g, symmetry.group.identity()):
                env.reset(seed=seed)
                start = symmetry.observed(move_fetch(env, each))
                path = [
                    env.step(symmetry.transform_action(each, action))[0]["observation"][:3]
                    for action in actions
                ]
                seen.append((start, path))
        except ArgumentError:
            continue
        (there, path), (here, expected) = seen
        turned = [Point().transform(g, place, np.asarray(symmetry.centre)) for place in expected]
        off = np.linalg.norm(np.array(turned) - path, axis=-1)
        first.append(off[0])
        last.append(off[-1])
        for name, field in symmetry.observation.items():
            again = np.asarray(field.transform(g, here[name], np.asarray(symmetry.centre)))
            apart = np.abs(again - there[name])
            moved.append(np.minimum(apart, np.abs(2 * np.pi - apart)).max())
    assert len(first) > runs // 2
    return np.array(first), np.array(last), max(moved)


@pytest.mark.parametrize(
    ("env_id", "group"),
    [("FetchReach-v4", SE2(axis=UP)), ("FetchReach-v4", E2(axis=UP)), ("FetchPush-v4", SE2(axis=UP))],
    ids=["reach", "reach-mirrored", "push"],
)
def test_an_arm_holds_the_hand_approximately(env_id, group):
    first, last, moved = deviations(gym.make(env_id), group, 20)
    assert moved < 1e-8
    table = 3.0 if "Push" in env_id else 1.0  # on which the hand begins, and rubs
    assert np.median(first) < table * 1e-3
    assert first.max() < table * 2e-3
    assert np.median(last) < 5e-3
    assert last.max() < 3e-2
    assert first.min() > 1e-9  # it is no exact symmetry


def test_the_check_of_a_hand_says_approximate_of_all_but_its_fingers():
    check = ew.check_symmetry("FetchReach-v4", tolerance=0.15)
    verdicts = {each.name: each.verdict for each in check.fields}
    assert verdicts["hand"] == verdicts["pace"] == verdicts["achieved_goal"] == "approximate", check
    assert [name for name, verdict in verdicts.items() if verdict == "false"] == ["finger_rates"]


def test_what_an_arm_cannot_do_is_refused_and_leaves_it_where_it_was():
    env = gym.make("FetchReach-v4")
    before, _ = env.reset(seed=0)
    for g, words in (
        (SE2(axis=UP).element(np.eye(3), [0.8, 0.0, 0.0]), "arm does not reach"),
        (SE3().rotation([0.3, 0.0, 0.0]), "turns gravity"),
    ):
        with pytest.raises(ArgumentError, match=words):
            move_fetch(env, g)
        assert np.array_equal(env.unwrapped._get_obs()["observation"], before["observation"])
    push = gym.make("FetchPush-v4")
    push.reset(seed=0)
    with pytest.raises(ArgumentError, match="off the table"):
        move_fetch(push, SE2(axis=UP).element(np.eye(3), [0.0, -0.25, 0.0]))
    with pytest.raises(ArgumentError, match="reflection"):
        move_fetch(push, O2(axis=UP).reflection(0.0))


def test_a_block_turns_by_itself():
    env = gym.make("FetchPush-v4")
    before, _ = env.reset(seed=1)
    symmetry, g = ew.symmetry_of(env), SO2(axis=UP).rotation(0.8)
    here, there = symmetry.observed(before), symmetry.observed(move_fetch(env, g))
    assert np.allclose(there["turned"] - here["turned"], [0.0, 0.0, 0.8], atol=1e-9)
    assert np.allclose(there["way"], g.rotate(here["way"]), atol=1e-9)


def planted():
    """Declarations with one fault each, and the fields that are to be named."""
    hand, block = "FetchReach-v4", "FetchPush-v4"
    yield hand, "pace", lambda s: field(s, pace=Scalar(3))
    yield hand, "achieved_goal", lambda s: field(s, achieved_goal=Vector())
    yield hand, "desired_goal", lambda s: field(s, desired_goal=Vector())
    yield hand, "pace", lambda s: replace(s, action=Concatenation((Scalar(3), Scalar())))
    yield hand, "hand", lambda s: replace(s, centre=(0.0, 0.0, 0.0))
    yield block, "achieved_goal", lambda s: field(s, achieved_goal=Vector())
    yield block, "way", lambda s: field(s, way=Point())
    yield block, "turned", lambda s: field(s, turned=Pseudovector())
    yield "maze", "velocity", lambda s: field(s, velocity=Scalar(2))
    yield "maze", "achieved_goal", lambda s: field(s, achieved_goal=Vector())
    yield "maze", "velocity", lambda s: replace(s, action=Scalar(2))
    yield "maze", "desired_goal", lambda s: field(s, desired_goal=Scalar(2))


def field(symmetry, **changed):
    """With other fields; goals by their names alone, for pairs of different fields are refused at once."""
    return replace(symmetry, observation={**symmetry.observation, **changed}, goal=tuple(symmetry.goal))


@pytest.mark.parametrize(
    ("env_id", "name", "plant"),
    list(planted()),
    ids=[f"{each[0]}-{each[1]}-{i}" for i, each in enumerate(planted())],
)
def test_a_false_declaration_is_found(env_id, name, plant):
    env = wide_maze() if env_id == "maze" else gym.make(env_id)
    false = plant(ew.symmetry_of(env))
    check = ew.check_symmetry(env, false, tolerance=0.15, **QUICK)
    assert check.verdict == "false"
    assert check.field(name).verdict == "false", check
    assert check.seconds < 20


@pytest.mark.parametrize("env_id", ["FetchReach-v4", "maze"])
def test_a_policy_shown_the_world_turned_acts_the_same(env_id):
    def make():
        env = wide_maze() if env_id == "maze" else gym.make(env_id)
        box = gym.spaces.Box(-1.0, 1.0, env.action_space.shape, np.float64)  # float32 rounds what is turned
        return gym.wrappers.TransformAction(env, np.array, box)

    env = make()
    data = ew.collect(env, 300, seed=0, workers=1)
    model = ew.train(ew.WorldModel.for_env(env), data, ew.TrainingConfig(steps=20))
    policy = ew.MPCPolicy(model, ew.planners.CEM(horizon=3, samples=16))
    certificate = ew.certify(policy, make, modes=("passive",), elements=3, episodes=2, steps=10, success=None)
    assert certificate.max_deviation < 1e-8, certificate
