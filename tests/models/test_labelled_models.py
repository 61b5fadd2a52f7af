"""Families that carry labels: exact with joints, bodies that exchange places, about an axis, trained or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from labelled_cases import DECLARED, FINITE, LEGS, blocks, data_of, gravity, made, residual, walker

from equiworld.errors import ArgumentError
from equiworld.groups import (
    SE2,
    Cyclic,
    Group,
    Isometries,
    left_right,
)
from equiworld.models import Regular, WorldModel
from equiworld.models.families import best_family
from equiworld.symmetry import (
    Permuted,
    Point,
    Symmetry,
    Vector,
)
from equiworld.symmetry.sampling import random_observation
from equiworld.training import TrainingConfig, train
from equiworld.training.losses import prediction_loss

every_world = pytest.mark.parametrize("world", DECLARED)


def test_auto_takes_what_there_is() -> None:
    for world in FINITE:
        assert isinstance(made(world).recipe.network, Regular)
    assert WorldModel.for_symmetry(gravity(), "auto", env_id="toy", hidden=(8,)).family == "state"
    kernel = WorldModel.for_symmetry(blocks(), "mlp", env_id="toy", hidden=(8,))
    assert (kernel.symmetry.group, kernel.declared) == (SE2(), blocks())


@every_world
def test_exact_before_and_after_training(world: str) -> None:
    symmetry = DECLARED[world]
    model = made(world)
    assert model.symmetry == symmetry
    for steps in (0, 30):
        if steps:
            train(model, data_of(symmetry), TrainingConfig(steps=steps, batch_size=64))
        assert residual(model, torch.float64) <= 1e-12
        assert residual(model, torch.float32) <= 1e-5


def test_the_check_notices_what_is_not_equivariant() -> None:
    symmetry = walker()
    model = WorldModel.for_symmetry(symmetry, "state-regular", env_id="toy", hidden=(16,))
    train(model, data_of(symmetry), TrainingConfig(steps=5, batch_size=64))
    with torch.no_grad():
        model.dynamics.in_scalar_scale[1] *= 1.5  # of one joint of a pair; 0 is the height
    assert residual(model, torch.float64) > 1e-4
    plain = WorldModel.for_symmetry(symmetry, "mlp", env_id="toy", hidden=(16,), periodic=2)
    assert residual(plain, torch.float64) > 1e-2


@every_world
def test_saved_and_loaded_to_the_bit(world: str, tmp_path: Any) -> None:
    symmetry = DECLARED[world]
    model = made(world, 3)
    train(model, data_of(symmetry), TrainingConfig(steps=5, batch_size=64))
    again = WorldModel.load(model.save(tmp_path))
    assert again.recipe == model.recipe
    assert again.declared == again.symmetry == symmetry
    seen = random_observation(symmetry, np.random.default_rng(1), 4)
    action = torch.zeros(4, symmetry.action.size(symmetry.dim))
    with torch.no_grad():
        first, second = (each.predict(each.encode(seen), action).flatten() for each in (model.eval(), again))
    assert torch.equal(first, second)


def test_it_learns() -> None:
    symmetry = walker()
    data = data_of(symmetry)
    model = WorldModel.for_symmetry(symmetry, "auto", env_id="toy", hidden=(32, 32))
    model.dynamics.fit_scales(*data.features(torch.float64))
    before = prediction_loss(model.dynamics, *data.features()).item()
    train(model, data, TrainingConfig(steps=300, batch_size=64, learning_rate=1e-2, weight_decay=0.0))
    assert prediction_loss(model.dynamics, *data.features()).item() < 0.7 * before


@pytest.mark.parametrize(
    ("group", "family"),
    [
        (left_right(), "state-regular"),
        (Cyclic(4), "state-steerable"),
        (Isometries([np.eye(3)]), "state-steerable"),
    ],
    ids=str,
)
def test_auto_takes_it_where_labels_move(group: Group, family: str) -> None:
    fields = {"joints": LEGS} if family == "state-regular" else {"speed": Vector()}
    assert best_family(Symmetry(group, fields, action=Vector())) == family


def test_infinite_groups_are_refused() -> None:
    with pytest.raises(ArgumentError, match="a finite group"):
        WorldModel.for_symmetry(
            Symmetry(SE2(), {"speed": Vector()}, action=Vector()), "state-regular", env_id="toy"
        )
    moved = Symmetry(left_right(), {"feet": Permuted(Point(), [(1, 0)])}, Vector(), reference=None)
    assert (
        residual(WorldModel.for_symmetry(moved, "state-regular", env_id="toy", hidden=(8,)), torch.float64)
        <= 1e-12
    )


@every_world
def test_gradients_reach_the_actions(world: str) -> None:
    symmetry = DECLARED[world]
    model = made(world)
    seen = random_observation(symmetry, np.random.default_rng(1), 4)
    action = torch.zeros(4, symmetry.action.size(symmetry.dim), requires_grad=True)
    model.predict(model.encode(seen), action).flatten().square().sum().backward()
    assert action.grad is not None
    assert action.grad.abs().sum() > 0
