"""A task is checked where it is made, and registered beside its environment; its planner plans where none is named."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
import torch

import equiworld as ew
from equiworld.envs import WithContext
from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.groups import Isometries
from equiworld.planners import CEM, MPPI, MPCPolicy, RandomShooting
from equiworld.symmetry import Context, Vector, symmetry_of
from equiworld.tasks import TASKS, KeypointDistance, Task, register_task, task_of

COST = KeypointDistance("block_pos", "goal_pos")
PUSHT = "equiworld/PushT-v0"


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"cost": "equiworld.envs.pusht.task:push_cost"}, "task.cost: got 'equiworld"),
        ({"cost": None}, "task.cost: got None"),
        ({"proposals": "module:name"}, "task.proposals: got 'module:name'"),
        ({"random_numbers": -1}, "task.random_numbers: got -1"),
        ({"random_numbers": True}, "task.random_numbers: got True"),
        ({"planner": "cem"}, "task.planner: got 'cem'"),
        ({"symmetric_arguments": ("walls", False)}, "task.symmetric_arguments: got"),
    ],
)
def test_what_is_no_task_is_refused(attributes: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=f"^{message}"):
        Task(**{"cost": COST, **attributes})


def test_tasks_are_registered_and_found() -> None:
    try:
        register_task("docs/Nowhere-v0", Task(COST))
        register_task("docs/Nowhere-v0", Task(2 * COST))  # the later replaces the earlier
        assert task_of("docs/Nowhere-v0") == Task(2 * COST)
    finally:
        TASKS.pop("docs/Nowhere-v0", None)
    with pytest.raises(UnknownNameError, match=r"docs/Nowhere-v0.*register_task"):
        task_of("docs/Nowhere-v0")
    for env_id, task in (("", Task(COST)), (3, Task(COST)), ("docs/Nowhere-v0", COST)):
        with pytest.raises(ArgumentError):
            register_task(env_id, task)  # type: ignore[arg-type]


def test_the_same_names_are_where_they_were() -> None:
    for name in ("Task", "register_task", "KeypointDistance", "FirstOf", "Objective", "Sharpened"):
        assert getattr(ew.planners, name) is getattr(ew.tasks, name)


@pytest.fixture(scope="module")
def model() -> ew.WorldModel:
    env = gym.make(PUSHT)
    made = ew.WorldModel.for_env(env, hidden=(8,), seed=0)
    env.close()
    return made


def test_the_tasks_planner_plans_where_none_is_named(model: ew.WorldModel) -> None:
    task = Task(COST, planner=MPPI(samples=8))
    assert MPCPolicy(model, task=task).planner == MPPI(samples=8)
    assert MPCPolicy(model, RandomShooting(), task=task).planner == RandomShooting()
    assert MPCPolicy(model, task=Task(COST)).planner == CEM()
    assert MPCPolicy(model).planner == task_of(PUSHT).planner == CEM()

    class Other:
        def plan(self, problem, generators, warm_start=None, active=None):
            return None

    with pytest.raises(ArgumentError, match="planner: got a Other; expected a Planner"):
        MPCPolicy(model, task=Task(COST, planner=Other()))


def test_every_registered_task_can_be_copied_and_pickled() -> None:
    assert {PUSHT, "equiworld/CloudPush-v0", "FetchPush-v4", "PointMaze_Open-v3"} <= set(TASKS)
    for task in TASKS.values():
        assert pickle.loads(pickle.dumps(task)) == copy.deepcopy(task) == task


def test_a_cost_that_knows_a_direction_is_refused() -> None:
    def downhill(states, channels, goal, goal_channels):
        return states.select(channels["block_pos"])[..., 0, 0]

    symmetry = symmetry_of(PUSHT)
    task_of(PUSHT).check_invariance(symmetry, 95.0, 2)
    Task(COST).check_invariance(symmetry, 95.0, 2)
    with pytest.raises(ArgumentError, match=r"task.cost: got .*downhill, which changes by"):
        Task(downhill).check_invariance(symmetry, 95.0, 2)

    def forbidden(most):
        def cost(states, channels, goal, goal_channels):
            east = states.select(channels["block_pos"])[..., 0, 0]
            return torch.where(east > 0, most, 1.0)

        return cost

    for most in (1e6, torch.inf, -torch.inf, torch.nan):
        with pytest.raises(ArgumentError, match=r"task.cost: got .*cost, which changes by"):
            Task(forbidden(most)).check_invariance(symmetry, 95.0, 2)

    with pytest.raises(ArgumentError, match=r"task.cost: got .*, which returned None"):
        Task(lambda *_: None).check_invariance(symmetry, 95.0, 2)

    def far_or_near(states, channels, goal, goal_channels):
        way = states.select(channels["block_pos"]) - goal.select(goal_channels["goal_pos"])
        return torch.where(way.norm(dim=-2)[..., 0] > 1.0, torch.inf, 1.0)

    Task(far_or_near).check_invariance(symmetry, 95.0, 2)

    def eastwards(state, channels, goal, goal_channels, uniform, horizon, radius, action_repeat):
        ahead = torch.tensor([radius, 0.0], dtype=uniform.dtype)
        return ahead.expand(*uniform.shape[:2], horizon, 2)

    with pytest.raises(ArgumentError, match=r"task.proposals: got .*eastwards, which changes by"):
        Task(COST, eastwards).check_invariance(symmetry, 95.0, 2)


@pytest.mark.parametrize("package", ["equiworld", "equiworld.symmetry", "equiworld.tasks", "equiworld.envs"])
def test_whatever_is_imported_first_everything_is_registered(package: str) -> None:
    pytest.importorskip("mujoco")
    pytest.importorskip("gym_pusht")
    code = f"""
