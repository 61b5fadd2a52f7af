"""What an actor-critic decides in rollouts: recorded calls that follow the weights; and the optimiser of these."""

import copy

import numpy as np
import pytest
import torch

pytest.importorskip("stable_baselines3")

from equivariant_cases import CASES, Drift, tensors
from stable_baselines3 import PPO, SAC

from equiworld.sb3 import EquivariantActorCriticPolicy, EquivariantSACPolicy
from equiworld.symmetry.sampling import random_observation

WAY = CASES["turns, a vector"]


def kwargs(**more):
    return {"symmetry": WAY, "net_arch": [8], **more}


@pytest.mark.parametrize("form", ["canonical", "steerable"])
@pytest.mark.parametrize("name", ["mirrors, rates", "left and right", "a pose and a mixture"])
def test_what_is_decided_in_rollouts_comes_of_the_weights_that_there_are_now(name, form):
    """Decisions without gradients are recorded calls, of all shapes that come often; weights change between them."""
    symmetry = CASES[name]
    settings = {"symmetry": symmetry, "form": form, "net_arch": [8]}
    model = PPO(
        EquivariantActorCriticPolicy,
        Drift(symmetry),
        policy_kwargs=settings,
        n_steps=16,
        batch_size=8,
        device="cpu",
        seed=0,
    )
    policy = model.policy

    def check():
        for seed in range(40):
            seen = tensors(random_observation(symmetry, np.random.default_rng(seed), 3))
            with torch.no_grad():
                actions, values, _ = policy(seen, deterministic=True)
                assert torch.equal(actions, policy.get_distribution(seen).mode())
                assert torch.equal(values, policy.predict_values(seen))
        return actions

    before = check()
    model.learn(16)
    after = check()
    assert not torch.equal(before, after)
    policy.double()
    assert check().dtype == torch.float64
    with torch.no_grad():
        for each in policy.parameters():
            each.mul_(1.5)
    check()
    seen = tensors(random_observation(symmetry, np.random.default_rng(0), 3))
    assert torch.equal(copy.deepcopy(policy)(seen, True)[0], policy(seen, True)[0])
    policy.log_std = torch.nn.Parameter(policy.log_std.detach() - 20.0)
    with torch.no_grad():
        assert torch.allclose(policy(seen)[0], policy(seen, True)[0], atol=1e-6)
    policy.action_net = copy.deepcopy(policy.action_net).requires_grad_(False)
    for each in policy.action_net.parameters():
        each.zero_()
    check()


def test_the_optimiser_is_adam_in_one_call_unless_one_is_asked_for():
    def group(**more):
        made = PPO(EquivariantActorCriticPolicy, Drift(WAY), policy_kwargs=kwargs(**more), device="cpu")
        return made.policy.optimizer.param_groups[0]

    assert (group()["fused"], group()["eps"]) == (True, 1e-5)
    sac = SAC(EquivariantSACPolicy, Drift(WAY), policy_kwargs=kwargs(), device="cpu")
    assert sac.actor.optimizer.param_groups[0]["eps"] == 1e-8
    assert group(optimizer_kwargs={"weight_decay": 0.1})["weight_decay"] == 0.1
    assert not group(optimizer_kwargs={"fused": False})["fused"]
    assert group(optimizer_kwargs={"foreach": True})["fused"] is None
    assert "fused" not in group(optimizer_class=torch.optim.RMSprop)
