"""A policy plans on any device: the same bits, and one transfer each way."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import policy_cases
import pytest
import torch
from cloud_model_cases import cloud_model, cloud_observations
from policy_cases import PLANNER, PLANNERS, model_of, policy_of, rows, toy_policy
from second_device import ELSEWHERE, Elsewhere, SecondDevice, here

from equiworld.devices import available_devices, usable_device
from equiworld.errors import ArgumentError
from equiworld.groups import SE3
from equiworld.planners import FlatModel, MPCPolicy, Task
from equiworld.symmetry import Point, Symmetry


def steps(policy: MPCPolicy, observations, count: int = 3) -> list[np.ndarray]:
    """All that comes of some steps: actions and states."""
    state, found = None, []
    for step in range(count):
        seen = {name: np.roll(array, step, 0) for name, array in observations.items()}
        actions, state = policy.predict(seen, state)
        found += [actions, *state]
    return found


def assert_same(found, expected) -> None:
    assert all(np.array_equal(one, two) for one, two in zip(found, expected, strict=True))


@pytest.mark.parametrize("planner", PLANNERS)
@pytest.mark.parametrize("family", policy_cases.FAMILIES)
def test_it_decides_the_same_on_another_device(family, planner, observations):
    settings = {"dtype": "float32", "planner": PLANNERS[planner], "repeat": 2}
    expected = steps(policy_of(family, **settings), observations)
    with SecondDevice():
        policy = policy_of(family, device="meta", **settings)
        assert all(isinstance(each, Elsewhere) for each in policy.model.parameters())
        assert_same(steps(policy, observations), expected)


@pytest.mark.parametrize("family", ["latent", "latent-mlp"])
def test_so_it_does_from_clouds(family):
    seen = cloud_observations(4)
    expected = steps(MPCPolicy(cloud_model(family), PLANNER), seen, 2)
    with SecondDevice():
        assert_same(steps(MPCPolicy(cloud_model(family), PLANNER, device="meta"), seen, 2), expected)


@pytest.mark.parametrize("door", [True, False])
def test_what_is_observed_goes_over_at_once_and_the_plan_comes_back_at_once(door, observations):
    def cost(states, channels, goal, goal_channels):
        return (
            (states.select(channels["block_pos"]) - goal.select(goal_channels["goal_pos"]))
            .norm(dim=-2)
            .mean(-1)
        )

    with SecondDevice() as device:
        policy = policy_of(device="meta", task=Task(cost=cost), door=door)
        _, state = policy.predict(observations)
        device.arrived = device.left = 0
        _, state = policy.predict(observations, state)
        assert (device.arrived, device.left) == (1 + PLANNER.iterations, 1)  # the noise of each iteration
        state = state._replace(steps=np.zeros_like(state.steps) + 1)
        held = policy_of(device="meta", task=Task(cost=cost), door=door, repeat=2)
        device.arrived = device.left = 0
        held.predict(observations, state)
        assert (device.arrived, device.left) == (0, 0)


def test_absolute_targets_are_planned_for_there():
    symmetry = Symmetry(
        SE3(), {"hand": Point(), "goal": Point()}, action=Point(), goal=("goal",), reference="hand"
    )

    def cost(states, channels, goal, goal_channels):
        return (states.select(channels["hand"]) - goal.select(goal_channels["goal"])).norm(dim=-2).mean(-1)

    rng = np.random.default_rng(0)
    seen = {"hand": rng.normal(size=(4, 3)), "goal": rng.normal(size=(4, 3))}
    expected = steps(toy_policy(symmetry, cost), seen)
    with SecondDevice():
        assert_same(steps(toy_policy(symmetry, cost, device="meta"), seen), expected)


def test_a_prior_is_imagined_there(observations):
    class Still:
        def predict(self, observation, state=None, episode_start=None, deterministic=True):
            return np.full((len(observation["agent_pos"]), 2), 3.0), None

    expected = steps(policy_of(prior=Still()), observations)
    with SecondDevice():
        assert_same(steps(policy_of(prior=Still(), device="meta"), observations), expected)


def test_plans_to_look_at_come_back(observations):
    expected = policy_of().plan(observations)
    with SecondDevice():
        found = policy_of(device="meta").plan(observations)
    for name in ("actions", "cost", "carried", "degeneracy", "margin"):
        assert torch.equal(getattr(found, name), getattr(expected, name))


def test_what_is_saved_knows_no_device(tmp_path, observations):
    """It may be made on one and loaded for another; copies stay where they are."""
    expected = policy_of().predict(observations)[0]
    with SecondDevice():
        policy = policy_of(device="meta")
        assert_same([copy.deepcopy(policy).predict(observations)[0]], [expected])
        model_of().save(tmp_path)
    policy_of().save(tmp_path)
    assert "device" not in (tmp_path / "policy.json").read_text()
    loaded = MPCPolicy.load(tmp_path)
    assert loaded.device == torch.device("cpu")
    assert_same([loaded.predict(observations)[0]], [expected])
    assert_same([pickle.loads(pickle.dumps(loaded)).predict(observations)[0]], [expected])
    with SecondDevice():
        there = MPCPolicy.load(tmp_path, device="meta")
        assert_same([there.predict(observations)[0]], [expected])


# ------------------------------------------------------------------------------------------------ devices


def test_devices_that_are_not_here_are_refused_with_those_that_are():
    for device in ("meta", "gpu", "cuda:99", "cpu:x", 3, None, torch.device("meta")):
        with pytest.raises(
            ArgumentError, match=r"device: got .*options.*cpu|device: got .*one of.*cpu"
        ) as raised:
            policy_of(device=device)
        assert repr(device) in str(raised.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA here")
def test_cuda_is_refused_where_there_is_none():
    with pytest.raises(ArgumentError, match="device: got 'cuda'"):
        policy_of(device="cuda")


@pytest.mark.parametrize("device", available_devices())
def test_devices_that_are_here_are_taken(device, observations):
    """On a machine with a GPU also there: nearly the same actions, from the same noise."""
    dtype = torch.float32 if device == "mps" else torch.float64
    assert usable_device(device, dtype) == torch.device(device)
    policy = policy_of(device=device, dtype=str(dtype).removeprefix("torch."))
    actions, _ = policy.predict(rows(observations, slice(0, 4)))
    expected, _ = policy_of(dtype=str(dtype).removeprefix("torch.")).predict(rows(observations, slice(0, 4)))
    assert np.allclose(actions, expected, rtol=0, atol=1e-6 if dtype == torch.float64 else 1.0)


def test_a_device_by_name_alone_gets_its_index():
    assert usable_device(torch.device("cpu")).type == "cpu"
    with SecondDevice():
        assert usable_device("meta") == ELSEWHERE


# ------------------------------------------------------------------------------------ other libraries' planners


def test_flat_functions_compute_where_the_model_is(observations):
    flat = FlatModel(model_of())
    x, action = flat.state(observations), torch.ones(16, 2)
    expected = x, flat.dynamics(x, action), flat.running_cost(x, action)
    candidates = torch.randn(16, 5, 3, 2, generator=torch.Generator().manual_seed(0))
    shown = {name: torch.from_numpy(array)[:, None].expand(-1, 5, -1) for name, array in observations.items()}
    costs = flat.get_cost(shown, candidates)
    with SecondDevice():
        there = FlatModel(model_of().to("meta"))
        x = there.state(observations)
        found = (
            x,
            there.dynamics(x, action.to(ELSEWHERE)),
            there.running_cost(x, action.to(ELSEWHERE)),
        )
        assert all(torch.equal(here(one), two) for one, two in zip(found, expected, strict=True))
        assert torch.equal(here(there.get_cost(shown, candidates.to(ELSEWHERE))), costs)
