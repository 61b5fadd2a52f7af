"""What a policy is made and kept with: numbers, torch's modes, copies and files, costs that name a direction."""

from __future__ import annotations

import copy
import json
import pickle

import gymnasium as gym
import numpy as np
import pytest
import torch
from policy_cases import ENV, PLAIN, PLANNER, PLANNERS, model_of, policy_of, rows

from equiworld.errors import ArgumentError, CheckpointError, UnknownNameError
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy, Task

# ------------------------------------------------------------------------------------ numbers and modes


def test_numbers_of_numpy_are_numbers(observations):
    plain, one = policy_of(seed=3), rows(observations, 0)
    for seed in (np.int64(3), np.uint8(3)):
        assert np.array_equal(policy_of(seed=seed).predict(one)[0], plain.predict(one)[0])
        assert torch.equal(plain.plan(one, seed=seed).actions, plain.plan(one).actions)
    assert not torch.equal(plain.plan(one, seed=np.int64(4)).actions, plain.plan(one).actions)


@pytest.mark.parametrize("name", PLANNERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_any_mode_of_torch_will_do(name, dtype, observations):
    policy, one = policy_of(planner=PLANNERS[name], dtype=dtype), rows(observations, slice(0, 3))
    expected, plan = policy.predict(one)[0], policy.plan(one)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            inside = policy_of(planner=PLANNERS[name], dtype=dtype)
            assert np.array_equal(inside.predict(one)[0], expected)
            planned = inside.plan(one)
        assert torch.equal(planned.actions, plan.actions)
        # What was made there works outside.
        assert np.array_equal(inside.predict(one)[0], expected)
        weight = torch.ones(2, dtype=plan.actions.dtype, requires_grad=True)
        (planned.actions.mul_(1.0) * weight).sum().backward()
        assert weight.grad.isfinite().all()
    policy.predict(one)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("name", ["cem", "gradient"])
@pytest.mark.parametrize("default", [torch.float64, torch.float16], ids=str)
def test_the_default_dtype_changes_nothing(name, default, observations):
    one = rows(observations, slice(0, 3))
    expected = policy_of(planner=PLANNERS[name], dtype="float32").predict(one)[0]
    torch.set_default_dtype(default)
    try:
        model = WorldModel.for_env(gym.make(ENV, walls=False), "state", **PLAIN)
        found = MPCPolicy(model, PLANNERS[name], dtype="float32").predict(one)[0]
    finally:
        torch.set_default_dtype(torch.float32)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("name", ["cem", "mppi"])
@pytest.mark.parametrize("kind", [torch.bool, torch.long, torch.half, torch.float64], ids=str)
def test_costs_may_be_of_any_dtype(name, kind, observations):
    def cost(states, channels, goal, goal_channels):
        away = states.select(channels["block_pos"]) - goal.select(goal_channels["goal_pos"])
        away = away[..., 0].norm(dim=-1)
        return (away > 100 if kind == torch.bool else away).to(kind)

    policy = policy_of(planner=PLANNERS[name], dtype="float32", task=Task(cost=cost))
    assert np.isfinite(policy.predict(observations)[0]).all()


# ----------------------------------------------------------------------------------------- copies and files


def saved_and_loaded(policy, folder):
    policy.save(folder / "policy")
    return MPCPolicy.load(folder / "policy")


def through_torch(policy, folder):
    torch.save(policy, folder / "policy.pt")
    return torch.load(folder / "policy.pt", weights_only=False)


COPIES = {
    "pickle": lambda policy, folder: pickle.loads(pickle.dumps(policy)),
    "deepcopy": lambda policy, folder: copy.deepcopy(policy),
    "torch.save": through_torch,
    "save": saved_and_loaded,
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize(
    "settings", [{}, {"dtype": "float32", "seed": 7, "door": False, "bound": "box"}], ids=str
)
def test_a_copy_decides_alike(how, settings, observations, tmp_path):
    policy = policy_of("mlp", 2, PLANNERS["icem"], **settings)
    _, state = policy.predict(observations)
    twin = COPIES[how](policy, tmp_path)
    assert twin.inexact == policy.inexact
    for _ in range(3):
        action, after = policy.predict(observations, state)
        other, other_after = twin.predict(observations, state)
        assert np.array_equal(action, other)
        assert all(np.array_equal(one, two) for one, two in zip(after, other_after, strict=True))
        state = after


@pytest.mark.parametrize("how", ["pickle", "deepcopy", "torch.save"])
def test_a_copy_goes_on_with_the_same_fresh_noise_and_apart(how, observations, tmp_path):
    policy, one = policy_of(), rows(observations, 0)
    policy.predict(one, deterministic=False)
    twin = COPIES[how](policy, tmp_path)
    first = [policy.predict(one, deterministic=False)[0] for _ in range(2)]
    second = [twin.predict(one, deterministic=False)[0] for _ in range(2)]
    assert np.array_equal(first, second)
    assert not np.array_equal(*first)


def test_what_no_file_can_hold_is_refused(tmp_path):
    class Prior:
        def predict(self, observation, **_):
            return np.zeros(2), None

    with pytest.raises(ArgumentError, match="prior: got Prior; expected a policy without one"):
        policy_of(prior=Prior()).save(tmp_path)

    class Ours(CEM):
        pass

    before = {file.name: file.read_bytes() for file in policy_of().save(tmp_path).iterdir()}
    with pytest.raises(ArgumentError, match=r"planner: .*Ours"):
        policy_of("mlp", planner=Ours(horizon=3)).save(tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    policy_of("mlp").save(tmp_path)
    assert (tmp_path / "model.json").read_bytes() != before["model.json"]


def test_files_that_are_damaged_or_of_another_release_are_refused(tmp_path):
    folder = policy_of().save(tmp_path / "policy")
    path = folder / "policy.json"
    good = json.loads(path.read_text())
    wrong = [
        "",
        "[]",
        "3",
        "{",
        json.dumps({name: value for name, value in good.items() if name != "planner"}),
        json.dumps(good | {"planner": "cem"}),
        json.dumps(good | {"planner": good["planner"] | {"samples": 0}}),
        json.dumps(good | {"wings": 2}),
        json.dumps(good | {"seed": "much"}),
        json.dumps(good | {"dtype": "float8"}),
    ]
    for text in wrong:
        path.write_text(text)
        with pytest.raises(CheckpointError, match=r"policy\.json"):
            MPCPolicy.load(folder)
    path.write_text(json.dumps(good | {"planner": good["planner"] | {"frame": "state"}}))
    with pytest.raises(CheckpointError, match=r"planner\.frame.*door"):
        MPCPolicy.load(folder)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        MPCPolicy.load(folder)
    with pytest.raises(FileNotFoundError):
        MPCPolicy.load(tmp_path / "nowhere")


def test_a_task_that_no_file_holds_is_asked_for_by_name(tmp_path):
    """The file is not damaged: the task was the caller's."""
    model = model_of()
    model.env_id = "tests/Nowhere-v0"
    folder = MPCPolicy(model, PLANNER, task=Task(cost=to_the_goal)).save(tmp_path / "policy")
    MPCPolicy.load(folder, task=Task(cost=to_the_goal))
    with pytest.raises(UnknownNameError, match="tests/Nowhere-v0"):
        MPCPolicy.load(folder)
    with pytest.raises(ArgumentError, match="prior: got int"):
        MPCPolicy.load(folder, task=Task(cost=to_the_goal), prior=3)


# --------------------------------------------------------------------------- costs that name a direction


def upward(states, channels, goal, goal_channels):
    return -states.select(channels["block_pos"])[..., 1, 0]


def to_a_place(states, channels, goal, goal_channels):
    return states.select(channels["block_pos"])[..., 0].norm(dim=-1)


def rightward(state, channels, goal, goal_channels, uniform, horizon, radius, action_repeat):
    step = torch.tensor([radius, 0.0]).to(uniform)
    return step.expand(*uniform.shape[:2], horizon, 2)


def random_direction(state, channels, goal, goal_channels, uniform, horizon, radius, action_repeat):
    way = (goal.select(goal_channels["goal_pos"]) - state.select(channels["block_pos"]))[..., 0]
    return (uniform[..., :1, None] * way[:, None, None]).expand(*uniform.shape[:2], horizon, 2)


def to_the_goal(states, channels, goal, goal_channels):
    return (states.select(channels["block_pos"]) - goal.select(goal_channels["goal_pos"]))[..., 0].norm(
        dim=-1
    )


@pytest.mark.parametrize("cost", [upward, to_a_place])
def test_a_cost_that_names_a_direction_or_place_is_refused_by_name(cost, observations):
    with pytest.raises(ArgumentError, match=rf"task\.cost: got {cost.__name__}, which changes.*door=False"):
        policy_of(task=Task(cost=cost))
    without = policy_of(task=Task(cost=cost), door=False)
    assert np.isfinite(without.predict(observations)[0]).all()
    assert any("door=False" in reason for reason in without.inexact)


def test_proposals_that_name_a_direction_are_refused_by_name(observations):
    task = Task(cost=to_the_goal, proposals=rightward, random_numbers=1)
    with pytest.raises(ArgumentError, match=r"task\.proposals: got rightward"):
        policy_of(task=task)
    policy_of(task=task, door=False).predict(observations)
    policy_of(task=Task(cost=to_the_goal, proposals=random_direction, random_numbers=1)).predict(observations)
