"""Optimisers, averages and losses as settings: resumed to the last bit with each, written to files, refused by name."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from cloud_model_cases import cloud_data, cloud_model
from trainer_cases import CONFIG, Stop, fresh, interrupted, same

from equiworld.errors import ArgumentError, CheckpointError, UnknownNameError
from equiworld.settings import settings_from_dict, settings_to_dict
from equiworld.storage import load_tensors, save_tensors
from equiworld.training import TrainingConfig, train
from equiworld.training.averages import average_of
from equiworld.training.losses import ENCODER_LOSSES, Agreement, VICReg
from equiworld.training.optimisers import OPTIMISERS, SGD, Adam, AdamW, Muon
from equiworld.training.trainer import CHECKPOINT

KINDS = {"optimiser": OPTIMISERS, "encoder_loss": ENCODER_LOSSES}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("average", [None, 0.8])
@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("family", ["state", "state-steerable"])
def test_resumed_is_uninterrupted_to_the_last_bit(family, optimiser, average, pusht_data, tmp_path):
    way = replace(CONFIG, optimiser=OPTIMISERS[optimiser](), average=average, learning_rate=1e-3)
    whole = train(fresh(family), pusht_data, way)
    assert not same(whole, fresh(family))
    config = replace(way, folder=str(tmp_path))
    for calls in (5, 8, 12):
        with pytest.raises(Stop):
            train(interrupted(fresh(family), calls), pusht_data, config)
    assert load_tensors(tmp_path / CHECKPOINT, "checkpoint")[1]["step"] == 14
    assert same(train(fresh(family), pusht_data, config), whole)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_other_moments_after_resuming_would_be_seen(optimiser, pusht_data, tmp_path):
    """Negative control: what optimisers and averages remember is restored."""
    way = replace(CONFIG, optimiser=OPTIMISERS[optimiser](), average=0.8, learning_rate=1e-3)
    whole, config = train(fresh(), pusht_data, way), replace(way, folder=str(tmp_path))
    with pytest.raises(Stop):
        train(interrupted(fresh(), 20), pusht_data, config)
    path = tmp_path / CHECKPOINT
    tensors, settings = load_tensors(path, "checkpoint")
    for part in ("optimiser.", "average.module."):
        moved = {
            name: tensor * 0.5 if name.startswith(part) and tensor.ndim else tensor
            for name, tensor in tensors.items()
        }
        assert any(not torch.equal(moved[name], tensors[name]) for name in tensors)
        save_tensors(path, "checkpoint", moved, settings)
        assert not same(train(fresh(), pusht_data, config), whole), part
    save_tensors(path, "checkpoint", tensors, settings)
    assert same(train(fresh(), pusht_data, config), whole)


def test_vicreg_resumes_inside_the_encoders_stage(tmp_path):
    pytest.importorskip("mujoco")
    config = TrainingConfig(
        steps=4, batch_size=64, encoder_steps=9, joint_steps=5, checkpoint_every=4, encoder_loss=VICReg()
    )
    whole = train(cloud_model(), cloud_data(), config)
    assert not same(whole, train(cloud_model(), cloud_data(), replace(config, encoder_loss=Agreement())))
    folder = replace(config, folder=str(tmp_path))
    train(cloud_model(), cloud_data(), folder)
    assert same(train(cloud_model(), cloud_data(), folder), whole)


def test_another_way_to_train_is_another_run(pusht_data, tmp_path):
    config = replace(CONFIG, folder=str(tmp_path))
    with pytest.raises(Stop):
        train(interrupted(fresh(), 10), pusht_data, config)
    for changed in (
        {"optimiser": Adam()},  # whose settings are those of the default, by another name
        {"optimiser": AdamW(beta1=0.8)},
        {"average": 0.9},
        {"encoder_loss": VICReg()},
        {"target_momentum": 0.5},
    ):
        with pytest.raises(CheckpointError, match=r"\(different: config\)"):
            train(fresh(), pusht_data, replace(config, **changed))
    for other in (replace(config, device="cpu"), replace(config, checkpoint_every=3)):
        train(fresh(), pusht_data, other)


def test_a_checkpoint_records_threads_and_processor_and_says_where_they_differ(pusht_data, tmp_path):
    config = replace(CONFIG, folder=str(tmp_path))
    with pytest.raises(Stop):
        train(interrupted(fresh(), 10), pusht_data, config)
    path = tmp_path / CHECKPOINT
    tensors, settings = load_tensors(path, "checkpoint")
    assert settings["machine"]["threads"] == torch.get_num_threads()
    assert set(settings["machine"]) == {"threads", "processor", "capability", "torch", "device"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(fresh(), pusht_data, replace(config, folder=str(tmp_path / "other")))
    for name, value in (("threads", 999), ("processor", "abacus")):
        machine = settings["machine"] | {name: value}
        save_tensors(path, "checkpoint", tensors, settings | {"machine": machine})
        with pytest.warns(UserWarning, match=f"{name} {value!r}, now .*last bits may differ"):
            train(fresh(), pusht_data, config)
    del settings["machine"]  # as earlier releases wrote it
    save_tensors(path, "checkpoint", tensors, settings)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(fresh(), pusht_data, config)


def test_an_average_follows_as_its_decay_says():
    module = torch.nn.Linear(3, 2)
    average = average_of(module, 0.75)
    average.update_parameters(module)
    expected = module.weight.detach().clone()
    rng = np.random.default_rng(0)
    for _ in range(5):
        with torch.no_grad():
            module.weight.copy_(torch.from_numpy(rng.normal(size=(2, 3))))
        average.update_parameters(module)
        expected = 0.75 * expected + 0.25 * module.weight.detach()
        assert torch.allclose(average.module.weight, expected, atol=1e-6)
    assert not any(parameter.requires_grad for parameter in average.parameters())


def test_the_average_is_what_is_kept(pusht_data):
    way = replace(CONFIG, average=0.999, held_out=0.0)  # so slow that it stays where it began
    start, kept = fresh(), train(fresh(), pusht_data, way)
    last = train(fresh(), pusht_data, replace(CONFIG, held_out=0.0))
    pairs = list(zip(start.parameters(), kept.parameters(), last.parameters(), strict=True))
    near = sum(float((one - other).detach().square().sum()) for one, other, _ in pairs)
    far = sum(float((one - other).detach().square().sum()) for one, _, other in pairs)
    assert 0 < near < 0.1 * far


def test_muon_takes_the_matrices_and_adamw_the_rest():
    parameters = list(fresh("mlp").parameters())
    matrices, rest = Muon().build(parameters, 1e-3, 0.0)
    kinds = [{each.ndim for each in found.param_groups[0]["params"]} for found in (matrices, rest)]
    assert kinds == [{2}, {1}]
    assert sum(len(found.param_groups[0]["params"]) for found in (matrices, rest)) == len(parameters)
    (alone,) = Muon().build([each for each in parameters if each.ndim == 2], 1e-3, 0.0)
    assert type(alone) is type(matrices)


@pytest.mark.parametrize(("argument", "name"), [(a, n) for a, kinds in KINDS.items() for n in kinds])
def test_settings_come_back_from_json(argument, name):
    kind = KINDS[argument][name]
    written = json.loads(json.dumps(settings_to_dict(argument, kind(), KINDS[argument])))
    assert written["name"] == name
    assert settings_from_dict(argument, written, KINDS[argument], "") == kind()
    for field in asdict(kind()):
        with pytest.raises((ArgumentError, TypeError)):
            kind(**{field: "many"})
    with pytest.raises(ArgumentError, match=f"{argument}: got 'speed'; expected settings of {name}"):
        settings_from_dict(argument, {**written, "speed": 3}, KINDS[argument], "")
    with pytest.raises(UnknownNameError, match=f"{argument}: got 'os.system'"):
        settings_from_dict(argument, {**written, "name": "os.system"}, KINDS[argument], "add one")


def test_settings_of_no_registered_kind_are_refused():
    for argument, wrong in (
        ("optimiser", "adamw"),
        ("optimiser", torch.optim.AdamW),
        ("encoder_loss", SGD()),
    ):
        with pytest.raises(ArgumentError, match=f"{argument}: got .*a registered kind"):
            TrainingConfig(**{argument: wrong})
    with pytest.raises(ArgumentError, match=r"average: got 1\.0"):
        TrainingConfig(average=1.0)
    with pytest.raises(ArgumentError, match=r"device: got 'abacus'.*cpu"):
        TrainingConfig(device="abacus")
    assert not SGD(momentum=0.0).nesterov
