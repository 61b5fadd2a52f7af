"""Settings of plain perceptrons that blocks of scalars and vectors have no place for: refused, not passed over."""

import pytest

pytest.importorskip("stable_baselines3")

from equivariant_cases import CASES, Drift
from stable_baselines3 import A2C, PPO, SAC, TD3
from torch import nn

from equiworld.errors import ArgumentError
from equiworld.sb3 import EquivariantActorCriticPolicy, EquivariantSACPolicy, EquivariantTD3Policy

KINDS = [
    (PPO, EquivariantActorCriticPolicy, nn.Tanh),
    (A2C, EquivariantActorCriticPolicy, nn.Tanh),
    (SAC, EquivariantSACPolicy, nn.ReLU),
    (TD3, EquivariantTD3Policy, nn.ReLU),
]


def policy(algorithm, kind, name, **kwargs):
    symmetry = CASES[name]
    settings = {"symmetry": symmetry, "form": "steerable", **kwargs}
    return algorithm(kind, Drift(symmetry), policy_kwargs=settings, device="cpu", seed=0).policy


def count(made):
    return sum(each.numel() for each in made.parameters())


@pytest.mark.parametrize("name", ["turns, a vector", "space, mirrors", "about gravity"])
@pytest.mark.parametrize(("algorithm", "kind", "own"), KINDS)
def test_under_turns_sizes_are_equal_and_activations_the_layers_own(algorithm, kind, own, name):
    with pytest.raises(ArgumentError, match=r"net_arch: got \[8, 16\]; expected equal sizes"):
        policy(algorithm, kind, name, net_arch=[8, 16])
    with pytest.raises(ArgumentError, match=r"activation_fn: got .*ELU"):
        policy(algorithm, kind, name, net_arch=[8], activation_fn=nn.ELU)
    assert count(policy(algorithm, kind, name, net_arch=[8, 8], activation_fn=own)) > count(
        policy(algorithm, kind, name, net_arch=[8])
    )


@pytest.mark.parametrize(("algorithm", "kind", "own"), KINDS)
def test_stable_baselines3s_own_settings_are_taken(algorithm, kind, own, tmp_path):
    made = policy(algorithm, kind, "turns, a vector")
    made.save(tmp_path / "policy")
    assert count(kind.load(tmp_path / "policy", device="cpu")) == count(made)


def test_actor_and_critic_may_have_sizes_of_their_own():
    sizes = {"pi": [8, 8], "vf": [16]}
    assert policy(PPO, EquivariantActorCriticPolicy, "turns, a vector", net_arch=sizes)
    sizes = {"pi": [8], "qf": [16, 16]}
    assert policy(SAC, EquivariantSACPolicy, "turns, a vector", net_arch=sizes)


@pytest.mark.parametrize(("algorithm", "kind", "own"), KINDS)
def test_tied_layers_take_both(algorithm, kind, own):
    small, large, other = (
        policy(algorithm, kind, "left and right", net_arch=sizes, activation_fn=activation)
        for sizes, activation in (([8, 8], own), ([8, 16], own), ([8, 8], nn.ELU))
    )
    assert count(large) > count(small)
    assert any(isinstance(each, nn.ELU) for each in other.modules())
    assert not any(isinstance(each, nn.ELU) for each in small.modules())
