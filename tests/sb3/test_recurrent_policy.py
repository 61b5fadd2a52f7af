"""The equivariant policy with memory: exact along whole episodes, its memory the same all over the orbit."""

import numpy as np
import pytest
import torch

pytest.importorskip("sb3_contrib")

from equivariant_cases import CASES, Drift, tensors
from sb3_contrib import RecurrentPPO
from sb3_contrib.common.recurrent.type_aliases import RNNStates

from equiworld.errors import ArgumentError
from equiworld.sb3 import EquivariantRecurrentPolicy
from equiworld.symmetry.sampling import random_observation

NAMES = ["mirrors, rates", "left and right", "about gravity", "two bodies that are alike", "space, a body"]
CRITICS = {
    "two memories": {},
    "one memory": {"enable_critic_lstm": False, "shared_lstm": True},
    "a critic without": {"enable_critic_lstm": False},
}


def made(symmetry, **more):
    kwargs = {"symmetry": symmetry, "lstm_hidden_size": 8, "net_arch": [8], **more}
    settings = {"n_steps": 16, "batch_size": 16, "n_epochs": 1, "seed": 0, "device": "cpu"}
    return RecurrentPPO(
        EquivariantRecurrentPolicy, Drift(symmetry, length=9), policy_kwargs=kwargs, **settings
    )


def residual(model, symmetry):
    """Along episodes that are turned, one element each: the largest deviation of actions and memories."""
    rng = np.random.default_rng(2)
    g = symmetry.group.sample(rng, 6)
    here = there = None
    start, worst = np.ones(6, bool), 0.0
    for _ in range(4):
        seen = random_observation(symmetry, rng, 6)
        moved = symmetry.transform_observation(g, seen)
        a, here = model.predict(seen, here, start, deterministic=True)
        b, there = model.predict(moved, there, start, deterministic=True)
        apart = np.abs(symmetry.transform_action(g, a.astype(np.float64)) - b).max()
        worst = max(worst, apart, *(np.abs(x - y).max() for x, y in zip(here, there, strict=True)))
        assert np.abs(here[0]).max() > 1e-3
        start = np.zeros(6, bool)
    return worst


def own_residual(policy, symmetry, count=6):
    """Likewise of actions, values and memories of calls of the policy itself, which round nothing in between."""
    rng, kind = np.random.default_rng(2), next(policy.parameters()).dtype
    g = symmetry.group.sample(rng, count)
    nothing = tuple(torch.zeros(1, count, 8, dtype=kind) for _ in range(2))
    here = there = RNNStates(nothing, nothing)
    start, worst = torch.ones(count), 0.0
    for _ in range(4):
        seen = random_observation(symmetry, rng, count)
        moved = symmetry.transform_observation(g, seen)
        with torch.no_grad():
            a, value, _, here = policy(tensors(seen), here, start, deterministic=True)
            b, other, _, there = policy(tensors(moved), there, start, deterministic=True)
        apart = np.abs(symmetry.transform_action(g, a.double().numpy()) - b.double().numpy()).max()
        kept = [
            (x - y).abs().max() for p, q in zip(here, there, strict=True) for x, y in zip(p, q, strict=True)
        ]
        worst = max(worst, float(apart), float((value - other).abs().max()), *map(float, kept))
        start = torch.zeros(count)
    return worst


@pytest.mark.parametrize("name", NAMES)
def test_exact_before_and_after_training(name):
    symmetry = CASES[name]
    model = made(symmetry, log_std_init=-1.0)
    assert residual(model, symmetry) < 1e-5
    model.learn(32)
    assert residual(model, symmetry) < 1e-5
    model.policy.double()
    assert residual(model, symmetry) < 1e-5
    assert own_residual(model.policy, symmetry) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("name", ["left and right", "a pose and a mixture"])
def test_twenty_thousand_steps_leave_them_exact(name):
    symmetry = CASES[name]
    kwargs = {"symmetry": symmetry, "lstm_hidden_size": 8, "net_arch": [8, 8]}
    settings = {"n_steps": 1000, "batch_size": 250, "n_epochs": 4, "seed": 0, "device": "cpu"}
    model = RecurrentPPO(EquivariantRecurrentPolicy, Drift(symmetry), policy_kwargs=kwargs, **settings)
    model.learn(20_000)
    assert own_residual(model.policy, symmetry) < 1e-5
    assert own_residual(model.policy.double(), symmetry) < 1e-12


@pytest.mark.parametrize("critic", CRITICS)
def test_every_kind_of_critic_trains_and_is_invariant(critic):
    symmetry = CASES["left and right"]
    model = made(symmetry, **CRITICS[critic]).learn(32)
    seen = random_observation(symmetry, np.random.default_rng(0), 4)
    mirror = symmetry.group.elements()[1]
    nothing = tuple(torch.zeros(1, 4, 8) for _ in range(2))
    with torch.no_grad():
        values = [
            model.policy.predict_values(
                {name: torch.as_tensor(array) for name, array in each.items()}, nothing, torch.ones(4)
            )
            for each in (seen, symmetry.transform_observation(mirror, seen))
        ]
    assert torch.allclose(*values, atol=1e-5)
    assert values[0].std() > 0


def test_files_give_the_same_policy_again(tmp_path):
    symmetry = CASES["left and right"]
    model = made(symmetry).learn(32)
    model.save(tmp_path / "model")
    seen = random_observation(symmetry, np.random.default_rng(0), 3)
    again = RecurrentPPO.load(tmp_path / "model", device="cpu")
    assert np.array_equal(
        again.predict(seen, deterministic=True)[0], model.predict(seen, deterministic=True)[0]
    )


def test_the_other_form_is_refused():
    with pytest.raises(ArgumentError, match="form"):
        made(CASES["left and right"], form="steerable")
