"""Any policy behind the door: exact, whoever decides, and honest where it is not."""

from __future__ import annotations

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest

import equiworld.envs  # noqa: F401  registers PushT
from equiworld import symmetrise
from equiworld.errors import ArgumentError
from equiworld.groups import SE2
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy
from equiworld.symmetry import Scalar, Symmetry, Vector, symmetry_of
from equiworld.verify.certificate import certify

pytestmark = pytest.mark.exact

ENV = "equiworld/PushT-v0"


class Plain:
    """A random network of the flat observation, in world axes, with a memory: as far from equivariant as can be."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.first, self.second = rng.normal(size=(42, 16)) / 400.0, rng.normal(size=(16, 2)) * 20.0

    def predict(self, obs, state=None, episode_start=None, deterministic=True):
        flat = np.concatenate([obs[name] for name in sorted(obs)], -1)
        count = 0.0 if state is None else state
        action = np.tanh(flat @ self.first + count) @ self.second
        length = np.linalg.norm(action, axis=-1, keepdims=True)
        return action * np.minimum(1.0, 50.0 / np.maximum(length, 1e-9)), count + 0.1


@pytest.fixture(scope="module")
def observations():
    env = gym.make(ENV)
    seen = [env.reset(seed=seed)[0] for seed in range(16)]
    return {name: np.stack([one[name] for one in seen]) for name in seen[0]}


def deviation(policy, observations) -> float:
    symmetry, worst = symmetry_of(ENV), 0.0
    actions, _ = policy.predict(observations)
    for g in SE2().sample(np.random.default_rng(0), n=24, scale=100.0):
        turned, _ = policy.predict(symmetry.transform_observation(g, observations))
        worst = max(worst, float(np.abs(turned - symmetry.transform_action(g, actions)).max()))
    return worst


def test_a_plain_policy_becomes_exact_and_was_not(observations):
    assert deviation(Plain(), observations) > 1.0
    assert deviation(symmetrise(Plain(), ENV), observations) <= 1e-11


def test_the_closed_loop_is_exact_and_the_certificate_says_how_many_decisions_it_saw():
    env = gym.make(ENV, walls=False)
    certificate = certify(symmetrise(Plain(), env), env, elements=4, episodes=2, steps=30)
    assert certificate.passed
    assert certificate.max_deviation <= 1e-8
    assert (certificate.decisions, certificate.degenerate, certificate.notes) == (2 * 30 * 6, 0, ())
    assert not certify(Plain(), env, elements=4, episodes=2, steps=30).passed


def test_one_observation_or_many_with_memory(observations):
    policy = symmetrise(Plain(), ENV)
    one = {name: array[0] for name, array in observations.items()}
    together, state = policy.predict(observations)
    alone, single = policy.predict(one)
    assert alone.shape == (2,)
    assert np.allclose(alone, together[0], rtol=0, atol=1e-12)
    again, _ = policy.predict(one, state=single)
    assert not np.allclose(again, alone)
    assert state.decisions.tolist() == [1] * 16
    _, state = policy.predict(observations, state, np.arange(16) == 3)
    assert state.decisions.tolist() == [1 if env == 3 else 2 for env in range(16)]


def test_the_reference_pose_is_where_the_body_stands(observations):
    class Spy(Plain):
        def predict(self, obs, state=None, episode_start=None, deterministic=True):
            seen.append(obs)
            return super().predict(obs, state)

    seen: list = []
    pose = SE2().translation([30.0, -20.0]) @ SE2().rotation(0.7)
    policy = symmetrise(Spy(), ENV, reference_pose=pose)
    policy.predict(observations)
    assert np.allclose(seen[0]["block_heading"], 0.7, atol=1e-6)
    assert np.allclose(seen[0]["block_pos"], np.array([255.5 + 30.0, 255.5 - 20.0]), atol=1e-4)
    assert deviation(policy, observations) <= 1e-11


def test_one_door_is_enough():
    policy = MPCPolicy(WorldModel.for_env(ENV, hidden=(8,)), CEM(samples=8, elites=2))
    assert symmetrise(policy, ENV) is policy
    once = symmetrise(Plain(), ENV)
    assert symmetrise(once, ENV) is once


def test_copies_and_pickles_decide_alike(observations):
    policy = symmetrise(Plain(), ENV)
    expected, _ = policy.predict(observations)
    for other in (copy.deepcopy(policy), pickle.loads(pickle.dumps(policy))):
        assert np.array_equal(other.predict(observations)[0], expected)


def test_what_cannot_be_exact_says_so(observations):
    symmetry = Symmetry(SE2(), {"mass": Scalar()}, action=Vector())

    class Still:
        def predict(self, obs, state=None, episode_start=None, deterministic=True):
            return np.ones((*np.shape(obs["mass"])[:-1], 2)), state

    policy = symmetrise(Still(), symmetry)
    assert "nothing observed fixes a frame" in policy.inexact[0]
    assert policy.predict({"mass": np.ones((3, 1))})[1].degenerate.all()
    single = symmetrise(Plain(), ENV)
    assert single.inexact == ()
    single.predict({name: array.astype(np.float32) for name, array in observations.items()})
    assert "float32" in single.inexact[0]


def test_what_is_no_policy_or_undeclared_is_refused(observations):
    with pytest.raises(ArgumentError, match="policy: got int; expected an object with predict"):
        symmetrise(3, ENV)
    extra = observations | {"clock": np.zeros((16, 1))}
    with pytest.raises(ArgumentError, match="undeclared key 'clock'"):
        symmetrise(Plain(), ENV).predict(extra)
    expected, _ = symmetrise(Plain(), ENV).predict(observations)
    assert np.array_equal(symmetrise(Plain(), ENV, ignore=("clock",)).predict(extra)[0], expected)
