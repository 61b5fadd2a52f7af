"""What a form remembers of the last observations is of these, by their keys, their numbers and how they are asked."""

import numpy as np
import pytest
import torch

pytest.importorskip("stable_baselines3")

from equivariant_cases import Drift
from stable_baselines3 import PPO, SAC

from equiworld.groups import SO2
from equiworld.sb3 import EquivariantActorCriticPolicy, EquivariantSACPolicy
from equiworld.symmetry import Symmetry, Vector
from equiworld.symmetry.sampling import random_observation

PAIR = Symmetry(SO2(), {"a": Vector(), "b": Vector()}, Vector())
FLAT = Symmetry(SO2(), {"a": Vector(), "b": Vector()}, Vector(), flat=True)


def made(symmetry, form="canonical"):
    settings = {"symmetry": symmetry, "form": form, "net_arch": [8]}
    return PPO(
        EquivariantActorCriticPolicy, Drift(symmetry), policy_kwargs=settings, device="cpu", seed=0
    ).policy


def rows(seed):
    return np.ascontiguousarray(random_observation(FLAT, np.random.default_rng(seed), 3), np.float32)


@pytest.mark.parametrize("form", ["canonical", "steerable"])
def test_an_array_that_is_written_into_is_another_observation(form):
    policy, buffer = made(FLAT, form), rows(0)
    seen = torch.from_numpy(buffer)
    with torch.no_grad():
        before = policy.predict_values(seen)
        buffer[:] = rows(1)
        assert torch.equal(policy.predict_values(seen), policy.predict_values(seen.clone()))
        assert not torch.equal(policy.predict_values(seen), before)
        buffer[:] = rows(2)
        assert torch.equal(policy(seen, True)[0], policy(seen.clone(), True)[0])


def test_the_same_tensors_under_other_keys_are_another_observation():
    policy = made(PAIR)
    one, other = (torch.from_numpy(each) for each in np.split(rows(0), 2, -1))
    with torch.no_grad():
        before = policy.predict_values({"a": one, "b": other})
        swapped = policy.predict_values({"a": other, "b": one})
        assert torch.equal(swapped, policy.predict_values({"a": other.clone(), "b": one.clone()}))
        assert not torch.equal(swapped, before)
        # the control: the order of keys is none of the observation's
        assert torch.allclose(policy.predict_values({"b": other, "a": one}), before, atol=1e-6)


@pytest.mark.parametrize("form", ["canonical", "steerable"])
def test_gradients_are_taken_of_what_was_asked_before_without(form):
    policy, seen = made(FLAT, form), torch.from_numpy(rows(0))
    for asked in (seen, torch.from_numpy(rows(1))):
        with torch.inference_mode():
            policy.predict_values(asked)
        policy.evaluate_actions(asked, torch.zeros(3, 2))[0].sum().backward()
    policy.predict_values(seen)
    policy.predict_values(seen.requires_grad_()).sum().backward()
    assert seen.grad.abs().max() > 0


def test_actor_and_critics_of_an_update_share_what_they_see():
    model = SAC(
        EquivariantSACPolicy,
        Drift(FLAT),
        policy_kwargs={"symmetry": FLAT, "net_arch": [8]},
        device="cpu",
        seed=0,
    )
    form = model.policy.actor.features_extractor
    now, then = (torch.from_numpy(rows(seed)) for seed in range(2))
    first, second = form(now), form(then)
    assert form(now) is first
    assert form(then) is second
    assert form(now.clone()) is not first