import {package}, gymnasium, gym_pusht
from equiworld.symmetry import Context, Vector, symmetry_of
from equiworld.tasks import task_of
for env_id in ("equiworld/PushT-v0", "equiworld/CloudPush-v0"):
    gymnasium.spec(env_id), symmetry_of(env_id), task_of(env_id)
symmetry_of(gymnasium.make("gym_pusht/PushT-v0", obs_type="state"))
symmetry_of("Walker2d-v5"), task_of("FetchReach-v4")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def eastwards(state, channels, *goal):
    return -state.select(channels["block_pos"])[..., 0, 0]


def test_a_cost_that_names_a_direction_is_refused_unless_its_subgroup_is_said() -> None:
    model = ew.WorldModel.for_env("equiworld/PushT-v0", hidden=(16,), periodic=0)
    planner = CEM(samples=16, horizon=2, iterations=1)
    with pytest.raises(ArgumentError, match="Task\\(…, group=…\\)"):
        ew.MPCPolicy(model, planner, task=Task(eastwards))
    with pytest.warns(UserWarning, match="as it is"):
        ew.MPCPolicy(model, planner, task=Task(eastwards), door=False)
    mirror = Isometries([np.diag([1.0, -1.0])])
    policy = ew.MPCPolicy(model, planner, task=Task(eastwards, group=mirror))
    assert model.symmetry.group == ew.E2()  # the model goes on knowing all of it
    observation = gym.make("equiworld/PushT-v0", starts="free").reset(seed=1)[0]
    symmetry, action = policy.symmetry, policy.predict(observation)[0]
    for g in mirror.elements():
        seen = symmetry.transform_observation(g, observation)
        assert np.abs(policy.predict(seen)[0] - g.rotate(action)).max() < 1e-9
    turn = ew.SO2().rotation(np.pi / 2)
    seen = ew.symmetry_of("equiworld/PushT-v0").transform_observation(turn, observation)
    assert np.abs(policy.predict(seen)[0] - turn.rotate(action)).max() > 1e-3


def test_the_direction_of_a_cost_as_a_context_keeps_the_whole_group() -> None:
    forward = Context("forward", Vector(), (1.0, 0.0))
    env = WithContext(gym.make("equiworld/PushT-v0", starts="free"), [forward])
    whole, model = env.symmetry, ew.WorldModel.for_env(env, "state", hidden=(16,), periodic=0)

    def forwards(state, channels, *goal):
        return -(state.select(channels["block_pos"]) * state.select(channels["forward"])).sum((-1, -2))

    # Where the whole is, is no part of what is asked: shifts change the cost by the same for all plans.
    task = Task(forwards, group=ew.O2())
    policy = ew.MPCPolicy(model, CEM(samples=16, horizon=2, iterations=1), task=task)
    observation = env.reset(seed=1)[0]
    action = policy.predict(observation)[0]
    for g in ew.O2().sample(np.random.default_rng(0), 6):
        seen = whole.transform_observation(g, observation)
        assert np.abs(policy.predict(seen)[0] - g.rotate(action)).max() < 1e-9


def test_the_group_of_a_task_has_to_be_one_and_a_subgroup() -> None:
    with pytest.raises(ArgumentError, match=r"task\.group"):
        Task(eastwards, group="SO2")
    model = ew.WorldModel.for_env("equiworld/PushT-v0", hidden=(16,), periodic=0)
    with pytest.raises(ArgumentError, match="a subgroup of E2"):
        ew.MPCPolicy(model, CEM(samples=16), task=Task(eastwards, group=ew.SO3()))
