"""A symmetry that is preferred: what its penalty is, how much of the free path is used, and what it costs exactness."""

from __future__ import annotations

import pytest
import torch
from model_cases import assert_exact, model_of, residual, some_of, toy_data, trained

from equiworld.groups import E2, SE3
from equiworld.models import FAMILIES, WorldModel
from equiworld.training.losses import prediction_loss

GROUPS = pytest.mark.parametrize("group", [E2(), SE3()], ids=str)


class Silent(torch.nn.Module):
    """Says zero where another network says something."""

    def __init__(self, other):
        super().__init__()
        self.other = other

    def forward(self, features):
        return self.other(features).map(torch.zeros_like)


def soft(group, penalty: float) -> WorldModel:
    recipe = FAMILIES["soft"].with_settings(hidden=(32, 32), periodic=8, penalty=penalty)
    return WorldModel.for_symmetry(toy_data(group).symmetry, recipe, 0)


@GROUPS
def test_without_its_free_path_it_is_exact_and_with_it_not(group):
    data, model = toy_data(group), soft(group, 1.0)
    assert not model.equivariant
    assert residual(model, torch.float64, *some_of(data)).residual > 1e-3
    for parameter in model.dynamics.network.free.parameters():
        torch.nn.init.zeros_(parameter)
    assert_exact(model, *some_of(data))
    assert model.dynamics.free_share(*data.features()[:2]) == 0.0


def test_the_loss_has_the_mean_square_of_the_free_path_times_the_penalty():
    z, action, target = toy_data(E2()).features()
    model = soft(E2(), 2.0)
    network, dynamics = model.dynamics.network, model.dynamics
    with_it = prediction_loss(dynamics, z, action, target).item()
    network.weight = 0.0
    without = prediction_loss(dynamics, z, action, target).item()
    network.exact = Silent(network.free)
    mean = dynamics.errors(z, action, z).mean().item()  # of the free path alone, where nothing was to move
    assert mean > 1e-3
    assert with_it - without == pytest.approx(2.0 * mean, rel=1e-4)


def test_the_more_its_use_costs_the_less_it_is_used_and_the_nearer_it_is_to_exact():
    data = toy_data(E2())
    shares, residuals = [], []
    for penalty in (0.0, 1.0, 100.0):
        model = trained(soft(E2(), penalty), data, steps=100)
        shares.append(model.dynamics.free_share(*data.features()[:2]))
        residuals.append(residual(model, torch.float64, *some_of(data)).residual)
    assert shares[0] > shares[1] > shares[2] >= 0
    assert shares[0] > 0.02
    assert shares[2] < 0.25 * shares[0]
    assert residuals[0] > residuals[2]


def test_a_share_is_that_of_the_displacements():
    """Known: the exact path silent, the free path gives all; both alike, a quarter."""
    z, action, _ = toy_data(E2()).features()
    model = soft(E2(), 1.0)
    network = model.dynamics.network
    network.exact = network.free
    assert model.dynamics.free_share(z, action) == pytest.approx(0.25, rel=1e-6)
    network.exact = Silent(network.free)
    assert model.dynamics.free_share(z, action) == pytest.approx(1.0, rel=1e-6)


def test_networks_without_a_free_path_have_no_share_and_no_penalty():
    z, action, _ = toy_data(E2()).features()
    for family in ("state", "mlp"):
        dynamics = model_of(toy_data(E2()).symmetry, family).dynamics
        assert dynamics.free_share(z, action) is None
        assert dynamics.penalty(z, action) is None
