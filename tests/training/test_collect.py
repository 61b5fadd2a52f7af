"""Collecting: the same bits however it is done, interrupted or not, and nothing wrong among them."""

from __future__ import annotations

import importlib
import random

import gymnasium as gym
import numpy as np
import plane_env
import pytest
import torch

import equiworld.envs  # noqa: F401  registers PushT
from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.env import PushTEnv
from equiworld.envs.pusht.exploration import PushExploration
from equiworld.envs.pusht.simulation import PushTState
from equiworld.errors import ArgumentError, CheckpointError, SimulationError, UnknownNameError
from equiworld.symmetry.holding import held_action
from equiworld.training import Dataset, collect

module = importlib.import_module("equiworld.training.collect")
PUSHT = "equiworld/PushT-v0"


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of 50 transitions, for which waiting is no pleasure."""
    monkeypatch.setattr(module, "CHUNK", 50)


@pytest.fixture(autouse=True)
def _quiet_plane():
    plane_env.Counter.reset()
    yield
    plane_env.Counter.reset()


def same(one: Dataset, other: Dataset) -> bool:
    return one.fingerprint() == other.fingerprint() and dict(one.provenance) == dict(other.provenance)


# ------------------------------------------------------------------------------------- what is collected


def test_transitions_are_those_of_the_environment(pusht_data):
    """Each first transition, stepped again from its state by hand, gives the same bits."""
    env = gym.make(PUSHT, walls=False)
    first = np.flatnonzero(np.r_[True, np.diff(pusht_data.episode) != 0])[:20]
    for row in first:
        now = {name: array[row] for name, array in pusht_data.observation.items()}
        block = (*now["block_pos"], now["block_heading"][0])
        state = PushTState(tuple(now["agent_pos"]), (0.0, 0.0), block, (256.0, 256.0, 0.0))
        before = observation = env.reset(options={"state": state})[0]
        assert now["agent_vel"].tolist() == [0.0, 0.0]
        for _ in range(pusht_data.action_repeat):
            action = held_action(pusht_data.symmetry, pusht_data.action[row], before, observation)
            observation = env.step(action)[0]
        for name, array in pusht_data.next_observation.items():
            assert np.array_equal(array[row], observation[name]), name


def test_episodes_are_chains(pusht_data):
    same_episode = pusht_data.episode[1:] == pusht_data.episode[:-1]
    assert 0.5 < same_episode.mean() < 1
    for name in pusht_data.observation:
        after, before = pusht_data.next_observation[name][:-1], pusht_data.observation[name][1:]
        assert np.array_equal(after[same_episode], before[same_episode])
        assert not np.array_equal(after[~same_episode], before[~same_episode])
    assert len(pusht_data) == 500
    assert set(pusht_data.observation) == set(pusht_data.symmetry.state)
    _, counts = np.unique(pusht_data.episode, return_counts=True)
    assert counts.max() <= 6


def test_provenance_says_how(pusht_data):
    assert pusht_data.provenance["environment"] == PUSHT
    assert pusht_data.provenance["arguments"] == {"walls": "False"}
    assert pusht_data.provenance["seed"] == 0
    assert "gym-pusht" in pusht_data.provenance["versions"]


@pytest.mark.parametrize("walls", [True, False])
def test_no_start_has_the_agent_in_the_block_or_the_block_in_a_wall(walls):
    exploration = PushExploration(walls=walls, headings=(-0.5, 0.5))
    rng = np.random.default_rng(0)
    for _ in range(500):
        state = exploration.start(rng)["state"]
        pose = np.array(state.block)
        gap = geometry.distance_to_block(np.array(state.agent_pos), pose) - geometry.AGENT_RADIUS
        assert 1.0 <= gap <= 35.0
        assert abs(state.block[2]) <= 0.5
        assert not walls or geometry.wall_gap(pose) > 0
        assert exploration.is_free(state)


def test_an_environment_that_reuses_its_arrays_is_no_trap():
    """Also the default exploration: resets, and samples of the action space."""
    data = collect(plane_env.ID, 60, workers=1)
    assert np.allclose(data.next_observation["place"], data.observation["place"] + data.action, atol=1e-15)
    assert np.array_equal(data.next_observation["speed"], data.action)
    assert not np.array_equal(data.observation["place"], data.next_observation["place"])
    _, counts = np.unique(data.episode, return_counts=True)
    assert set(counts[:-1]) <= {7, 4}
    assert np.abs(data.action).max() <= 1


@pytest.mark.parametrize(("repeat", "per_episode"), [(1, 7), (2, 3), (3, 2), (7, 1)])
def test_an_action_cut_short_by_the_end_is_left_out(repeat, per_episode):
    """The toy refuses steps after the end, and seven steps are no multiple of two."""
    data = collect(plane_env.ID, 12 * per_episode, action_repeat=repeat, workers=1)
    moved = data.next_observation["place"] - data.observation["place"]
    assert np.allclose(moved, repeat * data.action, atol=1e-14)
    _, counts = np.unique(data.episode, return_counts=True)
    assert set(counts) == {per_episode}


def test_actions_longer_than_any_episode_are_refused():
    with pytest.raises(SimulationError, match=r"action_repeat: got 8; expected less: no episode lasts"):
        collect(plane_env.ID, 10, action_repeat=8, workers=1)


# ------------------------------------------------------------------------------------------- the same bits


def test_one_seed_means_one_set_of_bits_for_any_number_of_workers(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 60)
    one, two = (collect(PUSHT, 150, seed=3, workers=workers) for workers in (1, 2))
    assert same(one, two)
    assert one.fingerprint() != collect(PUSHT, 150, seed=4, workers=1).fingerprint()


@pytest.mark.usefixtures("small_chunks")
def test_more_data_begins_with_the_same_data():
    few, many = collect(PUSHT, 50, workers=1), collect(PUSHT, 110, workers=1)
    assert same(many.select(slice(0, 50)), few)


def test_the_global_generators_are_left_alone():
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    collect(PUSHT, 30, workers=1)
    collect(plane_env.ID, 30, workers=1)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    assert before[2] == random.getstate()


def test_an_environment_and_its_id_are_the_same_and_it_is_left_as_it_was():
    env = gym.make(PUSHT)
    observation, _ = env.reset(seed=5)
    assert same(collect(env, 40, workers=1), collect(PUSHT, 40, workers=1))
    assert np.array_equal(env.unwrapped.get_state().agent_pos, observation["agent_pos"])


# -------------------------------------------------------------------------------------------- interruption


class Interrupted(PushExploration):
    """Stops the whole run at one of its actions."""

    calls, stop_at = 0, 0

    def action(self, rng, observation):
        type(self).calls += 1
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        return super().action(rng, observation)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("stop_at", [1, 50, 51, 137])
def test_resumed_is_uninterrupted(tmp_path, stop_at):
    whole = collect(PUSHT, 170, seed=1, exploration=Interrupted(), workers=1)
    Interrupted.calls, Interrupted.stop_at = 0, stop_at
    with pytest.raises(KeyboardInterrupt):
        collect(PUSHT, 170, seed=1, exploration=Interrupted(), workers=1, folder=tmp_path)
    Interrupted.stop_at = 0
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(kept) == (stop_at - 1) // 50
    resumed = collect(PUSHT, 170, seed=1, exploration=Interrupted(), workers=1, folder=tmp_path)
    assert same(resumed, whole)
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.usefixtures("small_chunks")
def test_finished_chunks_serve_a_longer_run(tmp_path):
    collect(plane_env.ID, 100, folder=tmp_path, workers=1)
    before = plane_env.Counter.steps
    data = collect(plane_env.ID, 200, folder=tmp_path, workers=1)
    assert plane_env.Counter.steps == before + 100
    assert same(data, collect(plane_env.ID, 200, workers=1))


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 1},
        {"action_repeat": 3},
        {"steps_per_start": 5},
        {"transitions": 90},
        {"dtype": "float32"},
        {"exploration": PushExploration(gap=(2.0, 30.0))},
        {"env": gym.make(PUSHT, walls=False)},
        {"env": plane_env.ID, "exploration": None},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_folder_of_other_settings_is_refused(tmp_path, changed):
    settings = {"env": PUSHT, "transitions": 70, "exploration": PushExploration(), "workers": 1}
    whole = collect(**settings, folder=tmp_path)
    with pytest.raises(ArgumentError, match=r"folder: got .*chunk-0000\d\.safetensors, collected with other"):
        collect(**(settings | changed), folder=tmp_path)
    assert same(collect(**settings, folder=tmp_path), whole)


def test_a_damaged_chunk_is_named(tmp_path):
    collect(PUSHT, 30, workers=1, folder=tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(CheckpointError, match=r"chunk-00000\.safetensors is cut off"):
        collect(PUSHT, 30, workers=1, folder=tmp_path)


# -------------------------------------------------------------------------------------------------- errors


@pytest.mark.usefixtures("small_chunks")
def test_a_crash_in_mid_episode_keeps_the_chunks_before_it(tmp_path):
    plane_env.Counter.reset(fail_at=133)
    with pytest.raises(
        SimulationError, match=r"test/MisbehavingPlane-v0 failed after 32 .*chunk 2.*ZeroDivisionError"
    ):
        collect(plane_env.ID, 200, workers=1, folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    plane_env.Counter.reset()
    data = collect(plane_env.ID, 200, workers=1, folder=tmp_path)
    assert plane_env.Counter.steps == 100
    assert same(data, collect(plane_env.ID, 200, workers=1))


@pytest.mark.usefixtures("small_chunks")
def test_a_crash_in_a_worker_is_told():
    with pytest.raises(SimulationError, match=r"equiworld/PushT-v0 failed .*chunk .*OverflowError"):
        collect(PUSHT, 100, workers=2, exploration=PushExploration(lengths=(150.0, float("nan"))))


@pytest.mark.parametrize("nan_at", [1, 17])
def test_what_is_not_finite_is_refused(tmp_path, nan_at):
    plane_env.Counter.reset(nan_at=nan_at)
    with pytest.raises(
        SimulationError, match=r"test/MisbehavingPlane-v0 gave NaN or infinity as place in chunk 0"
    ):
        collect(plane_env.ID, 30, workers=1, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_unknown_environments_list_the_known_ones():
    with pytest.raises(UnknownNameError, match=r"PushT-v1.*did you mean.*PushT-v0.*register_symmetry"):
        collect("equiworld/PushT-v1", 10)
    with pytest.raises(UnknownNameError, match=r"CartPole-v1.*equiworld/PushT-v0.*gym_pusht/PushT-v0"):
        collect("CartPole-v1", 10)
    with pytest.raises(UnknownNameError, match="CartPole-v1"):
        collect(gym.make("CartPole-v1"), 10)


def test_an_environment_that_cannot_be_made_again_is_refused():
    with pytest.raises(ArgumentError, match=r"env: got .*gym\.make"):
        collect(PushTEnv(), 10)


@pytest.mark.parametrize("name", ["transitions", "action_repeat", "steps_per_start", "workers"])
@pytest.mark.parametrize("value", [0, -3])
def test_counts_are_positive(name, value):
    with pytest.raises(ArgumentError, match=f"{name}: got {value}; expected a positive integer"):
        collect(PUSHT, **({"transitions": 10} | {name: value}))


def test_only_floating_dtypes_are_kept():
    with pytest.raises(ArgumentError, match=r"dtype: got 'int8'.*options: float64, float32"):
        collect(PUSHT, 10, dtype="int8")


def test_progress_goes_to_standard_error_only(capfd):
    collect(PUSHT, 20, workers=1, progress=True)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "20" in shown.err
    collect(PUSHT, 20, workers=1)
    assert capfd.readouterr() == ("", "")
