"""Recorded episodes become the transitions that they are, or are refused by name; splits share no episode."""

from __future__ import annotations

import copy
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_cases import SYMMETRIES, random_episodes

import equiworld as ew
from equiworld.cli import main
from equiworld.errors import ArgumentError, OverlapError
from equiworld.symmetry import Point, Symmetry, Vector
from equiworld.training import Dataset, check_disjoint

KEYS = SYMMETRIES["keys"]
PUSHT = "equiworld/PushT-v0"


def recorded(lengths: list[int], seed: int = 0, symmetry: Symmetry = KEYS, **settings: Any) -> Dataset:
    return Dataset.from_episodes(symmetry, random_episodes(symmetry, lengths, seed)[0], **settings)


# ------------------------------------------------------------------------------------------------- episodes


@pytest.mark.parametrize("kind", SYMMETRIES)
def test_transitions_are_neighbouring_rows(kind):
    symmetry = SYMMETRIES[kind]
    episodes, fields = random_episodes(symmetry, [3, 1, 5])
    data = Dataset.from_episodes(symmetry, episodes, action_repeat=4)
    assert (len(data), data.action_repeat, data.symmetry) == (9, 4, symmetry)
    assert set(data.observation) == set(symmetry.state) == {"hand", "speed", "turn", "mass"}
    for name in symmetry.state:
        assert np.array_equal(data.observation[name], np.concatenate([each[name][:-1] for each in fields]))
        assert np.array_equal(
            data.next_observation[name], np.concatenate([each[name][1:] for each in fields])
        )
    assert np.array_equal(data.action, np.concatenate([each["action"] for each in episodes]))
    assert [len(set(part)) for part in np.split(data.episode, [3, 4])] == [1, 1, 1]
    assert len(set(data.episode)) == 3


def test_recorded_by_hand_is_collected(tmp_path):
    """Another way to the same numbers: an environment stepped in a loop as a user would."""
    env, rng, episodes = gym.make(PUSHT), np.random.default_rng(0), []
    for seed in range(3):
        observation, _ = env.reset(seed=seed)
        seen, done = [observation], []
        for _ in range(4):
            action = rng.uniform(-30, 30, 2)
            seen.append(env.step(action)[0])
            done.append(action)
        episodes.append(
            {
                "observation": {key: np.stack([each[key] for each in seen]) for key in observation},
                "action": done,
            }
        )
    data = Dataset.from_episodes(ew.symmetry_of(env), episodes, provenance={"environment": PUSHT})
    for row in range(len(data)):
        seed, step = divmod(row, 4)
        observation, _ = env.reset(seed=seed)
        for action in data.action[4 * seed : row]:
            observation = env.step(action)[0]
        following = env.step(data.action[row])[0]
        for name in data.observation:
            assert np.array_equal(data.observation[name][row], observation[name]), (step, name)
            assert np.array_equal(data.next_observation[name][row], following[name]), (step, name)
    again = Dataset.load(data.save(tmp_path / "data"))
    assert again.fingerprint() == data.fingerprint()
    assert again.make_env().spec.id == PUSHT


def test_goals_and_what_is_not_asked_for_may_be_there_or_not():
    episodes, _ = random_episodes(KEYS, [3, 2])
    whole = Dataset.from_episodes(KEYS, episodes)
    for each in episodes:
        del each["observation"]["target"]
    assert Dataset.from_episodes(KEYS, iter(episodes)).fingerprint() == whole.fingerprint()
    for each in episodes:
        each["reward"] = np.full(7, np.nan)
        each["observation"]["camera"] = "a film"
    with pytest.raises(ArgumentError, match=r"episodes\[0\]: got the undeclared key 'reward'.*extra_keys"):
        Dataset.from_episodes(KEYS, episodes)
    ignored = Dataset.from_episodes(KEYS, episodes, extra_keys="ignore")
    assert ignored.fingerprint() == whole.fingerprint()
    with pytest.raises(ArgumentError, match="extra_keys: got 'maybe'"):
        Dataset.from_episodes(KEYS, episodes, extra_keys="maybe")  # type: ignore[arg-type]


