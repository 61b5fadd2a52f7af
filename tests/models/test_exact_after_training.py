"""Every way to train leaves every representation exact: each optimiser, averaged weights, VICReg."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from cloud_model_cases import CONFIG as CLOUD_CONFIG
from cloud_model_cases import RICH, cloud_data, cloud_model
from labelled_cases import DECLARED, data_of, made, residual
from model_cases import TOYS, assert_exact, model_of, some_of, toy_data

from equiworld.groups import SE3
from equiworld.models import WorldModel
from equiworld.symmetry import Features
from equiworld.training import Dataset, TrainingConfig, train
from equiworld.training.losses import ENCODER_LOSSES, Agreement, VICReg
from equiworld.training.optimisers import OPTIMISERS, AdamW, Muon

pytestmark = pytest.mark.exact

WAYS = {name: TrainingConfig(optimiser=kind()) for name, kind in OPTIMISERS.items()}
WAYS["averaged"] = TrainingConfig(average=0.9)
WAYS["muon, averaged"] = TrainingConfig(optimiser=Muon(), average=0.9)
every_way = pytest.mark.parametrize("way", WAYS)


def config_of(way: str) -> TrainingConfig:
    rate = 1e-3 if way == "sgd" else 3e-3
    return replace(WAYS[way], steps=20, batch_size=64, learning_rate=rate)


@lru_cache
def data_in(world: str) -> Dataset:
    return data_of(DECLARED[world])


@every_way
@pytest.mark.parametrize("world", DECLARED)
def test_joints_bodies_objects_and_pseudo_fields(world: str, way: str) -> None:
    model = made(world)
    before = copy.deepcopy(model.state_dict())
    train(model, data_in(world), config_of(way))
    moved = [
        name
        for name, _ in model.named_parameters()
        if not torch.equal(before[name], model.state_dict()[name])
    ]
    assert moved
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        assert residual(model, dtype) <= tolerance


@every_way
@pytest.mark.parametrize("family", ["state", "state-steerable"])
@pytest.mark.parametrize("name", TOYS)
def test_scalars_vectors_and_points(name: str, family: str, way: str) -> None:
    data = toy_data(TOYS[name])
    model = train(model_of(data.symmetry, family), data, config_of(way))
    assert_exact(model, *some_of(data))


def encoded(model: WorldModel, observed: Features, dtype: torch.dtype) -> Features:
    return model.encode_features(observed.to(dtype))


@pytest.mark.parametrize("loss", ENCODER_LOSSES)
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_clouds(optimiser: str, loss: str) -> None:
    """Keypoints that a short training has hardly spread make poor axes, which magnify rounding."""
    pytest.importorskip("mujoco")
    config = replace(
        CLOUD_CONFIG, encoder_steps=40, optimiser=OPTIMISERS[optimiser](), encoder_loss=ENCODER_LOSSES[loss]()
    )
    if optimiser == "sgd":
        config = replace(config, learning_rate=1e-4)
    model = train(cloud_model("latent", **RICH), cloud_data(), config)
    observed, action, _ = cloud_data().features(torch.float64)
    observed, action = observed[:16], action[:16]
    g = SE3().sample(np.random.default_rng(0), 16, scale=0.1)
    for dtype, tolerance in ((torch.float64, 1e-11), (torch.float32, 1e-2)):
        each = copy.deepcopy(model).to(dtype)
        with torch.no_grad():
            z, turned = encoded(each, observed, dtype), encoded(each, observed.transform(g), dtype)
            after = each.predict(z, action.to(dtype))
            there = each.predict(turned, action.transform(g).to(dtype))
        for one, other in ((z.transform(g), turned), (after.transform(g), there)):
            apart, size = (one.flatten() - other.flatten()).abs().max(), one.flatten().abs().max()
            assert apart <= tolerance * size


# ------------------------------------------------------------------------------------------------ VICReg


def two_views(count: int = 400) -> Features:
    rng = np.random.default_rng(3)
    shape = (2, count)
    parts = (rng.normal(size=(*shape, 2)), rng.normal(size=(*shape, 3, 2)), rng.normal(size=(*shape, 3, 4)))
    return Features(
        *(
            torch.from_numpy(part * [0.3, 1.7][: part.shape[-1]] if part.shape[-1] == 2 else part)
            for part in parts
        )
    )


def test_losses_of_encoders_do_not_change_as_the_data_turns() -> None:
    found = two_views()
    for loss in (Agreement(), VICReg()):
        here = loss(found, [found.points], 1.0, True)
        for g in SE3().sample(np.random.default_rng(0), 5):
            turned = found.transform(g)
            assert abs(loss(turned, [turned.points], 1.0, True) - here) <= 1e-11 * abs(here)


def test_a_hinge_for_each_coordinate_would_change() -> None:
    """Negative control: the baselines' form, which is that of the paper, prefers the world's axes."""
    found, loss = two_views(), VICReg()
    long = Features(found.scalars, found.vectors * torch.tensor([4.0, 0.2, 0.2])[:, None], found.points)
    here = loss(long, [], 1.0, False)
    g = SE3().sample(np.random.default_rng(0))
    assert abs(loss(long.transform(g), [], 1.0, False) - here) > 1e-3 * abs(here)
    assert abs(loss(long.transform(g), [], 1.0, True) - loss(long, [], 1.0, True)) <= 1e-11 * abs(here)


def test_vicreg_is_least_where_channels_spread_and_have_nothing_in_common() -> None:
    rng, loss = np.random.default_rng(5), VICReg(spread=1.0)

    def of(vectors: np.ndarray) -> float:
        count = len(vectors)
        both = torch.from_numpy(np.stack([vectors, vectors]))
        found = Features(both.new_zeros(2, count, 0), both, both.new_zeros(2, count, 3, 4))
        return float(loss(found, [], 1.0, True))

    fine = 1.5 * rng.normal(size=(4000, 3, 3))
    same = np.repeat(fine[..., :1], 3, -1)
    assert of(fine) < of(0.1 * fine)
    assert of(fine) < of(same)
    collapsed = of(np.zeros_like(fine))
    assert of(fine) < collapsed


def test_vicreg_trains_an_encoder_that_does_not_collapse() -> None:
    pytest.importorskip("mujoco")
    spread = {}
    for variance in (25.0, 0.0):
        loss = VICReg(variance=variance)
        config = replace(CLOUD_CONFIG, encoder_steps=80, batch_size=256, encoder_loss=loss)
        model = train(cloud_model("latent", **RICH), cloud_data(), config)
        with torch.no_grad():
            found = model.encode_features(cloud_data().features(model.dtype)[0])
        arrows = found.select(model.latent.channels()["latent_vectors"]) / model.symmetry.length_scale
        spread[variance] = float(arrows.square().mean().sqrt())
    assert spread[25.0] > 3 * spread[0.0], spread


def test_ways_to_train_differ() -> None:
    """Negative control: each optimiser and average is one of its own."""
    data = toy_data(TOYS["SE2"])
    found = {}
    for way in WAYS:
        model = train(model_of(data.symmetry, "state-steerable"), data, config_of(way))
        found[way] = torch.cat([each.detach().flatten() for each in model.parameters()])
    ways = list(found)
    for index, one in enumerate(ways):
        assert not any(torch.equal(found[one], found[other]) for other in ways[:index])
    assert isinstance(TrainingConfig().optimiser, AdamW)
