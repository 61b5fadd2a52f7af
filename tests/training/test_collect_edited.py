"""What was set by hand in an environment is in its data, or `collect` says that it cannot be."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import RecordEpisodeStatistics

import equiworld as ew
from equiworld.errors import ArgumentError
from equiworld.groups import SE2
from equiworld.symmetry import Point, Symmetry, Vector, register_symmetry

ID = "test/EditedPuck-v0"


@dataclass
class Ground:
    """What the puck slides on."""

    friction: float = 0.1


class Puck(gym.Env):
    """A puck that is pushed through the plane; each one has a number of its own, and counts its episodes."""

    observation_space = gym.spaces.Dict(
        {name: gym.spaces.Box(-99.0, 99.0, (2,), np.float64) for name in ("place", "speed")}
    )
    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float64)
    gain = 0.1
    numbers = itertools.count()

    def __init__(self, mass: float = 1.0) -> None:
        self.mass, self.ground, self.winds = mass, Ground(), [np.zeros(2), np.zeros(2)]
        self.number, self.episodes = next(self.numbers), 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.place, self.speed, self.left = self.np_random.uniform(-1, 1, 2), np.zeros(2), 20
        return self._get_obs(), {}

    def step(self, action: Any) -> Any:
        force = self.gain * np.asarray(action) / self.mass + self.winds[1]
        self.speed = (1 - self.ground.friction) * self.speed + force
        self.place, self.left = self.place + self.speed, self.left - 1
        self.episodes += self.left == 0
        return self._get_obs(), 0.0, self.left == 0, False, {}

    def _get_obs(self) -> dict[str, Any]:
        return {"place": self.place.copy(), "speed": self.speed.copy()}


if ID not in gym.registry:
    gym.register(ID, Puck)
register_symmetry(ID, Symmetry(SE2(), {"place": Point(), "speed": Vector()}, action=Vector()))


def used(**arguments: Any) -> gym.Env:
    """One that has run for some episodes."""
    env = RecordEpisodeStatistics(gym.make(ID, **arguments))
    for seed in range(3):
        env.reset(seed=seed)
        while not env.step(env.action_space.sample())[2]:
            pass
    return env


def still(self: Any, action: Any) -> Any:
    self.speed[:] = 0.0
    return self._get_obs(), 0.0, False, False, {}


def no_gain(puck: Any) -> None:
    puck.gain = 0.0


def heavy(puck: Any) -> None:
    puck.mass = 1e9


def calm(puck: Any) -> None:
    puck.gain, puck.ground.friction = 0.0, 0.9


def windy(puck: Any) -> None:
    puck.winds[1][:] = 5.0


def stopped(puck: Any) -> None:
    puck.step = still.__get__(puck)


EDITS = {no_gain: "gain", heavy: "mass", calm: "gain", windy: "winds.1", stopped: "step"}


@pytest.mark.parametrize("make", [lambda: gym.make(ID), used], ids=["new", "used"])
@pytest.mark.parametrize("edit", EDITS)
def test_data_are_those_of_the_environment_given(edit, make, tmp_path):
    env = make()
    edit(env.unwrapped)
    data = ew.collect(env, 60, seed=0, workers=1)
    fastest = np.abs(data.next_observation["speed"]).max()
    assert fastest > 5 if edit is windy else fastest < 1e-6
    assert ew.collect(env, 60, seed=0).fingerprint() == data.fingerprint()
    assert data.provenance["set_by_hand"] == EDITS[edit]
    said = "wrap it yourself" if make is used else rf"{EDITS[edit]} was set by hand"
    with pytest.raises(ArgumentError, match=rf"^provenance: .*{said}"):
        data.make_env()
    for more in ({"workers": 2}, {"folder": tmp_path}):
        with pytest.raises(ArgumentError, match=rf"^env: got {ID} whose {EDITS[edit]} was set by hand"):
            ew.collect(env, 60, seed=0, **more)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [{}, {"mass": 3.0}])
def test_what_an_environment_does_by_itself_is_no_edit(arguments, tmp_path):
    """Its state, its counts, and what differs between any two: the same bits as of one that is made."""
    fresh = ew.collect(gym.make(ID, **arguments), 60, seed=0, workers=1)
    assert np.abs(fresh.next_observation["speed"]).max() > 0.01
    for more in ({"workers": 1}, {"folder": tmp_path}, {"folder": tmp_path}):
        again = ew.collect(used(**arguments), 60, seed=0, **more)
        assert again.fingerprint() == fresh.fingerprint()
        assert "set_by_hand" not in again.provenance


def test_a_finished_folder_is_not_given_for_what_was_edited(tmp_path):
    whole = ew.collect(ID, 60, seed=0, folder=tmp_path)
    env = gym.make(ID)
    no_gain(env.unwrapped)
    with pytest.raises(ArgumentError, match=r"^env: got .*gain was set by hand"):
        ew.collect(env, 60, seed=0, folder=tmp_path)
    assert ew.collect(gym.make(ID), 60, seed=0, folder=tmp_path).fingerprint() == whole.fingerprint()


def test_a_simulators_model_that_was_edited_is_the_one_that_acts():
    pytest.importorskip("mujoco")
    from equiworld.envs.known import free_pusher

    def run(env: gym.Env) -> None:
        env.reset(seed=0)
        for _ in range(5):
            env.step(env.action_space.sample())

    env, freed = gym.make("Pusher-v5"), free_pusher(gym.make("Pusher-v5"))
    run(env)
    run(freed)
    plain = ew.collect(env, 30, seed=0, workers=1)
    assert plain.fingerprint() == ew.collect("Pusher-v5", 30, seed=0, workers=1).fingerprint()
    assert ew.collect(freed, 30, seed=0, workers=1).provenance["set_by_hand"].startswith("model.jnt_")
    with pytest.raises(ArgumentError, match=r"^env: got Pusher-v5 whose model\.jnt_\w+ was set by hand"):
        ew.collect(freed, 30, seed=0, workers=2)
    freed.unwrapped.model.opt.gravity[:] = (
        0.0,
        0.0,
        -30.0,
    )  # under which the arm falls, as it does not without
    fallen = ew.collect(freed, 30, seed=0, workers=1)
    assert fallen.fingerprint() != plain.fingerprint()