def test_single_precision_stays_where_all_of_it_is():
    symmetry = Symmetry(ew.SE2(), {"pos": Point(), "vel": Vector()}, action=Vector())
    one = {"pos": np.ones((2, 2), np.float32), "vel": np.zeros((2, 2), np.float32)}
    single = Dataset.from_episodes(symmetry, [{"observation": one, "action": np.zeros((1, 2), np.float32)}])
    assert {array.dtype.name for array in (*single.observation.values(), single.action)} == {"float32"}
    for action in (np.zeros((1, 2)), [[0, 0]], torch.zeros(1, 2, dtype=torch.int64)):
        double = Dataset.from_episodes(symmetry, [{"observation": one, "action": action}])
        assert {array.dtype.name for array in (*double.observation.values(), double.action)} == {"float64"}
        assert double.episode.tolist() == single.episode.tolist()  # the same recording


def test_a_recording_is_known_again():
    first, second = recorded([4, 3], seed=0), recorded([4, 3], seed=1)
    check_disjoint(first=first, second=second)
    for again in (recorded([4, 3], seed=0), first.transform(ew.SE2().rotation(0.7))):
        with pytest.raises(OverlapError, match=r"share (2 episodes|7 transitions)"):
            first.check_disjoint(again=again)
    both = Dataset.concatenate([first, second])
    assert len(set(both.episode)) == 4


# -------------------------------------------------------------------------------------- what is refused


def changed(change: Any) -> list[Any]:
    episodes, _ = random_episodes(KEYS, [3, 5])
    change(episodes[1])
    return episodes


def put(value: Any, *keys: str) -> Any:
    def change(episode: Any) -> None:
        for key in keys[:-1]:
            episode = episode[key]
        episode[keys[-1]] = value

    return change


