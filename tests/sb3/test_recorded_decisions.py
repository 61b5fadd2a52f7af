"""What an actor-critic decides in rollouts: recorded calls that follow the weights; and the optimiser of these."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

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
    for copied in (copy.deepcopy(policy), pickle.loads(pickle.dumps(policy))):
        with torch.no_grad():
            for _ in range(40):
                assert torch.equal(copied(seen, True)[0], policy(seen, True)[0])
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


class Floor(EquivariantActorCriticPolicy):
    """With a floor under the noise."""

    def _get_action_dist_from_latent(self, latent_pi):
        log_std = self.log_std.clamp(min=-1.0)
        return self.action_dist.proba_distribution(self.action_net(latent_pi), log_std)


class Leaky(nn.Module):
    """An activation whose slope is set from outside."""

    slope = 0.0

    def forward(self, x):
        return torch.where(x > 0, x, Leaky.slope * x)


def decides(kind=EquivariantActorCriticPolicy, **more):
    """A policy that has decided often, and what it sees."""
    settings = {"policy_kwargs": kwargs(**more), "n_steps": 16, "batch_size": 8, "device": "cpu", "seed": 0}
    model = PPO(kind, Drift(WAY), **settings)
    model.policy.set_training_mode(False)
    seen = tensors(random_observation(WAY, np.random.default_rng(0), 64))
    with torch.no_grad():
        for _ in range(40):
            model.policy(seen)
    return model, seen


@torch.no_grad()
def apart(policy, seen):
    """How far decisions are from what the policy says when it is asked in parts."""
    actions, values, densities = policy(seen)
    again = policy.evaluate_actions(seen, actions)
    best = policy.get_distribution(seen).mode() - policy(seen, deterministic=True)[0]
    return max(float(each.abs().max()) for each in (values - again[0], densities - again[1], best))


@pytest.mark.parametrize("of_instance", [False, True])
def test_noise_that_a_subclass_bounds_is_bounded_in_rollouts(of_instance):
    model, seen = decides(EquivariantActorCriticPolicy if of_instance else Floor, log_std_init=-3.0)
    policy = model.policy
    if of_instance:
        policy._get_action_dist_from_latent = Floor._get_action_dist_from_latent.__get__(policy)
    with torch.no_grad():
        noise = policy(seen)[0] - policy(seen, deterministic=True)[0]
    assert float(noise.std()) == pytest.approx(np.exp(-1.0), rel=0.3)
    assert apart(policy, seen) < 1e-5
    plain, _ = decides(log_std_init=-3.0)
    with torch.no_grad():  # the control: without a floor it is far smaller
        assert float((plain.policy(seen)[0] - plain.policy(seen, deterministic=True)[0]).std()) < 0.1


@pytest.mark.parametrize("form", ["canonical", "steerable"])
def test_layers_that_are_replaced_anywhere_decide_from_then_on(form):
    model, seen = decides(form=form, net_arch=[8, 8])
    policy = model.policy

    def replace(module, name):
        layer = copy.deepcopy(module.get_submodule(name))
        for weight in layer.parameters():
            nn.init.normal_(weight)
        module.set_submodule(name, layer)

    with torch.no_grad():
        before = policy(seen, deterministic=True)[0]
    networks = policy.mlp_extractor
    layers = [name for name, each in networks.named_modules() if [*each.parameters(recurse=False)]]
    assert len(layers) >= 4
    for name in layers:
        replace(networks, name)
        assert apart(policy, seen) < 1e-5
    if form == "canonical":
        replace(policy.action_net, "layer")
        assert apart(policy, seen) < 1e-5
        networks.policy_net.append(nn.Tanh())
        assert apart(policy, seen) < 1e-5
        networks.policy_net[0].bias = None
        assert apart(policy, seen) < 1e-5
    with torch.no_grad():
        assert (policy(seen, deterministic=True)[0] - before).abs().max() > 1e-2


def test_hooks_and_what_an_instance_does_of_its_own_are_called_at_every_decision(monkeypatch):
    def calls():
        count = []
        with monkeypatch.context() as patch, torch.no_grad():
            linear = nn.functional.linear
            patch.setattr(nn.functional, "linear", lambda *given: (count.append(1), linear(*given))[1])
            for _ in range(50):
                policy(seen)
        return len(count)

    model, seen = decides()
    policy, heard = model.policy, []
    assert not calls()  # the control: the layers themselves are not asked, for there is a record of them
    hook = policy.mlp_extractor.policy_net[0].register_forward_hook(lambda *_: heard.append(1))
    assert calls()
    assert len(heard) == 50
    hook.remove()
    assert not calls()
    assert len(heard) == 50
    everywhere = nn.modules.module.register_module_forward_pre_hook(lambda *_: heard.append(1))
    try:
        assert calls()
        assert len(heard) > 100
    finally:
        everywhere.remove()
    assert not calls()
    layer = policy.action_net.layer
    layer.forward = lambda row: torch.zeros_like(nn.Linear.forward(layer, row))
    assert calls()
    with torch.no_grad():
        assert not policy(seen, deterministic=True)[0].any()


def test_layers_that_are_parametrised_later_decide_from_then_on():
    model, seen = decides(net_arch=[8, 8])
    nn.utils.parametrizations.spectral_norm(model.policy.mlp_extractor.policy_net[2])
    nn.utils.parametrizations.weight_norm(model.policy.mlp_extractor.value_net[2])
    model.policy.set_training_mode(False)
    for _ in range(40):
        assert apart(model.policy, seen) < 1e-5
    model.learn(16)
    model.policy.set_training_mode(False)
    assert apart(model.policy, seen) < 1e-5


def test_activations_of_others_are_asked_as_they_are_now(monkeypatch):
    model, seen = decides(activation_fn=Leaky)
    with torch.no_grad():
        before = model.policy(seen, deterministic=True)[0]
    monkeypatch.setattr(Leaky, "slope", 5.0)
    assert apart(model.policy, seen) < 1e-5
    with torch.no_grad():
        assert (model.policy(seen, deterministic=True)[0] - before).abs().max() > 1e-3


def test_a_layer_that_drops_is_trained_alone():
    model, seen = decides()
    networks = model.policy.mlp_extractor
    networks.policy_net.append(nn.Dropout())
    with torch.no_grad():
        for _ in range(40):
            model.policy(seen, deterministic=True)
        networks.policy_net[-1].train()
        one, other = (model.policy(seen, deterministic=True)[0] for _ in range(2))
        assert not torch.equal(one, other)
        networks.policy_net[-1].eval()
    assert apart(model.policy, seen) < 1e-5
