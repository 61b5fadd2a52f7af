"""Certificates ask whether episodes end alike: where one has ended, nothing is left to be compared."""

from __future__ import annotations

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from equiworld.errors import ArgumentError
from equiworld.groups import O2
from equiworld.results import read_json
from equiworld.sb3 import symmetrise
from equiworld.symmetry import Point, Symmetry, Vector, register_symmetry, registry
from equiworld.verify.certificate import certify

SMALL = {"elements": 5, "episodes": 4, "steps": 12, "success": None}
DECLARED = Symmetry(O2(), {"place": Point()}, action=Vector())


class Meadow(gym.Env):
    """A point that one moves; episodes end past a fence that is far in x, or far from the centre.

    Args:
        fence: "straight", "round" or "late": straight, and asked only after the last step that is compared.
    """

    observation_space = spaces.Dict({"place": spaces.Box(-np.inf, np.inf, (2,), np.float64)})
    action_space = spaces.Box(-1.0, 1.0, (2,), np.float64)

    def __init__(self, fence: str) -> None:
        self.fence = fence

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.steps = self.np_random.uniform(-1.0, 1.0, 2), 0
        return self._get_obs(), {}

    def step(self, action):
        self.place, self.steps = self.place + np.asarray(action), self.steps + 1
        far = np.linalg.norm(self.place) if self.fence == "round" else self.place[0]
        ended = bool(far > 1.5) and (self.fence != "late" or self.steps == SMALL["steps"])
        return self._get_obs(), 0.0, ended, False, {}

    def _get_obs(self):
        return {"place": self.place.copy()}


class Outwards:
    def predict(self, obs, state=None, episode_start=None, deterministic=True):
        return 0.1 * obs["place"], state


class Northwards:
    """Prefers a direction of the world: the policy is at fault, in whatever world."""

    def predict(self, obs, state=None, episode_start=None, deterministic=True):
        return np.full_like(obs["place"], 0.1) * (0.0, 1.0), state


def move(env, g):
    env.unwrapped.place = g.act(env.unwrapped.place)


@pytest.fixture(autouse=True)
def declared(monkeypatch):
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    register_symmetry("Meadow", DECLARED, move)


def certified(fence, policy=None, **settings):
    return certify(policy or Outwards(), lambda: Meadow(fence), **{**SMALL, **settings})


@pytest.mark.parametrize("fence", ["straight", "late"])
def test_ends_that_break_the_symmetry_fail_though_nothing_deviates(fence):
    found = certified(fence)
    orbit = found.orbit("active")
    assert found.max_deviation < 1e-12
    assert orbit.end_differs.any()
    assert not orbit.end_differs[0].any()  # run again unturned
    assert not found.passed
    assert "episodes ended after another step than unturned, at elements " in str(found)
    first = int(np.argwhere(orbit.end_differs)[0, 0])
    assert f"the first, element {first} and seed " in str(found)
    assert "episodes ended otherwise" in found.verdict


def test_ends_that_keep_it_pass():
    found = certified("round")
    orbit = found.orbit("active")
    assert found.passed
    assert (orbit.end_step > 0).any()
    assert (orbit.end_step == orbit.reference_end_step).all()
    assert "ended" not in str(found)


def test_the_world_is_blamed_for_its_ends_and_not_for_those_of_a_policy():
    found = certified("straight")
    assert found.orbit("active").world_ends_that_differ > 0
    assert "the world does not carry the symmetry" in str(found)
    with pytest.raises(ArgumentError, match=r"ends [1-9]\d* episodes otherwise"):
        symmetrise(Outwards(), Meadow("straight"), certificate=found)
    partial = certified("round", Northwards())
    assert partial.orbit("active").end_differs.any()
    assert partial.orbit("active").world_ends_that_differ == 0
    assert "the world carries the symmetry, the policy does not" in str(partial)


def test_ends_that_are_not_claimed_are_noted_and_fail_nothing():
    open_ended = replace(DECLARED, reward=False)
    found = certified("straight", symmetry=open_ended)
    assert found.passed
    assert any("ended after another step than unturned" in note for note in found.notes)
    assert not certified("round", symmetry=open_ended).notes


def test_starts_that_were_refused_are_not_taken_for_ends():
    class Narrow(Meadow):
        def reset(self, *, seed=None, options=None):
            _, info = super().reset(seed=seed)
            g = (options or {}).get("group_element")
            self.place = self.place if g is None else g.act(self.place)
            if self.place[0] > 0.9:
                raise ValueError("outside")
            return self._get_obs(), info

    register_symmetry("Narrow", DECLARED)
    orbit = certify(Outwards(), lambda: Narrow("round"), **{**SMALL, "elements": 12}).orbit("active")
    assert orbit.refused
    assert not orbit.end_differs.any()


def test_ends_are_saved_by_episode(tmp_path):
    found = certified("straight")
    told = read_json(found.save(tmp_path / "certificate.json"))
    orbit = found.orbit("active")
    mode = told["config"]["modes"]["active"]
    assert mode["ends_that_differ"] == int(orbit.end_differs.sum())
    assert mode["world_ends_that_differ"] == orbit.world_ends_that_differ
    ends = [-1 if row["end_step"] is None else row["end_step"] for row in told["rows"]]
    assert ends == [*orbit.reference_end_step, *orbit.end_step.ravel()]
