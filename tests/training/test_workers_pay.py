"""Workers are asked for, or pay; what they need is imported there; where they cannot help, one process goes on."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import plane_env
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joblib.externals.loky import get_reusable_executor

from equiworld.errors import ArgumentError
from equiworld.groups import SO2
from equiworld.symmetry import Symmetry, Vector, register_symmetry
from equiworld.training import collect
from equiworld.training.workers import START, UnfitForWorkers, cores, in_workers, pay

module = importlib.import_module("equiworld.training.collect")


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 20)
    plane_env.Counter.reset()


@pytest.fixture
def asked(monkeypatch) -> list[tuple[int, int]]:
    """How many jobs were given to how many workers; done in this process instead."""
    found: list[tuple[int, int]] = []

    def instead(function: Any, jobs: Any, workers: int) -> Any:
        found.append((len(jobs), workers))
        return map(function, jobs)

    monkeypatch.setattr(module, "in_workers", instead)
    monkeypatch.setattr(module, "cores", lambda: 4)
    return found


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_only_the_processors_that_it_may_use_are_counted():
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert cores() == len(allowed)


@given(seconds=st.floats(0, 1e4), jobs=st.integers(0, 1000), workers=st.integers(1, 64))
def test_workers_pay_where_they_save_more_than_they_cost(seconds, jobs, workers):
    alone, together = seconds * jobs, seconds * -(-jobs // workers)
    assert pay(seconds, jobs, workers) == (alone - together > START)
    assert not pay(seconds, jobs, 1)
    assert not pay(seconds, 1, workers)


def test_a_cheap_environment_needs_no_workers(asked):
    data = collect(plane_env.ID, 110)
    assert asked == []
    assert data.fingerprint() == collect(plane_env.ID, 110, workers=1).fingerprint()


def test_a_slow_one_gets_them_for_what_is_left_and_the_data_is_the_same(asked, monkeypatch):
    monkeypatch.setattr(module, "pay", lambda seconds, jobs, workers: jobs <= 4)
    data = collect(plane_env.ID, 110)
    assert asked == [(4, 4)]
    assert data.fingerprint() == collect(plane_env.ID, 110, workers=1).fingerprint()


def test_who_asks_for_workers_gets_them(asked):
    collect(plane_env.ID, 110, workers=3)
    collect(plane_env.ID, 30, workers=9)
    collect(plane_env.ID, 15, workers=9)
    assert asked == [(6, 3), (2, 2)]


def test_where_workers_cannot_help_this_process_goes_on(monkeypatch):
    def unfit(function: Any, jobs: Any, workers: int) -> Any:
        yield function(jobs[0])
        raise UnfitForWorkers.because("no such\nthing")

    monkeypatch.setattr(module, "in_workers", unfit)
    monkeypatch.setattr(module, "cores", lambda: 2)
    monkeypatch.setattr(module, "pay", lambda seconds, jobs, workers: jobs > 0)
    with pytest.warns(UserWarning, match=r"cannot make \(no such thing\).*going on in one process") as caught:
        data = collect(plane_env.ID, 110)
    assert len(caught) == 1
    assert data.fingerprint() == collect(plane_env.ID, 110, workers=1).fingerprint()
    with pytest.raises(ArgumentError, match=r"workers: got an environment that worker processes cannot make"):
        collect(plane_env.ID, 110, workers=2)


# ---------------------------------------------------------------------------------- real worker processes


MADE = """
import gymnasium as gym

def inner_and_outer():
    return gym.make("inner/Plane-v0", disable_env_checker=True).unwrapped
"""
ELSEWHERE = """
import gymnasium as gym

gym.register("inner/Plane-v0", entry_point="plane_env:Plane")
gym.register("elsewhere/Outer-v0", entry_point="made:inner_and_outer")
"""


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Any:
    """A module that registers an environment that is made of another one, which only this module registers."""
    (tmp_path / "made.py").write_text(MADE)
    (tmp_path / "elsewhere.py").write_text(ELSEWHERE)
    monkeypatch.syspath_prepend(str(tmp_path))
    get_reusable_executor().shutdown(wait=True)  # workers that were started before know another path
    symmetry = Symmetry(SO2(), {"place": Vector(), "speed": Vector()}, action=Vector())
    register_symmetry("elsewhere/Outer-v0", symmetry)
    yield
    for name in ("inner/Plane-v0", "elsewhere/Outer-v0"):
        gym.registry.pop(name, None)
    for name in ("made", "elsewhere"):
        sys.modules.pop(name, None)
    get_reusable_executor().shutdown(wait=True)


@pytest.mark.usefixtures("elsewhere")
def test_a_module_that_nobody_imports_is_missed():
    """Negative control, and what is said of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_imports", lambda env, instance: ())
        with pytest.raises(ArgumentError, match=r"worker processes cannot make \(N\w+: .*inner"):
            collect("elsewhere:elsewhere/Outer-v0", 90, workers=2)


@pytest.mark.usefixtures("elsewhere")
def test_the_module_that_an_id_names_is_imported_in_workers():
    data = collect("elsewhere:elsewhere/Outer-v0", 90, workers=2)
    assert np.array_equal(data.next_observation["speed"], data.action)
    assert data.fingerprint() == collect("elsewhere:elsewhere/Outer-v0", 90, workers=1).fingerprint()


class Locked:
    """An exploration that no process can be sent."""

    action_repeat, steps_per_start = 1, 5

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def start(self, rng: np.random.Generator) -> dict[str, Any]:
        return {}

    def action(self, rng: np.random.Generator, observation: Any) -> Any:
        return rng.uniform(-1, 1, 2)


def test_what_cannot_be_sent_is_said_and_needs_not_be_sent():
    with pytest.raises(ArgumentError, match=r"workers: got .*pickle.*expected 1"):
        collect(plane_env.ID, 90, exploration=Locked(), workers=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(collect(plane_env.ID, 90, exploration=Locked())) == 90


def test_results_come_in_order():
    assert list(in_workers(abs, [-3, 2, -1, 5], 2)) == [3, 2, 1, 5]
