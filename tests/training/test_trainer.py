"""Training: resumable to the last bit, and nothing that is not finite leaves it."""

from __future__ import annotations

import random
from dataclasses import replace

import equiworld.envs  # noqa: F401  registers PushT
import gym_pusht  # noqa: F401  registers the stock environment
import gymnasium as gym
import numpy as np
import pytest
import torch

from equiworld.errors import ArgumentError, CheckpointError, SimulationError
from equiworld.groups import SE2
from equiworld.models import FAMILIES, WorldModel
from equiworld.storage import load_tensors, save_tensors
from equiworld.symmetry import Point
from equiworld.training import TrainingConfig, collect, train
from equiworld.training.trainer import CHECKPOINT

SMALL = {"state-steerable": {"scalars": 12, "vectors": 6, "depth": 2}}
PLAIN = {"hidden": (16, 16), "periodic": 4}
CONFIG = TrainingConfig(steps=30, batch_size=32, checkpoint_every=7)


def fresh(family: str = "state", dtype: torch.dtype = torch.float32, **settings) -> WorldModel:
    return WorldModel.for_env("equiworld/PushT-v0", family, **(SMALL.get(family, PLAIN) | settings)).to(dtype)


def same(one: WorldModel, other: WorldModel) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return list(first) == list(second) and all(torch.equal(first[name], second[name]) for name in first)


class Stop(Exception):
    """What interrupts a training."""


def interrupted(model: WorldModel, at: int, then=None) -> WorldModel:
    """A model whose loss, at its call number `at`, raises; or is what `then` makes of it."""
    loss, calls = model.loss, 0

    def counted(*arguments):
        nonlocal calls
        calls += 1
        if calls != at:
            return loss(*arguments)
        if then is None:
            raise Stop
        return then(loss(*arguments))

    model.loss = counted  # type: ignore
    return model


# ---------------------------------------------------------------------------------------------- resumed


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("family", FAMILIES)
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
        model.fit_scales(*features)
        found.add(model.linear.numpy().tobytes())
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


# --------------------------------------------------------------------------------------------- not finite


def poisoned_gradient(loss):
    """A finite loss whose gradient is NaN."""
    return loss + (loss - loss.detach()).clamp(min=0).sqrt()


