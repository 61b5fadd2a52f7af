"""What is recorded is what acted, within the action space of the environment given, whatever wraps it."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import plane_env
import pytest
from gymnasium import spaces
from gymnasium.wrappers import ClipAction, RescaleAction, TransformAction

import equiworld.envs
from equiworld.envs.pusht.exploration import PushExploration
from equiworld.envs.pusht.simulation import PushTState
from equiworld.envs.spaces import Ball
from equiworld.errors import ArgumentError
from equiworld.groups import SE2
from equiworld.symmetry import Point, Symmetry, Vector, register_symmetry, symmetry_of
from equiworld.symmetry.holding import held_action
from equiworld.training import Dataset, collect
from equiworld.training.actions import Actuation, project

PUSHT = "equiworld/PushT-v0"
TURN = np.array([[0.6, -0.8], [0.8, 0.6]])


def pusht(**arguments) -> gym.Env:
    return gym.make(PUSHT, **arguments)


def box(radius: float, dtype: Any = np.float64) -> spaces.Box:
    return spaces.Box(-radius, radius, (2,), dtype)


AFFINE = {
    "rescaled": lambda: RescaleAction(pusht(), -1, 1),
    "rescaled, off centre": lambda: RescaleAction(pusht(), np.array([0.0, 5.0]), np.array([2.0, 6.0])),
    "rescaled twice": lambda: RescaleAction(RescaleAction(pusht(), -1, 1), -3, 3),
    "clipped and rescaled": lambda: ClipAction(RescaleAction(pusht(), -1, 1)),
    "halved": lambda: TransformAction(pusht(), lambda action: action / 2, Ball(2, 200.0)),
    "turned": lambda: TransformAction(pusht(), lambda action: TURN @ action, Ball(2, 100.0)),
    "float32": lambda: TransformAction(pusht(), lambda a: 100.0 * a.astype(float), box(1, np.float32)),
}
OTHERS = {
    "squashed": lambda: TransformAction(pusht(), lambda action: 60 * np.tanh(action), box(1)),
    "squashed and rescaled": lambda: RescaleAction(OTHERS["squashed"](), -7, 7),
    "folded": lambda: TransformAction(pusht(), lambda action: 50 * abs(action), box(1)),
}
PLAIN = {
    "as it is": pusht,
    "clipped": lambda: ClipAction(pusht()),
    "clipped twice": lambda: ClipAction(ClipAction(pusht(max_displacement=50))),
    "by itself": lambda: TransformAction(pusht(), lambda action: action, Ball(2, 100.0)),
    "short": lambda: pusht(max_displacement=20.0),
    "shorter than any push": lambda: pusht(max_displacement=3.0),
    "long": lambda: pusht(max_displacement=300.0),
    "turned world": lambda: equiworld.envs.GroupAction(pusht(walls=False), SE2().rotation(0.7)),
}


def replayed(env: gym.Env, data: Dataset) -> None:
    """Each first transition, stepped again from its state with what was recorded, gives the same bits."""
    first = np.flatnonzero(np.r_[True, np.diff(data.episode) != 0])
    for row in first:
        now = {name: array[row] for name, array in data.observation.items()}
        block = (*now["block_pos"], now["block_heading"][0])
        state = PushTState(tuple(now["agent_pos"]), (0.0, 0.0), block, (256.0, 256.0, 0.0))
        before = observation = env.reset(options={"state": state})[0]
        for step in range(data.action_repeat):
            action = data.action[row]
            if step:
                action = held_action(data.symmetry, action, before, observation)
                action = project(env.unwrapped.action_space, action)
            observation = env.step(action.astype(env.action_space.dtype))[0]
        for name, array in data.next_observation.items():
            assert np.array_equal(array[row], observation[name]), name


def inside(env: gym.Env, data: Dataset) -> bool:
    return all(env.action_space.contains(action.astype(env.action_space.dtype)) for action in data.action)


@pytest.mark.parametrize("name", [*AFFINE, *PLAIN])
def test_what_is_recorded_is_what_acted(name):
    env = (AFFINE | PLAIN)[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = collect(env, 60, workers=1, symmetry=None if name == "turned world" else symmetry_of(pusht()))
    assert inside(env, data)
    assert data.action_repeat == (1 if name in AFFINE else 2)
    if name != "turned world":  # whose states are set in the turned world's own coordinates
        replayed(env, data)


@pytest.mark.parametrize("name", AFFINE)
def test_through_an_affine_wrapper_the_same_pushes_act(name):
    env = AFFINE[name]()
    settings = {"seed": 2, "action_repeat": 1, "workers": 1, "symmetry": symmetry_of(pusht())}
    wrapped, bare = (collect(each, 40, **settings) for each in (env, pusht()))
    tolerance = 1e-2 if name == "float32" else 1e-6  # what contact makes of rounding in one episode
    for column, array in bare.next_observation.items():
        assert np.allclose(wrapped.next_observation[column], array, rtol=0, atol=tolerance), column
    assert not np.allclose(wrapped.action, bare.action, atol=0.1)


@pytest.mark.parametrize("name", OTHERS)
def test_where_the_way_back_is_unknown_samples_of_the_space_act_and_it_is_said(name):
    env = OTHERS[name]()
    with pytest.warns(UserWarning, match="only the starts are the exploration's"):
        data = collect(env, 60, workers=1, symmetry=symmetry_of(pusht()))
    assert inside(env, data)
    assert data.action_repeat == 1
    replayed(env, data)
    assert np.unique(np.sign(data.action), axis=0).shape[0] == 4


def test_pushes_longer_than_the_space_are_shortened_along_their_way():
    """The direction stays; a box would be clipped, which turns it."""
    whole, short = (collect(pusht(max_displacement=r), 40, action_repeat=1, workers=1) for r in (100, 20))
    first = np.flatnonzero(np.r_[True, np.diff(whole.episode) != 0])
    first = first[np.isin(whole.episode[first], short.episode)]
    lengths = np.linalg.norm(whole.action[first], axis=-1)
    assert (lengths > 20).any()
    rows = [np.flatnonzero(short.episode == whole.episode[row])[0] for row in first]
    expected = whole.action[first] * np.minimum(1, 20 / lengths)[:, None]
    assert np.allclose(short.action[rows], expected, atol=1e-12)
    assert np.linalg.norm(short.action, axis=-1).max() <= 20 * (1 + 1e-9)


def test_a_longer_reach_changes_no_bit_of_what_was_in_reach():
    assert collect(pusht(max_displacement=300.0), 40, workers=1).fingerprint() == (
        collect(pusht(), 40, workers=1).fingerprint()
    )


def test_an_exploration_of_ones_own_is_kept_in_the_space_too():
    data = collect(pusht(), 40, exploration=PushExploration(lengths=(150.0, 200.0)), workers=1)
    assert np.linalg.norm(data.action, axis=-1) == pytest.approx(100.0)
    replayed(pusht(), data)


def test_a_target_cannot_be_held_in_unknown_units():
    for name in ("rescaled", "turned"):
        with pytest.raises(ArgumentError, match=r"action_repeat: got 2; expected 1, since wrappers change"):
            collect(AFFINE[name](), 10, action_repeat=2, workers=1, symmetry=symmetry_of(pusht()))
    assert collect(PLAIN["by itself"](), 10, action_repeat=3, workers=1).action_repeat == 3
    env = RescaleAction(gym.make(plane_env.ID), -5, 5)  # its actions are relative to no place
    data = collect(env, 20, action_repeat=2, workers=1)
    moved = data.next_observation["place"] - data.observation["place"]
    assert np.allclose(moved, 2 * data.action / 5, atol=1e-12)
    assert 4 < np.abs(data.action).max() <= 5


def test_chunks_of_other_wrappers_are_not_taken_for_ones_own(tmp_path):
    whole = collect(RescaleAction(pusht(), -1, 1), 20, workers=1, folder=tmp_path)
    for other in (RescaleAction(pusht(), -2, 2), pusht(), ClipAction(pusht())):
        with pytest.raises(ArgumentError, match=r"folder: got .*collected with other settings"):
            collect(other, 20, workers=1, folder=tmp_path, action_repeat=1)
    again = collect(RescaleAction(pusht(), -1, 1), 20, workers=1, folder=tmp_path)
    assert again.fingerprint() == whole.fingerprint()
    with pytest.raises(ArgumentError, match=r"provenance: got .*RescaleAction.*wrap it yourself"):
        whole.make_env()
    assert isinstance(whole.make_env(PUSHT), gym.Env)


class Unrecorded(gym.Wrapper):
    """A wrapper that does not keep what it was made with."""


def test_an_environment_that_workers_cannot_make_acts_itself(tmp_path):
    env = Unrecorded(pusht())
    for more in ({}, {"workers": 1}):
        found = collect(env, 30, seed=3, **more)
        assert found.fingerprint() == collect(pusht(), 30, seed=3, workers=1).fingerprint()
    env.reset(seed=0)  # it was not closed
    assert "Unrecorded" in str(found.provenance["wrappers"])
    for refused in ({"workers": 2}, {"folder": tmp_path}):
        with pytest.raises(ArgumentError, match=r"env: got equiworld/PushT-v0: .*made again from its spec"):
            collect(env, 10, **refused)


@pytest.mark.parametrize("name", [*AFFINE, *PLAIN])
def test_asking_for_an_action_has_it_acted(name):
    """The wrappers undo what `asked` does: the base gets what was chosen, to rounding."""
    env = (AFFINE | PLAIN)[name]()
    actuation, rng = Actuation(env), np.random.default_rng(3)
    assert actuation.whole
    assert actuation.changed == (name in AFFINE)
    for action in rng.normal(size=(20, 2)) * 2:
        asked, layer = actuation.asked(action), env
        while isinstance(layer, gym.Wrapper):
            asked = layer.action(asked) if isinstance(layer, gym.ActionWrapper) else asked
            layer = layer.env
        assert np.allclose(asked, project(actuation.space, action), atol=1e-4)


@pytest.mark.parametrize(
    ("space", "far", "near"),
    [
        (Ball(2, 5.0), [30.0, 40.0], [3.0, 4.0]),
        (Ball(2, 5.0), [0.3, 0.4], [0.3, 0.4]),
        (box(5.0), [30.0, -40.0], [5.0, -5.0]),
        (box(np.inf), [30.0, -40.0], [30.0, -40.0]),
        (box(1.0, np.float32), [0.25, 7], [0.25, 1.0]),
    ],
)
def test_the_nearest_action_is_in_the_space(space, far, near):
    found = project(space, far)
    assert found.dtype == space.dtype
    assert np.allclose(found, near, atol=1e-12)
    assert space.contains(found)


def test_a_turned_world_is_explored_unless_its_actions_are_in_other_units():
    """The box of a turned box is another: observation and action are turned alike, which an exploration bears."""
    bounded = TransformAction(pusht(outside="project", walls=False), lambda action: 1.0 * action, box(100))
    g = SE2().rotation(0.7)
    assert Actuation(equiworld.envs.GroupAction(bounded, g)).whole
    assert not Actuation(equiworld.envs.GroupAction(RescaleAction(bounded, -1, 1), g)).whole


# ------------------------------------------------------------------------------------ flat observations


class FlatHand(gym.Env):
    """A hand that goes half of the way to where it was told, its observation one array: mass, hand."""

    def __init__(self) -> None:
        self.observation_space = spaces.Box(-np.inf, np.inf, (4,), np.float64)
        self.action_space = spaces.Box(-5.0, 5.0, (2,), np.float64)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.hand = self.np_random.normal(size=2)
        return np.concatenate([[0.0, 1.0], self.hand]), {}

    def step(self, action: Any) -> Any:
        self.hand = self.hand + np.asarray(action) / 2
        return np.concatenate([[0.0, 1.0], self.hand]), 0.0, False, False, {}


FLAT = Symmetry(SE2(), {"way": Vector(), "hand": Point()}, Vector(), action_origin="hand", flat=True)
if "test/FlatHand-v0" not in gym.registry:
    gym.register("test/FlatHand-v0", FlatHand)
register_symmetry("test/FlatHand-v0", FLAT)


@pytest.mark.parametrize("repeat", [1, 2, 5])
def test_a_target_is_held_in_a_flat_observation_too(repeat):
    data = collect("test/FlatHand-v0", 30, action_repeat=repeat, workers=1)
    moved = data.next_observation["hand"] - data.observation["hand"]
    assert np.allclose(moved, data.action * (1 - 0.5**repeat), atol=1e-12)


def test_the_origin_is_found_by_name_or_by_place():
    action, before, now = np.array([1.0, 2.0]), np.array([9.0, 9, 1, 1]), np.array([7.0, 7, 2, 4])
    flat = held_action(FLAT, action, before, now)
    named = held_action(FLAT, action, {"hand": before[2:]}, {"hand": now[2:]})
    mapped = held_action(replace(FLAT, flat=False), action, {"hand": before[2:]}, {"hand": now[2:]})
    assert flat.tolist() == named.tolist() == mapped.tolist() == [0.0, -1.0]
    batch = held_action(FLAT, np.stack([action] * 3), np.stack([before] * 3), np.stack([now] * 3))
    assert batch.tolist() == [[0.0, -1.0]] * 3
