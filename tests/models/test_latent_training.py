"""How latents are trained: every part is, none collapses, and the target follows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from cloud_model_cases import (
    CONFIG,
    RICH,
    cloud_data,
    cloud_model,
    cloud_observations,
    env_of,
    many_shapes,
)
from family_cases import CLOUD_FAMILIES

from equiworld.models import WorldModel
from equiworld.symmetry import Features
from equiworld.training import TrainingConfig, train
from equiworld.training.losses import Agreement
from equiworld.training.stages import Stage, stages_of

pytest.importorskip("mujoco")

STEPS = 80  # of the encoder, a little training


def batch_of(stage: Stage) -> tuple[Features, ...]:
    parts = stage.prepare(np.random.default_rng(0))
    index = torch.from_numpy(np.random.default_rng(1).integers(len(parts[0].scalars), size=64))
    return tuple(part[index] for part in parts)


@pytest.mark.parametrize("settings", [{}, RICH], ids=str)
@pytest.mark.parametrize("family", CLOUD_FAMILIES)
def test_every_stage_moves_every_parameter_it_names(family, settings):
    """A channel that no loss sees would be dead weight: its part of each last layer has a gradient too."""
    model = cloud_model(family, **settings)
    stages = stages_of(model, many_shapes(), CONFIG)
    assert [stage.steps for stage in stages] == [12, 12, 6]
    names = {parameter: name for name, parameter in model.named_parameters()}
    for index, stage in enumerate(stages):
        assert stage.name.startswith(family)
        model.zero_grad(set_to_none=True)
        loss = stage.loss(batch_of(stage), np.random.default_rng(2))
        assert loss.ndim == 0
        assert loss.isfinite()
        loss.backward()
        for parameter in stage.parameters:
            if parameter.numel():
                assert parameter.grad is not None, names[parameter]
                assert parameter.grad.isfinite().all(), names[parameter]
                assert parameter.grad.abs().max() > 0, names[parameter]
        if index != 1:
            network = model.encoder.network
            # Of weights: a shift of a channel is seen by rounding only, where views agree in it.
            last = network.corrections[-1].head.layers[-1].weight.grad
            assert len(last) == network.out_type.size
            assert (last.abs().amax(-1) > 1e-4).all()
        if stage.memory is not None:
            assert all(parameter.grad is None for parameter in stage.memory.parameters())


@pytest.mark.parametrize("family", CLOUD_FAMILIES)
def test_no_channel_is_dead_after_a_little_training(family):
    model = cloud_model(family, **RICH)
    data = many_shapes()
    train(model, data, replace(CONFIG, encoder_steps=STEPS, batch_size=256))
    with torch.no_grad():
        found = model.encode_features(data.features(model.dtype)[0])
    channels = model.latent.channels()
    scalars = found.select(channels["latent_scalars"])
    assert (scalars.std(0) > 0.1).all(), scalars.std(0)
    arrows = found.select(channels["latent_vectors"]) / model.symmetry.length_scale
    assert (arrows.square().sum(-2).mean(0).sqrt() > 0.05).all()
    own = found.select(channels["keypoints"]) / model.symmetry.length_scale
    own = own - own.mean(-1, keepdim=True)
    assert (own.square().sum(-2).mean(0).sqrt() > 0.1).all()
    apart = (own[..., :, None] - own[..., None, :]).norm(dim=-3).mean(0) + torch.eye(own.shape[-1])
    assert apart.min() > 0.05


def test_without_the_hinge_latents_do_collapse():
    """Negative control: agreement alone is reached by saying nothing."""
    model = cloud_model("latent", **RICH)
    data, alone = many_shapes(), Agreement(spread_weights=(0.0, 0.0, 0.0))
    train(model, data, replace(CONFIG, encoder_steps=STEPS, batch_size=256, encoder_loss=alone))
    with torch.no_grad():
        found = model.encode_features(data.features(model.dtype)[0])
    assert found.select(model.latent.channels()["latent_scalars"]).std(0).min() < 0.1


def test_the_target_follows_the_encoder():
    """From where the encoder is as the last stage begins, slowly, and never by a gradient of its own."""
    model = cloud_model("latent", **RICH)
    first, dynamics, joint = stages_of(model, cloud_data(), CONFIG)
    assert first.memory is None
    assert dynamics.memory is None
    target, encoder = joint.memory.module, model.encoder.network
    assert not any(parameter.requires_grad for parameter in target.parameters())
    slow = {id(parameter) for parameter in target.parameters()}
    assert not any(id(each) in slow for stage in (first, dynamics, joint) for each in stage.parameters)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(1.0)
    joint.prepare(np.random.default_rng(0))
    assert all(torch.equal(*pair) for pair in zip(target.parameters(), encoder.parameters(), strict=True))
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(1.0)
    before = [parameter.clone() for parameter in target.parameters()]
    joint.after_step()
    for old, now, fast in zip(before, target.parameters(), encoder.parameters(), strict=True):
        assert torch.allclose(now, 0.99 * old + 0.01 * fast, atol=1e-6)


def test_training_moves_the_target():
    """Another momentum makes another model; it would not if the target stayed where the last stage began."""
    one, other = (train(cloud_model(), cloud_data(), replace(CONFIG, target_momentum=m)) for m in (0.5, 0.99))
    assert any(not torch.equal(*pair) for pair in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("family", CLOUD_FAMILIES)
def test_what_is_counted_is_what_is_trained(family):
    model = cloud_model(family, **RICH)
    trained = {id(p): p for stage in stages_of(model, cloud_data(), CONFIG) for p in stage.parameters}
    assert model.parameter_count == sum(p.numel() for p in trained.values())
    assert model.parameter_count == sum(p.numel() for p in model.parameters())
    assert model.describe()["parameters"] == model.parameter_count


def loss_of(model: WorldModel, data, index: int) -> float:
    stage = stages_of(model, data, CONFIG)[index]
    return stage.loss(batch_of(stage), np.random.default_rng(2)).item()


@pytest.mark.parametrize("family", CLOUD_FAMILIES)
def test_training_lowers_the_loss_of_each_stage(family):
    data = cloud_data()
    model = cloud_model(family)
    before = loss_of(model, data, 0)
    train(model, data, replace(CONFIG, encoder_steps=30, steps=1, joint_steps=0))
    assert loss_of(model, data, 0) < before
    untrained = loss_of(model, data, 1)
    train(model, data, replace(CONFIG, encoder_steps=0, steps=40, joint_steps=0))
    assert loss_of(model, data, 1) < untrained


@pytest.mark.parametrize("family", CLOUD_FAMILIES)
def test_a_body_of_revolution_gives_numbers(family):
    """Nothing fixes its axes, but nothing may break either."""
    data = cloud_data(120, shape="bottle")
    model = train(cloud_model(family, **RICH), data, CONFIG)
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
    env = env_of(shape="bottle")
    observation = env.reset(seed=3)[0]
    z = model.encode(observation)
    for _ in range(5):
        z = model.predict(z, torch.tensor([0.02, 0.0, 0.0]))
    assert z.flatten().isfinite().all()
    assert model.encode_goal(observation).flatten().isfinite().all()


@pytest.mark.parametrize("family", CLOUD_FAMILIES)
def test_data_of_clouds_of_another_size_trains_the_same_model(family):
    model = cloud_model(family)
    for points in (20, 2, 1):
        few = cloud_data(60, points=points)
        assert model.fits(few.symmetry)
        train(model, few, TrainingConfig(steps=3, batch_size=64, encoder_steps=3, joint_steps=3))
        assert model.encode(cloud_observations()).flatten().isfinite().all()
