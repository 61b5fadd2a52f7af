"""Training on a second device gives the bits of the CPU, whatever the optimiser: batches are drawn there and moved."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from cloud_model_cases import cloud_data, cloud_model
from second_device import SecondDevice, here
from trainer_cases import CONFIG, fresh

from equiworld.errors import ArgumentError
from equiworld.models import WorldModel
from equiworld.training import Dataset, TrainingConfig, train
from equiworld.training.optimisers import OPTIMISERS

SHORT = replace(CONFIG, steps=6, learning_rate=1e-3)


def assert_same_there(make, data: Dataset, config: TrainingConfig) -> None:
    expected: WorldModel = train(make(), data, config)
    with SecondDevice() as device:
        found = train(make(), data, replace(config, device="meta"))
        assert found.device.type == "meta"
        weights = {name: here(tensor) for name, tensor in found.state_dict().items()}
        assert device.arrived
    for name, tensor in expected.state_dict().items():
        assert torch.equal(weights[name], tensor), name


@pytest.mark.parametrize("average", [None, 0.9])
@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("family", ["state", "state-steerable", "augmented"])
def test_states(family, optimiser, average, pusht_data):
    config = replace(SHORT, optimiser=OPTIMISERS[optimiser](), average=average)
    assert_same_there(lambda: fresh(family), pusht_data.select(slice(0, 200)), config)


@pytest.mark.parametrize("family", ["latent", "latent-augmented"])
def test_clouds(family):
    pytest.importorskip("mujoco")
    config = replace(SHORT, batch_size=64, encoder_steps=3, steps=3, joint_steps=3)
    assert_same_there(lambda: cloud_model(family, vectors=1, scalars=1), cloud_data(60), config)


def test_what_is_left_on_the_cpu_is_caught(pusht_data):
    """Negative control: a loss with a tensor of its own."""
    with SecondDevice():
        model = fresh().to("meta")
        errors = model.dynamics.errors
        model.dynamics.errors = lambda *batch: errors(*batch) + torch.ones(1)  # type: ignore[method-assign]
        with pytest.raises(RuntimeError, match="tensors of two devices"):
            train(model, pusht_data, SHORT)


def test_a_device_that_is_not_there_is_refused_before_any_work(pusht_data):
    for device in ("meta", "cuda:99", "abacus", 3.5):
        with pytest.raises(ArgumentError, match=r"^device: got "):
            train(fresh(), pusht_data, replace(SHORT, device=device))
