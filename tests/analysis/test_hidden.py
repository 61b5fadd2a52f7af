"""Hidden units are matched to another network's, and the function stays the same."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from equiworld.analysis import average_weights, match_hidden
from equiworld.errors import ArgumentError


def network(seed: int, activation: type[nn.Module] = nn.Tanh) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    layers = [nn.Linear(5, 16), activation(), nn.Linear(16, 16), activation(), nn.Linear(16, 3)]
    with torch.no_grad():
        for parameter in [p for layer in layers for p in layer.parameters()]:
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 2)
    return nn.Sequential(*layers)


def relabelled(given: nn.Sequential, seed: int, signs: bool) -> nn.Sequential:
    found, rng = copy.deepcopy(given), np.random.default_rng(seed)
    with torch.no_grad():
        for here, there in ((found[0], found[2]), (found[2], found[4])):
            order = torch.as_tensor(rng.permutation(16))
            sign = torch.as_tensor(rng.choice([-1.0, 1.0], 16) if signs else np.ones(16)).float()
            here.weight.copy_(sign[:, None] * here.weight[order])
            here.bias.copy_(sign * here.bias[order])
            there.weight.copy_(there.weight[:, order] * sign)
    return found


@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU])
def test_other_labels_of_one_network_are_undone(activation):
    given, inputs = network(0, activation), np.random.default_rng(0).normal(size=(300, 5))
    other = relabelled(given, 1, activation is nn.Tanh)
    x = torch.as_tensor(inputs).float()
    assert torch.allclose(given(x), other(x), atol=1e-5)
    found = match_hidden(given, other, inputs)
    assert found.as_they_are < 0.5
    assert found.matched == pytest.approx(1.0, abs=1e-6)
    for one, two in zip(given.parameters(), found.network.parameters(), strict=True):
        assert torch.allclose(one, two, atol=1e-6)
    averaged = average_weights([given, found.network])(x)
    spoiled = average_weights([given, other])(x)
    assert torch.allclose(averaged, given(x), atol=1e-5)
    assert (spoiled - given(x)).abs().mean() > 0.1  # negative control


def test_matching_never_changes_the_function():
    one, other, inputs = network(0), network(1), np.random.default_rng(0).normal(size=(100, 5))
    found = match_hidden(one, other, inputs)
    x = torch.as_tensor(inputs).float()
    assert torch.allclose(found.network(x), other(x), atol=1e-5)
    assert found.as_they_are < found.matched < 0.95


def test_policies_of_stable_baselines3():
    sb3 = pytest.importorskip("stable_baselines3")
    gym = pytest.importorskip("gymnasium")
    one, other = (sb3.PPO("MlpPolicy", gym.make("Pendulum-v1"), seed=s, device="cpu").policy for s in (0, 1))
    inputs = np.random.default_rng(0).normal(size=(200, 3))
    found = match_hidden(one, other, inputs)
    x = torch.as_tensor(inputs).float()
    with torch.no_grad():
        assert torch.allclose(found.network.predict_values(x), other.predict_values(x), atol=1e-5)
        here, there = (p.get_distribution(x).distribution.mean for p in (found.network, other))
    assert torch.allclose(here, there, atol=1e-5)
    assert found.matched > found.as_they_are
    other.get_distribution(x)  # with a gradient, as training leaves it
    assert match_hidden(one, other, inputs).matched == found.matched
    assert average_weights([other, one]) is not other


def test_arguments():
    inputs = np.zeros((10, 5))
    with pytest.raises(ArgumentError, match="second"):
        match_hidden(network(0), nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)), inputs)
    with pytest.raises(ArgumentError, match="network"):
        match_hidden(nn.Linear(5, 5), nn.Linear(5, 5), inputs)
    with pytest.raises(ArgumentError, match="network"):
        match_hidden(*[nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4))] * 2, inputs)
    with pytest.raises(ArgumentError, match="networks"):
        average_weights([network(0)])
