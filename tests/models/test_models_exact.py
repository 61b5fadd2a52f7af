"""Exactness, where a family claims it: before and after training, and a check that can fail."""

from __future__ import annotations

import copy

import gym_pusht  # noqa: F401  registers the stock environment
import gymnasium as gym
import pytest
import torch
from model_cases import (
    EXACT,
    OTHERS,
    TOYS,
    assert_exact,
    fitted_loss,
    made,
    model_of,
    observations_of,
    residual,
    some_of,
    toy_data,
    trained,
)

import equiworld.envs  # noqa: F401  registers PushT

pytestmark = pytest.mark.exact


@pytest.mark.parametrize("family", EXACT)
def test_exact_before_training(env, family):
    assert_exact(made(env, family), *observations_of(env, 16))


@pytest.mark.parametrize("family", EXACT)
def test_exact_after_training(family, trained_models, pusht_data):
    model = trained_models[family]
    before = made(gym.make("equiworld/PushT-v0"), family).state_dict()
    assert any(not torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert_exact(model, *some_of(pusht_data))


@pytest.mark.parametrize("family", OTHERS)
def test_other_families_fail_the_same_check(env, family):
    """Negative control: the check can tell."""
    report = residual(made(env, family), torch.float64, *observations_of(env, 16))
    assert not report.passed
    assert report.residual > 1e-3


@pytest.mark.parametrize("family", OTHERS)
def test_training_does_not_make_other_families_exact(family, trained_models, pusht_data):
    report = residual(trained_models[family], torch.float64, *some_of(pusht_data))
    assert report.residual > 1e-3


def test_a_biased_vector_fails_the_same_check(pusht_data, trained_models):
    """Negative control: the smallest preferred direction is found."""

    model = copy.deepcopy(trained_models["state"])
    model.dynamics.register_forward_hook(lambda module, arguments, found: found.map(lambda each: each + 1e-8))
    assert residual(model, torch.float64, *some_of(pusht_data)).residual > 1e-11


@pytest.mark.parametrize("family", EXACT)
@pytest.mark.parametrize("name", TOYS)
def test_exact_in_the_plane_and_in_space_with_and_without_mirrors(family, name):
    data = toy_data(TOYS[name])
    model = model_of(data.symmetry, family)
    assert_exact(model, *some_of(data))
    untrained = fitted_loss(model, data)
    assert_exact(trained(model, data), *some_of(data))
    assert fitted_loss(model, data) < untrained


@pytest.mark.parametrize("name", ["SE2", "E2"])
def test_only_a_mirror_symmetric_model_survives_mirrors(name):
    """Negative control: a model of rotations alone must break the mirror."""
    data = toy_data(TOYS[name])
    model = model_of(data.symmetry, "state-steerable")
    report = residual(model, torch.float64, *some_of(data), group=TOYS["E2"])
    assert report.reflections > 0
    assert report.passed == (name == "E2")


@pytest.mark.parametrize("family", OTHERS)
@pytest.mark.parametrize("name", ["SE3", "O2"])
def test_plain_families_train_on_toys(family, name):
    data = toy_data(TOYS[name])
    model = model_of(data.symmetry, family)
    untrained = fitted_loss(model, data)
    assert fitted_loss(trained(model, data), data) < untrained
