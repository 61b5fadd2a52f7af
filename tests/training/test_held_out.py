"""Held-out episodes: never trained on, they judge the dynamics, and what does best on them is kept."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from trainer_cases import CONFIG, PLAIN, Stop, fresh, interrupted, same

from equiworld.errors import ArgumentError, OverlapError
from equiworld.groups import E2
from equiworld.models import WorldModel
from equiworld.storage import load_tensors, save_tensors
from equiworld.symmetry import Point, Symmetry, Vector
from equiworld.training import Dataset, TrainingConfig, check_disjoint, hold_out, stages, train
from equiworld.training.losses import prediction_loss
from equiworld.training.trainer import CHECKPOINT


def loss_of(model: WorldModel):
    """What a model's dynamics are trained by, as a test has it if it does."""
    return getattr(model.dynamics, "hook", partial(prediction_loss, model.dynamics))


@pytest.fixture(autouse=True)
def _hooked(monkeypatch):
    def hooked(dynamics, *batch):
        return getattr(dynamics, "hook", partial(prediction_loss, dynamics))(*batch)

    monkeypatch.setattr(stages, "prediction_loss", hooked)


def rows(data: Dataset) -> list[bytes]:
    return [row.tobytes() for row in np.column_stack([data.action, *data.observation.values()])]


# ------------------------------------------------------------------------------------------------ the split


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
@pytest.mark.parametrize("seed", range(4))
def test_seen_and_held_out_share_nothing_and_lose_nothing(share, seed, pusht_data):
    seen, held_out = hold_out(pusht_data, share, np.random.default_rng(seed))
    assert set(check_disjoint(seen=seen, held_out=held_out)["shared"].values()) == {0}
    assert sorted(rows(seen) + rows(held_out)) == sorted(rows(pusht_data))
    # As many episodes as fit: another would not.
    longest = np.unique(pusht_data.episode, return_counts=True)[1].max()
    assert share * len(pusht_data) - longest < len(held_out) <= share * len(pusht_data)
    again = hold_out(pusht_data, share, np.random.default_rng(seed))[1]
    other = hold_out(pusht_data, share, np.random.default_rng(seed + 100))[1]
    assert again.fingerprint() == held_out.fingerprint() != other.fingerprint()


def test_a_split_by_transitions_would_be_found_out(pusht_data):
    """Negative control: of episodes that are torn apart the check says so."""
    drawn = np.random.default_rng(0).random(len(pusht_data)) < 0.1
    with pytest.raises(OverlapError, match="episodes"):
        check_disjoint(seen=pusht_data.select(~drawn), held_out=pusht_data.select(drawn))


