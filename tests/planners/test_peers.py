"""Other libraries' planners as policies: exact behind the door, repeatable, and loud where they are not installed."""

from __future__ import annotations

import pickle
import sys
from importlib import metadata

import gymnasium as gym
import numpy as np
import pytest
import torch
from policy_cases import ENV, model_of

from equiworld import symmetrise
from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.groups import SE2
from equiworld.planners import PEERS, Task, peer_policy
from equiworld.planners.peers import PeerFactory, peer
from equiworld.symmetry import symmetry_of
from equiworld.verify.certificate import certify

pytestmark = pytest.mark.exact

every_peer = pytest.mark.parametrize("name", PEERS)
SMALL = {"samples": 16, "horizon": 2, "iterations": 1}


def made(name, family="mlp", **settings):
    """A policy; the test is skipped if its library is not installed, and fails if it is but does not work."""
    library = PEERS[name].kind().library
    try:
        metadata.version(library)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{library} is not installed")
    return peer_policy(name, model_of(family), **SMALL | settings)


def few(observations, count=4):
    return {name: array[:count] for name, array in observations.items()}


@every_peer
def test_exact_behind_the_door_and_not_before(name, observations):
    policy, symmetry, seen = made(name), symmetry_of(ENV), few(observations)
    for each, exact in ((policy, False), (symmetrise(policy, ENV), True)):
        actions, _ = each.predict(seen)
        apart = 0.0
        for g in SE2().sample(np.random.default_rng(1), 8, scale=50.0):
            turned, _ = each.predict(symmetry.transform_observation(g, seen))
            apart = max(apart, float(np.abs(turned - symmetry.transform_action(g, actions)).max()))
        assert apart <= 1e-9 if exact else apart > 1.0


@every_peer
def test_the_closed_loop_is_exact(name):
    env = gym.make(ENV, walls=False)
    certificate = certify(symmetrise(made(name), env), env, elements=2, episodes=2, steps=6)
    assert certificate.passed
    assert certificate.config["dtype"] == "float32"


@every_peer
def test_actions_are_within_the_model_s_bound_and_nothing_leaks(name, observations):
    policy = made(name)
    before = torch.random.get_rng_state()
    first, _ = policy.predict(few(observations))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.linalg.norm(first, axis=-1).max() <= 100 * (1 + 1e-6)
    torch.manual_seed(123)
    again, state = policy.predict(few(observations))
    assert np.array_equal(first, again)
    later, _ = policy.predict(few(observations), state)
    assert not np.array_equal(first, later)  # the noise of the next decision


@every_peer
def test_it_looks_for_what_costs_less(name, observations):
    """The cost is how far a push is from one that every planner finds."""

    def cost(states, channels, goal, goal_channels):
        return states.select(channels["agent_pos"]).square().sum((-2, -1))

    policy = made(name, samples=64, iterations=6, task=Task(cost=cost))
    seen, model = few(observations), policy.factory.model
    actions, _ = policy.predict(seen)
    z = model.encode(seen)

    def reached(action):
        following = model.predict(z, torch.as_tensor(action, dtype=model.dtype))
        return cost(following, model.latent.channels(), None, None)

    with torch.no_grad():
        assert reached(actions).mean() < reached(np.zeros_like(actions)).mean()


def test_policies_are_pickled_with_their_model(observations):
    policy = made("pytorch_mppi")
    again = pickle.loads(pickle.dumps(policy))
    assert np.array_equal(again.predict(few(observations))[0], policy.predict(few(observations))[0])


@every_peer
def test_a_library_that_is_absent_is_named_with_what_to_install(name, monkeypatch):
    kind = PEERS[name].kind()

    def fail():
        raise ModuleNotFoundError("No module named 'needed'")

    monkeypatch.setattr(kind, "load", fail)
    with pytest.raises(ArgumentError, match=f"cannot be imported.*'needed'.*pip install {kind.library}"):
        peer_policy(name, model_of(), **SMALL)


def test_unknown_names_and_settings_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'pytorch_mppi'"):
        peer("pytorch-mppi")
    with pytest.raises(ArgumentError, match="samples: got 0"):
        peer_policy("pytorch_mppi", model_of(), samples=0)


def test_no_library_is_imported_before_it_is_asked_for():
    assert callable(PeerFactory)
    code = "import equiworld, sys; print([n for n in ('pytorch_mppi', 'torchrl') if n in sys.modules])"
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
