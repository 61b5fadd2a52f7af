"""Recorded rollouts: the same bits as those that are not."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch

import equiworld as ew
import equiworld.envs
from equiworld.errors import ArgumentError
from equiworld.planners import MPPI, PLANNERS, RecordedDynamics, plan

WEIGHTS = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))


def test_a_rollout_of_few_candidates_is_recorded_and_the_same():
    calls = []

    def dynamics(x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        calls.append(len(x))
        return torch.tanh(x @ WEIGHTS) + a

    recorded = RecordedDynamics(dynamics)
    states = [torch.randn(8, 3, generator=torch.Generator().manual_seed(seed)) for seed in range(60)]
    actions = [torch.randn(5, 8, 3, generator=torch.Generator().manual_seed(seed)) for seed in range(60)]
    with torch.inference_mode():
        found = [recorded.rollout(*each) for each in zip(states, actions, strict=True)]
        count = len(calls)
        assert count < 5 * 40  # the last twenty did not ask Python
        for rolled, state, acted in zip(found, states, actions, strict=True):
            for step, action in enumerate(acted):
                state = dynamics(state, action)
                assert torch.equal(rolled[step], state)


def test_gradients_go_through_what_is_recorded():
    recorded = RecordedDynamics(lambda x, a: torch.tanh(x @ WEIGHTS) + a)
    actions = torch.zeros(4, 2, 3)
    with torch.no_grad():
        for _ in range(40):
            recorded.rollout(torch.zeros(2, 3), actions)
    leaf = actions.clone().requires_grad_()
    recorded.rollout(torch.zeros(2, 3), leaf).sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.abs().min() > 0


@pytest.mark.parametrize("name", PLANNERS)
def test_plans_are_the_same_to_the_bit(name):
    planner = replace(PLANNERS[name](), horizon=4, samples=16, iterations=3)

    def dynamics(x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        return torch.cat((x[..., :2] + 0.3 * torch.tanh(x[..., 2:] + a), 0.9 * x[..., 2:] + a), -1)

    recorded = RecordedDynamics(dynamics)
    for seed in range(40):
        state = torch.randn(3, 4, generator=torch.Generator().manual_seed(seed))
        found, expected = (
            plan(
                each,
                lambda states, _: states.square().sum(-1),
                state,
                action_size=2,
                planner=planner,
                seed=seed,
            )
            for each in (recorded, dynamics)
        )
        assert torch.equal(found.actions, expected.actions)
        assert torch.equal(found.cost, expected.cost)


@pytest.mark.parametrize("family", ["state-steerable", "state", "mlp"])
def test_a_policy_decides_the_same_before_and_after_its_rollouts_are_recorded(family):
    env = gym.make("equiworld/PushT-v0")
    model = ew.WorldModel.for_env(env, family)
    policy = ew.MPCPolicy(model, MPPI(samples=16, iterations=4, horizon=5), seed=0)
    observation, _ = env.reset(seed=0)
    first, *others = (policy.predict(observation)[0] for _ in range(20))
    assert all(np.array_equal(first, each) for each in others)


def test_what_is_no_function_is_refused():
    with pytest.raises(ArgumentError, match="dynamics: got a str"):
        RecordedDynamics("x + a")


def shrinking(x, a):
    return (x + a).to(x.dtype).double()


def by_its_size(x, a):
    return x + a if x.shape[-1] == 3 else x + 2.0 * a


@pytest.mark.parametrize("dynamics", [shrinking, by_its_size])
def test_steps_that_are_not_all_alike_are_rolled_out_as_they_are(dynamics):
    """The first state has another dtype or shape than those after it."""
    recorded = RecordedDynamics(dynamics)
    actions = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0))
    first = torch.randn(5, 3 if dynamics is shrinking else 1, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for _ in range(40):
            state = first
            for found, action in zip(recorded.rollout(first, actions), actions, strict=True):
                state = dynamics(state, action)
                assert torch.equal(found, state)


def test_records_of_lower_precision_stay_where_it_is_asked_for():
    recorded, actions = RecordedDynamics(lambda x, a: x @ WEIGHTS + a), torch.zeros(2, 2, 3)
    state = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = recorded.rollout(state, actions)
        with torch.autocast("cpu", torch.bfloat16):
            for _ in range(40):
                recorded.rollout(state, actions)
        for _ in range(40):
            assert torch.equal(recorded.rollout(state, actions), expected)


def test_copies_follow_their_own_weights():
    pushed = Pushed()
    recorded = RecordedDynamics(pushed)
    state, actions = torch.ones(2, 3), torch.zeros(2, 2, 3)
    with torch.no_grad():
        for _ in range(40):
            recorded.rollout(state, actions)
        both = pushed, recorded
        for own, copied in (copy.deepcopy(both), pickle.loads(pickle.dumps(both))):
            own.weight.zero_()
            assert not copied.rollout(state, actions).any()
    assert recorded.rollout(state, actions).any()


class Pushed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(WEIGHTS.clone(), requires_grad=False)

    def forward(self, x, a):
        return x @ self.weight + a
