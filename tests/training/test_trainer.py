"""What training learns exactly, sets and refuses; nothing that is not finite leaves it."""

from __future__ import annotations

from dataclasses import replace

import gym_pusht  # noqa: F401  registers the stock environment
import gymnasium as gym
import numpy as np
import pytest
import torch
from family_cases import STATE_FAMILIES
from trainer_cases import CONFIG, PLAIN, fresh, interrupted, same

from equiworld.errors import ArgumentError, SimulationError
from equiworld.models import WorldModel
from equiworld.storage import load_tensors
from equiworld.symmetry import Bound, Point
from equiworld.training import TrainingConfig, collect, train
from equiworld.training.trainer import CHECKPOINT

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


@pytest.mark.parametrize("family", STATE_FAMILIES)
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
    assert (model.action_repeat, model.action_bound) == (1, (Bound(radius=100.0, size=2, item=2),))
    assert train(model, pusht_data, CONFIG) is model
    assert not model.training
    longest = float(np.linalg.norm(pusht_data.action, axis=-1).max())
    assert (model.action_repeat, model.action_bound) == (2, (Bound(radius=longest, size=2, item=2),))
    shorter = pusht_data.select(np.linalg.norm(pusht_data.action, axis=-1) < 20)
    train(model, shorter, CONFIG)
    assert model.action_bound[0].radius < 20
    train(model, pusht_data, CONFIG)
    assert model.action_bound[0].radius < 20  # never wider again


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