NAN = np.where(np.arange(12).reshape(6, 2) == 7, np.nan, 0.0)
HAND = ("observation", "hand")
REFUSED = {
    "T rows": (put(np.zeros((5, 2)), *HAND), r"'\]\['hand'\]: got shape \(5, 2\); expected .*\(6, 2\): T \+ 1"),
    "T + 2 rows": (put(np.zeros((7, 2)), *HAND), r"got shape \(7, 2\); expected shape \(6, 2\)"),
    "size": (put(np.zeros((6, 3)), *HAND), r"\['hand'\]: got shape \(6, 3\); expected shape \(…, 2\)"),
    "one row": (put(np.zeros(2), *HAND), r"\['hand'\]: got shape \(2,\); expected shape \(rows, 2\)"),
    "NaN": (put(NAN, *HAND), r"\['hand'\]: got NaN or infinity in row\(s\) \[3\]"),
    "infinity": (put(np.full((5, 2), np.inf), "action"), r"\['action'\]: got NaN or infinity"),
    "text": (put(np.full((6, 2), "x"), *HAND), r"\['hand'\]: got dtype <U1; expected real numbers"),
    "bool": (put(np.ones((6, 2), bool), *HAND), r"\['hand'\]: got dtype bool"),
    "complex": (put(np.ones((6, 2), complex), *HAND), r"\['hand'\]: got dtype complex128"),
    "ragged": (put([[1.0, 2.0], [1.0]], *HAND), r"\['hand'\]: got a ragged sequence"),
    "masked": (put(np.ma.masked_less(np.zeros((6, 2)), 1), *HAND), r"\['hand'\]: got an array with 12 masked"),
    "None": (put(None, *HAND), r"\['hand'\]: got shape \(\)"),
    "no action": (lambda each: each.pop("action"), r"episodes\[1\]: got no key 'action'"),
    "no field": (lambda each: each["observation"].pop("mass"), r"\['observation'\]: got no key 'mass'"),
    "no steps": (put(np.zeros((0, 2)), "action"), r"\['action'\]: got no rows; expected at least one"),
    "one array": (put(np.zeros((6, 9)), "observation"), r"\['observation'\]: got a ndarray; expected a mapping"),
    "size of actions": (put(np.zeros((5, 3)), "action"), r"\['action'\]: got shape \(5, 3\)"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_named(case):
    change, message = REFUSED[case]
    with pytest.raises(ArgumentError, match=message) as caught:
        Dataset.from_episodes(KEYS, changed(change))
    assert str(caught.value).startswith("episodes[1]")
    Dataset.from_episodes(KEYS, changed(lambda episode: None))  # negative control


@pytest.mark.parametrize(
    ("symmetry", "episodes", "message"),
    [
        (KEYS, [], "episodes: got none; expected at least one"),
        (KEYS, None, "episodes: got a NoneType"),
        (KEYS, "abc", "episodes: got a str"),
        (KEYS, random_episodes(KEYS, [2])[0][0], "episodes: got a dict; expected several"),
        (KEYS, [[1, 2]], r"episodes\[0\]: got a list; expected a mapping"),
        ("Reacher-v5", [], "symmetry: got a str; expected a Symmetry"),
        (SYMMETRIES["flat"], random_episodes(KEYS, [2])[0], r"\['observation'\]: got a mapping with keys"),
    ],
)
def test_what_are_no_episodes_is_said(symmetry, episodes, message):
    with pytest.raises(ArgumentError, match=message):
        Dataset.from_episodes(symmetry, episodes)


def test_a_provenance_that_no_file_can_hold_is_refused_at_once():
    with pytest.raises(ArgumentError, match=r"provenance\.robot: got object"):
        recorded([2], provenance={"robot": object()})
    with pytest.raises(ArgumentError, match="provenance: got list"):
        recorded([2], provenance=[1])
    assert recorded([2], provenance={"robot": np.int64(3)}).provenance["robot"] == 3


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(max_size=3),
    st.just(object()),
    st.lists(st.one_of(st.floats(), st.lists(st.floats(), max_size=3)), max_size=4),
    st.dictionaries(st.text(max_size=2), st.floats(), max_size=2),
    st.tuples(
        st.integers(0, 7), st.integers(0, 4), st.sampled_from(["f4", "f8", "i8", "O", "U1", "?", "M8[s]"])
    ).map(lambda drawn: np.zeros(drawn[:2], drawn[2])),
)


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(list(SYMMETRIES)),
    place=st.sampled_from(["episodes", "episode", "observation", "action", "key", "extra"]),
    junk=JUNK,
)
def test_junk_anywhere_is_refused_or_right(kind, place, junk):
    symmetry = SYMMETRIES[kind]
    episodes: Any = copy.deepcopy(random_episodes(symmetry, [3, 2])[0])
    shown = episodes[1]["observation"]
    if place == "episodes":
        episodes = junk
    elif place == "episode":
        episodes[1] = junk
    elif place == "key" and isinstance(shown, dict):
        shown["speed"] = junk
    elif place == "extra" and isinstance(shown, dict):
        shown[junk if isinstance(junk, str | int | None) else "x"] = junk
    else:
        episodes[1]["action" if place == "action" else "observation"] = junk
    try:
        data = Dataset.from_episodes(symmetry, episodes)
    except ArgumentError:
        return
    assert len(data) >= 3
    assert all(np.isfinite(array).all() for array in data.observation.values())


# --------------------------------------------------------------------------------------------------- splits


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=3, max_size=25),
    shares=st.sampled_from([(0.8, 0.2), (0.8, 0.1, 0.1), (1 / 3, 1 / 3, 1 / 3), (0.1, 0.9)]),
    seed=st.integers(0, 5),
)
def test_parts_share_no_episode_and_leave_nothing_out(lengths, shares, seed):
    data = recorded(lengths)
    try:
        parts = data.split(shares, seed)
    except ArgumentError as error:
        assert "whole episode fits" in str(error)  # noqa: PT017
        return
    check_disjoint(**{f"part{index}": part for index, part in enumerate(parts)})
    assert sum(map(len, parts)) == len(data)
    assert set().union(*(part.episode for part in parts)) == set(data.episode)
    for part, share in zip(parts[1:], shares[1:], strict=True):
        assert 0 < len(part) <= share * len(data) * (1 + 1e-6)
        assert len(part) + max(lengths) > share * len(data) * (1 - 1e-6)  # another one would not have fitted
    assert all(
        one.fingerprint() == two.fingerprint()
        for one, two in zip(parts, data.split(shares, seed), strict=True)
    )