@pytest.mark.parametrize("at", [1, 12, 30])
@pytest.mark.parametrize(
    "then",
    [lambda loss: loss * float("nan"), lambda loss: loss * float("inf"), poisoned_gradient],
    ids=["nan", "infinity", "gradient"],
)
def test_what_is_not_finite_stops_the_training_and_keeps_the_last_checkpoint(at, then, pusht_data, tmp_path):
    config = replace(CONFIG, folder=str(tmp_path), checkpoint_every=5)
    model = interrupted(fresh(), at, then)
    with pytest.raises(SimulationError, match=rf"non-finite at step {at - 1}; lower learning_rate"):
        train(model, pusht_data, config)
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
    if at > 5:
        kept = load_tensors(tmp_path / CHECKPOINT, "checkpoint")
        assert kept[1]["step"] == 5 * ((at - 1) // 5)
        assert all(tensor.isfinite().all() for tensor in kept[0].values())
    assert same(train(fresh(), pusht_data, config), train(fresh(), pusht_data, CONFIG))


def test_too_high_a_learning_rate_is_told(pusht_data):
    with pytest.raises(SimulationError, match="non-finite"):
        train(fresh("mlp"), pusht_data, replace(CONFIG, learning_rate=1e30))


def test_data_that_is_not_finite_is_refused(pusht_data):
    wrong = pusht_data.action.copy()
    wrong[3, 1] = np.nan
    with pytest.raises(ArgumentError, match="action: got NaN or infinity"):
        train(fresh(), replace(pusht_data, action=wrong), CONFIG)


def test_no_data_is_refused(pusht_data):
    with pytest.raises(ArgumentError, match="data: got no transitions"):
        train(fresh(), pusht_data.select(slice(0, 0)), CONFIG)


# ---------------------------------------------------------------------------------------- what is learnt


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_linear_is_exact_on_data_never_seen(family, pusht_data):
    """The agent is under PD control: its motion is linear in its velocity and the action."""
    model = train(fresh(family, torch.float64), pusht_data, replace(CONFIG, steps=2))
    z, action, target = collect("equiworld/PushT-v0", 200, seed=9, workers=1).features(torch.float64)
    predicted, channels = model.predict(z, action), model.symmetry.channels()

    def error(name):
        return (predicted.select(channels[name]) - target.select(channels[name])).abs().max().item()

    assert error("agent_pos") <= 1e-9
    assert error("agent_vel") <= 1e-8
    assert error("block_pos") > 1e-2  # negative control: contact is not linear
    assert error("block_heading") > 1e-3


def test_what_never_moves_is_left_where_it_is(pusht_data):
    still = pusht_data.next_observation | {
        name: pusht_data.observation[name] for name in ("block_pos", "block_heading")
    }
    data = replace(pusht_data, next_observation=still)
    model = train(fresh(dtype=torch.float64), data, replace(CONFIG, steps=3))
    z, action, _ = data.features(torch.float64)
    channel = model.symmetry.channels()["block_pos"]
    assert torch.equal(model.predict(z, action).select(channel), z.select(channel))


def test_training_sets_what_a_planner_must_know(pusht_data):
    model = fresh()
    assert (model.action_repeat, model.action_bound) == (1, {"radius": 100.0})
    assert train(model, pusht_data, CONFIG) is model
    assert not model.training
    longest = float(np.linalg.norm(pusht_data.action, axis=-1).max())
    assert (model.action_repeat, model.action_bound) == (2, {"radius": longest})
    shorter = pusht_data.select(np.linalg.norm(pusht_data.action, axis=-1) < 20)
    train(model, shorter, CONFIG)
    assert model.action_bound["radius"] < 20
    train(model, pusht_data, CONFIG)
    assert model.action_bound["radius"] < 20  # never wider again


def test_augmentation_turns_what_the_network_sees(pusht_data):
    """Negative control of its own: without the group the two families are one."""
    augmented, plain = fresh("augmented"), fresh("mlp-centred")
    assert same(augmented, plain)
    train(plain, pusht_data, CONFIG)
    assert not same(train(augmented, pusht_data, CONFIG), plain)
    without = fresh("augmented")
    without.augmentation = None
    assert same(train(without, pusht_data, CONFIG), plain)


# -------------------------------------------------------------------------------------------- arguments


def test_data_of_another_world_is_refused(pusht_data):
    stock = gym.make("gym_pusht/PushT-v0", obs_type="state")
    with pytest.raises(ArgumentError, match=r"data: got .* of the model"):
        train(WorldModel.for_env(stock, **PLAIN), pusht_data, CONFIG)
    symmetry = pusht_data.symmetry
    for other in (
        replace(symmetry, action=Point()),
        replace(symmetry, centre=(0.0, 0.0)),
        replace(symmetry, state=symmetry.state[::-1]),
    ):
        with pytest.raises(ArgumentError, match=r"data: got .* of the model"):
            train(fresh(), replace(pusht_data, symmetry=other), CONFIG)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("steps", (0, -1, 2.5)),
        ("batch_size", (0, 1.0)),
        ("checkpoint_every", (0, -5)),
        ("learning_rate", (0.0, -1e-3, float("nan"), float("inf"))),
        ("gradient_clip", (0.0, float("nan"))),
        ("weight_decay", (-1e-4, float("nan"), float("inf"))),
    ],
)
def test_a_configuration_out_of_range_is_refused(name, values):
    for value in values:
        with pytest.raises(ArgumentError, match=f"{name}: got {value}; expected"):
            TrainingConfig(**{name: value})
    assert TrainingConfig(weight_decay=0.0).weight_decay == 0.0
