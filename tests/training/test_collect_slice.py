"""Data of a slice of orientations: no transition begins outside it, however the body was pushed about."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from cloud_model_cases import env_of

from equiworld.training import Dataset, collect

pytest.importorskip("mujoco")

NARROW = 0.3  # [rad]


def angles(rotations: np.ndarray) -> np.ndarray:
    """How far `(N, 9)` are from the unturned orientation [rad]."""
    traces = np.trace(rotations.reshape(-1, 3, 3), axis1=1, axis2=2)
    return np.arccos(np.clip((traces - 1) / 2, -1, 1))


def slice_of(max_angle: float, count: int = 400, **arguments) -> Dataset:
    env = env_of(points=4, observe_pose=True, max_angle=max_angle, **arguments)
    return collect(env, count, seed=0, workers=1)


@pytest.fixture(scope="module")
def narrow() -> Dataset:
    return slice_of(NARROW)


def test_every_transition_begins_inside_the_slice(narrow):
    begun = angles(narrow.observation["body_rotation"])
    assert len(narrow) == 400
    assert begun.max() <= NARROW
    assert begun.max() > 0.9 * NARROW
    # Some end outside: they are the last of their episodes.
    ended = angles(narrow.next_observation["body_rotation"]) > NARROW
    assert 0 < ended.sum() < len(narrow) / 2
    last = np.r_[np.diff(narrow.episode) != 0, True]
    assert last[ended].all()


def test_episodes_are_as_long_as_the_slice_lets_them(narrow):
    _, counts = np.unique(narrow.episode, return_counts=True)
    assert counts.max() == 8
    assert counts.min() < 8
    same_episode = narrow.episode[1:] == narrow.episode[:-1]
    for name in ("body_rotation", "agent_pos"):
        after, before = narrow.next_observation[name][:-1], narrow.observation[name][1:]
        assert np.array_equal(after[same_episode], before[same_episode])


def test_without_it_transitions_would_begin_outside(narrow):
    """Negative control: the same starts, and pushes that nobody stops."""

    class Unstopped:
        def __init__(self, exploration):
            self.inner = exploration
            self.action_repeat, self.steps_per_start = exploration.action_repeat, exploration.steps_per_start

        def start(self, rng):
            return self.inner.start(rng)

        def action(self, rng, observation):
            return self.inner.action(rng, observation)

    env = env_of(points=4, observe_pose=True, max_angle=NARROW)
    unstopped = collect(env, 400, seed=0, workers=1, exploration=Unstopped(env.unwrapped.exploration))
    assert angles(unstopped.observation["body_rotation"]).max() > NARROW
    first = np.flatnonzero(np.r_[True, np.diff(unstopped.episode) != 0])
    assert angles(unstopped.observation["body_rotation"][first]).max() <= NARROW
    assert np.array_equal(unstopped.observation["body_rotation"][0], narrow.observation["body_rotation"][0])


def test_all_orientations_are_no_slice():
    begun = angles(slice_of(np.pi, 200).observation["body_rotation"])
    assert begun.max() > 2.5
    _, counts = np.unique(slice_of(np.pi, 200).episode, return_counts=True)
    assert set(counts) == {8}


def test_what_goes_on_is_told_by_the_body_alone():
    exploration = gym.make("equiworld/CloudPush-v0", max_angle=NARROW).unwrapped.exploration
    whole = gym.make("equiworld/CloudPush-v0").unwrapped.exploration
    for angle in (0.0, NARROW - 1e-6, NARROW + 1e-6, 1.0, np.pi):
        c, s = np.cos(angle), np.sin(angle)
        info = {"body_rotation": np.array([c, -s, 0.0, s, c, 0.0, 0.0, 0.0, 1.0])}
        assert exploration.goes_on(info) == (angle <= NARROW)
        assert whole.goes_on(info)


def test_one_seed_means_one_slice(narrow):
    assert slice_of(NARROW).fingerprint() == narrow.fingerprint()
    assert slice_of(NARROW + 0.1).fingerprint() != narrow.fingerprint()