def test_an_episode_longer_than_the_share_is_never_held_out(pusht_data):
    one = replace(pusht_data, episode=np.zeros(len(pusht_data), np.int64))
    seen, held_out = hold_out(one, 0.1, np.random.default_rng(0))
    assert (len(seen), len(held_out)) == (len(pusht_data), 0)
    half = replace(one, episode=np.where(np.arange(len(one)) < len(one) // 2, -1, pusht_data.episode))
    held_out = hold_out(half, 0.1, np.random.default_rng(0))[1]
    assert len(held_out)
    assert -1 not in held_out.episode


@pytest.mark.parametrize("share", [-0.1, 1.0, 2, float("nan"), True, "0.1"])
def test_other_shares_are_refused(share, pusht_data):
    with pytest.raises(ArgumentError, match="share: got"):
        hold_out(pusht_data, share, np.random.default_rng(0))
    with pytest.raises(ArgumentError, match="held_out: got"):
        TrainingConfig(held_out=share)


# ---------------------------------------------------------------------------------------------- in training


def watched(model: WorldModel) -> tuple[WorldModel, dict[bool, list[torch.Tensor]], list[float]]:
    """A model, the actions it is trained (True) and judged (False) on, and the losses it is judged by."""
    loss, actions, losses = loss_of(model), {True: [], False: []}, []

    def seeing(z, action, target):
        found = loss(z, action, target)
        actions[torch.is_grad_enabled()].append(action.vectors[..., 0])
        if not torch.is_grad_enabled():
            losses.append(float(found))
        return found

    model.dynamics.hook = seeing  # type: ignore
    return model, actions, losses


def episodes_of(actions: list[torch.Tensor], data: Dataset) -> set[int]:
    known = {row.astype(np.float32).tobytes(): e for row, e in zip(data.action, data.episode, strict=True)}
    return {int(known[row.numpy().tobytes()]) for row in torch.cat(actions)}


@pytest.mark.parametrize("family", ["state", "mlp"])
def test_no_episode_is_both_trained_on_and_judged_by(family, pusht_data):
    model, actions, _ = watched(fresh(family))
    train(model, pusht_data, replace(CONFIG, steps=60))
    trained, judged = (episodes_of(actions[kind], pusht_data) for kind in (True, False))
    assert not trained & judged
    assert trained | judged == set(pusht_data.episode.tolist())
    model, actions, _ = watched(fresh(family))  # negative control
    train(model, pusht_data, replace(CONFIG, steps=60, held_out=0.0))
    assert not actions[False]
    assert episodes_of(actions[True], pusht_data) == set(pusht_data.episode.tolist())


def spoilt(model: WorldModel, after: int) -> WorldModel:
    """A model that from some step on is trained to do worse."""
    loss, calls = loss_of(model), 0

    def turning(*arguments):
        nonlocal calls
        calls += torch.is_grad_enabled()
        found = loss(*arguments)
        return -found if torch.is_grad_enabled() and calls > after else found

    model.dynamics.hook = turning  # type: ignore
    return model


def judged_at_last(model: WorldModel, config: TrainingConfig, data: Dataset) -> tuple[list[float], float]:
    """The losses on what is held out during training, and the final weights'."""
    whole, judged, losses = loss_of(model), [], []

    def seeing(*arguments):
        found = whole(*arguments)
        if not torch.is_grad_enabled():
            judged[:] = [arguments]
            losses.append(float(found))
        return found

    model.dynamics.hook = seeing  # type: ignore
    train(model, data, config)
    with torch.no_grad():
        return losses.copy(), float(whole(*judged[0]))


@pytest.mark.parametrize("family", ["state", "augmented"])
def test_the_weights_that_do_best_on_what_is_held_out_are_kept(family, pusht_data):
    losses, kept = judged_at_last(spoilt(fresh(family), 18), CONFIG, pusht_data)
    assert kept == pytest.approx(min(losses), rel=1e-6)
    assert losses[-1] > 1.002 * min(losses)  # what would have been kept without


def test_what_was_best_is_in_the_checkpoint(pusht_data, tmp_path):
    whole = train(spoilt(fresh(), 13), pusht_data, CONFIG)
    config = replace(
        CONFIG, folder=str(tmp_path)
    )  # a checkpoint every 7 steps, the best weights before step 15

    def stopped_at_28(forget=False):
        (tmp_path / CHECKPOINT).unlink(missing_ok=True)
        with pytest.raises(Stop):
            train(interrupted(spoilt(fresh(), 13), 29), pusht_data, config)
        tensors, settings = load_tensors(tmp_path / CHECKPOINT, "checkpoint")
        assert settings["step"] == 28
        if forget:
            tensors = {name: t for name, t in tensors.items() if not name.startswith("best.")}
            save_tensors(tmp_path / CHECKPOINT, "checkpoint", tensors, settings | {"best": None})

    stopped_at_28()
    assert same(train(spoilt(fresh(), -1), pusht_data, config), whole)
    stopped_at_28(forget=True)  # negative control
    assert not same(train(spoilt(fresh(), -1), pusht_data, config), whole)


def test_the_least_data_there_is_can_be_trained_on(pusht_data):
    for count in (1, 2, 12):
        model = train(fresh(), pusht_data.select(slice(0, count)), replace(CONFIG, steps=3))
        assert all(tensor.isfinite().all() for tensor in model.state_dict().values())


# ------------------------------------------------------------------------------------------- turned, mirrored


def test_batches_are_mirrored_where_the_group_has_reflections():
    """Those trained on and those that judge; without an augmentation none is."""
    rng = np.random.default_rng(0)
    symmetry = Symmetry(E2(), {"place": Point(), "speed": Vector()}, action=Vector(), reference="place")
    place, speed, action = rng.normal(size=(3, 300, 2))
    action[np.linalg.det(np.stack([speed, action], -1)) < 0] *= -1  # to the left of the speed, all of them
    following = {"place": place + action, "speed": 0.9 * speed}
    data = Dataset(symmetry, {"place": place, "speed": speed}, action, following, np.arange(300))

    def mirrored(family: str) -> dict[bool, float]:
        model, found = WorldModel.for_data(data, family, **PLAIN), {True: [], False: []}
        loss = loss_of(model)

        def seeing(z, action, target):
            sides = torch.linalg.det(torch.cat([z.vectors, action.vectors], -1))
            found[torch.is_grad_enabled()].append(sides < 0)
            return loss(z, action, target)

        model.dynamics.hook = seeing  # type: ignore
        train(model, data, CONFIG)
        return {kind: float(torch.cat(parts).double().mean()) for kind, parts in found.items()}

    shares = mirrored("augmented")
    assert 0.4 < shares[True] < 0.6
    assert 0.2 < shares[False] < 0.8
    assert mirrored("mlp-centred") == {True: 0.0, False: 0.0}  # negative control


# -------------------------------------------------------------------------------------------------- settings


def test_little_data_is_trained_with_more_decay_and_not_longer():
    chosen = [TrainingConfig().for_transitions(count) for count in (1, 100, 2_000, 20_000, 600_000)]
    for less, more in pairwise(chosen):
        assert less.weight_decay >= more.weight_decay > 0
        assert 0 < less.steps <= more.steps
    assert chosen[2].weight_decay > 10 * chosen[-1].weight_decay
    assert chosen[-1].steps > chosen[2].steps
    said = TrainingConfig(steps=7, weight_decay=0.0).for_transitions(2_000)
    assert (said.steps, said.weight_decay) == (7, 0.0)
