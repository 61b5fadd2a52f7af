"""Training again from a checkpoint: the same to the last bit, or refused."""

from __future__ import annotations

import random
from dataclasses import replace

import gym_pusht  # noqa: F401  registers the stock environment
import numpy as np
import pytest
import torch
from family_cases import STATE_FAMILIES
from trainer_cases import CONFIG, Stop, fresh, interrupted, same

from equiworld.errors import CheckpointError
from equiworld.groups import SE2
from equiworld.storage import load_tensors, save_tensors
from equiworld.training import TrainingConfig, train
from equiworld.training.trainer import CHECKPOINT

# ---------------------------------------------------------------------------------------------- resumed


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("family", STATE_FAMILIES)
def test_resumed_is_uninterrupted_to_the_last_bit(family, pusht_data, tmp_path):
    whole = train(fresh(family), pusht_data, CONFIG)
    assert not same(whole, fresh(family))
    config = replace(CONFIG, folder=str(tmp_path))
    for calls in (5, 8, 7, 12):  # from steps 0, 0, 7 and 7: before a checkpoint, just at it, and after it
        with pytest.raises(Stop):
            train(interrupted(fresh(family), calls), pusht_data, config)
    assert load_tensors(tmp_path / CHECKPOINT, "checkpoint")[1]["step"] == 14
    assert same(train(fresh(family), pusht_data, config), whole)


@pytest.mark.parametrize("family", ["state", "augmented"])
@pytest.mark.parametrize("seed", range(3))
def test_resumed_is_uninterrupted_wherever_it_stopped(family, seed, pusht_data, tmp_path):
    rng = np.random.default_rng(seed)
    every = int(rng.integers(1, 12))
    whole = train(fresh(family, torch.float64), pusht_data, CONFIG)
    config = replace(CONFIG, folder=str(tmp_path), checkpoint_every=every)
    for _ in range(3):
        with pytest.raises(Stop):
            train(interrupted(fresh(family, torch.float64), int(rng.integers(1, 9))), pusht_data, config)
    assert same(train(fresh(family, torch.float64), pusht_data, config), whole)


def test_a_finished_training_is_not_done_again(pusht_data, tmp_path):
    config = replace(CONFIG, steps=14, folder=str(tmp_path))
    model = train(fresh(), pusht_data, config)
    again = train(interrupted(fresh(), 1), pusht_data, config)  # its loss is never asked for
    assert same(model, again)


def test_other_random_numbers_after_resuming_would_be_seen(pusht_data, tmp_path):
    """Negative control: bits agree because everything is restored."""
    whole = train(fresh(), pusht_data, CONFIG)
    config = replace(CONFIG, folder=str(tmp_path))
    with pytest.raises(Stop):
        train(interrupted(fresh(), 20), pusht_data, config)
    path = tmp_path / CHECKPOINT
    tensors, settings = load_tensors(path, "checkpoint")
    for changed in ("rng", "moments"):
        if changed == "rng":
            other = settings | {"rng": np.random.default_rng(5).bit_generator.state}
            save_tensors(path, "checkpoint", tensors, other)
        else:
            moments = {k: v * 0 if k.endswith("exp_avg") else v for k, v in tensors.items()}
            save_tensors(path, "checkpoint", moments, settings)
        assert not same(train(fresh(), pusht_data, config), whole)
    save_tensors(path, "checkpoint", tensors, settings)
    assert same(train(fresh(), pusht_data, config), whole)


def test_scales_are_the_same_bits_whatever_memory_held_before(pusht_data):
    features, found = pusht_data.features(torch.float64), set()
    for count in range(60):
        torch.full((count * 37 + 1,), float(count), dtype=torch.float64)  # freed at once: left to be found
        model = fresh(dtype=torch.float64)
        model.dynamics.fit_scales(*features)
        found.add(model.dynamics.linear.numpy().tobytes())
    assert len(found) == 1


def test_seeds_fix_the_bits(pusht_data):
    one, same_seed = (train(fresh("augmented"), pusht_data, CONFIG) for _ in range(2))
    assert same(one, same_seed)
    assert not same(one, train(fresh("augmented"), pusht_data, replace(CONFIG, seed=1)))


def test_the_global_generators_are_left_alone(pusht_data, tmp_path):
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    for family in ("state", "augmented"):
        train(fresh(family), pusht_data, replace(CONFIG, folder=str(tmp_path / family)))
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    assert before[2] == random.getstate()


def test_where_and_how_often_checkpoints_go_changes_no_bit(pusht_data, tmp_path):
    whole = train(fresh(), pusht_data, CONFIG)
    config = replace(CONFIG, folder=str(tmp_path / "a"), checkpoint_every=10)
    with pytest.raises(Stop):
        train(interrupted(fresh(), 15), pusht_data, config)
    (tmp_path / "a").rename(tmp_path / "b")
    moved = replace(config, folder=str(tmp_path / "b"), checkpoint_every=4, progress=True)
    assert same(train(fresh(), pusht_data, moved), whole)


# ------------------------------------------------------------------------------------- foreign checkpoints


@pytest.fixture
def stopped(pusht_data, tmp_path) -> TrainingConfig:
    """The configuration of a training that stopped and left a checkpoint."""
    config = replace(CONFIG, folder=str(tmp_path))
    with pytest.raises(Stop):
        train(interrupted(fresh(), 10), pusht_data, config)
    return config


@pytest.mark.parametrize(
    "changed",
    [{"seed": 1}, {"steps": 31}, {"batch_size": 16}, {"learning_rate": 1e-3}, {"weight_decay": 0.0},
     {"gradient_clip": 2.0}],
    ids=str,
)  # fmt: skip
def test_a_checkpoint_of_another_configuration_is_refused(stopped, pusht_data, changed):
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors .*\(different: config\)"):
        train(fresh(), pusht_data, replace(stopped, **changed))


def test_a_checkpoint_of_another_model_is_refused(stopped, pusht_data):
    for other in (fresh("mlp"), fresh(seed=1), fresh(hidden=(8,)), fresh(dtype=torch.float64)):
        with pytest.raises(CheckpointError, match=r"\(different: model\)"):
            train(other, pusht_data, stopped)


def test_a_checkpoint_of_other_data_is_refused(stopped, pusht_data):
    shifted = pusht_data.transform(SE2().translation([1.0, 0.0]))  # its actions are the same
    for data in (pusht_data.select(slice(0, 499)), pusht_data.select(slice(None, None, -1)), shifted):
        with pytest.raises(CheckpointError, match=r"\(different: data\)"):
            train(fresh(), data, stopped)
    train(fresh(), pusht_data, stopped)


def test_a_foreign_or_damaged_checkpoint_is_refused(stopped, pusht_data, tmp_path):
    path = tmp_path / CHECKPOINT
    content = path.read_bytes()
    for wrong in (b"", b"something else", content[: len(content) // 2]):
        path.write_bytes(wrong)
        with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors is cut off"):
            train(fresh(), pusht_data, stopped)
    path.write_bytes((fresh().save(tmp_path / "model") / "model.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match="holds a model; expected a checkpoint"):
        train(fresh(), pusht_data, stopped)