@pytest.mark.parametrize("count", range(10, 200, 10))
def test_shares_of_equal_episodes_are_met_exactly(count):
    data = recorded([3] * count)
    assert [len(part) for part in data.split((0.8, 0.1, 0.1))] == [
        24 * count // 10,
        3 * count // 10,
        3 * count // 10,
    ]


def test_a_split_within_episodes_is_found_out():
    """Negative control of the proof, and the seed does something."""
    data = recorded([6] * 10)
    with pytest.raises(OverlapError):
        check_disjoint(train=data.select(slice(0, 33)), test=data.select(slice(33, None)))
    assert data.split((0.5, 0.5), 0)[1].fingerprint() != data.split((0.5, 0.5), 1)[1].fingerprint()


@pytest.mark.parametrize(
    "shares",
    [(0.5, 0.4), (1.0,), (), (0.5, -0.5, 1.0), (0.5, float("nan")), 0.5, None, ("a", "b"), (True, 0.5)],
)
def test_shares_add_up(shares):
    with pytest.raises(ArgumentError, match="shares"):
        recorded([3] * 5).split(shares)


def test_an_empty_part_is_refused():
    with pytest.raises(
        ArgumentError, match=r"0\.01 of 15 transitions in 5 episodes; expected shares into each"
    ):
        recorded([3] * 5).split((0.99, 0.01))
    with pytest.raises(ArgumentError, match="seed"):
        recorded([3] * 5).split((0.5, 0.5), -1)


# -------------------------------------------------------------------------- models, without an environment


@pytest.mark.parametrize("kind", SYMMETRIES)
def test_a_model_of_recorded_data_is_trained_saved_and_plans(kind, tmp_path):
    symmetry = SYMMETRIES[kind]
    data = recorded([6] * 12, symmetry=symmetry)
    seen, unseen = data.split((0.75, 0.25))
    model = ew.train(ew.WorldModel.for_data(seen), seen, ew.TrainingConfig(steps=5, batch_size=16))
    loaded = ew.WorldModel.load(model.save(tmp_path))
    found = [ew.prediction_error(each, unseen, trained_on=seen) for each in (model, loaded)]
    assert found[0] == found[1]
    assert np.isfinite(found[0].relative)
    observation = random_episodes(symmetry, [1], seed=3)[0][0]["observation"]
    first = (
        {key: array[0] for key, array in observation.items()}
        if isinstance(observation, dict)
        else observation[0]
    )
    cost = lambda state, channels, goal, goal_channels: state.select(channels["speed"])[..., 0].norm(dim=-1)  # noqa: E731
    policy = ew.MPCPolicy(loaded, ew.planners.CEM(samples=16), task=ew.planners.Task(cost=cost))
    action, _ = policy.predict(first)
    assert np.linalg.norm(action) <= np.linalg.norm(seen.action, axis=-1).max() * (1 + 1e-5)


def test_the_command_line_trains_without_an_environment_and_evaluates_with_one(tmp_path, capsys):
    file = recorded([6] * 12).save(tmp_path / "mine.safetensors")
    words = ["--out", str(tmp_path / "model"), "--steps", "3", "--batch-size", "16", "--no-progress"]
    assert main(["train", "--data", str(file), *words]) == 0, capsys.readouterr().err
    assert "model of unregistered" in capsys.readouterr().out
    for command in ("evaluate", "certify"):
        assert main([command, "--model", str(tmp_path / "model"), "--quick"]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "--env module:id" in error
    assert main(["train", "--data", str(file), *words, "--env-arguments", "{}"]) == 2
    assert "--env too" in capsys.readouterr().err
    assert main(["train", "--data", str(tmp_path / "nothing"), *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1
