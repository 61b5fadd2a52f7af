"""Planners of one environment each, as a policy: what passes through is checked, and belongs to who is handed it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from equiworld.errors import ArgumentError
from equiworld.planners import PerEnvironment

SEEN = {"place": np.zeros((3, 2))}


class Counting:
    """Acts by the number of its steps, and fills one buffer again and again."""

    def __init__(self) -> None:
        self.action = np.zeros(2)

    def reset(self, seed: int) -> None:
        self.action[:] = 0

    def __call__(self, observation: Any) -> np.ndarray:
        self.action += 1
        return self.action


class Fixed(Counting):
    """Answers what it was made with."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def reset(self, seed: int) -> None:
        pass

    def __call__(self, observation: Any) -> Any:
        return self.answer


@pytest.mark.parametrize("seen", [SEEN, {"place": np.zeros(2)}], ids=["batch", "one"])
def test_an_action_that_was_returned_stays_as_it_is(seen) -> None:
    policy = PerEnvironment(Counting)
    first, state = policy.predict(seen)
    second, _ = policy.predict(seen, state)
    assert (first == 1).all()
    assert (second == 2).all()


def test_episodes_begin_where_it_is_said() -> None:
    policy = PerEnvironment(Counting)
    _, state = policy.predict(SEEN)
    for starts, expected in (
        ([False, True, False], [2, 1, 2]),
        (None, [3, 2, 3]),
        (np.ones(3, int), [1, 1, 1]),
    ):
        actions, state = policy.predict(SEEN, state, starts)
        assert actions[:, 0].tolist() == expected


@pytest.mark.parametrize(
    ("starts", "told"),
    [
        ([True], r"shape \(1,\); expected shape \(3,\)"),
        (True, r"shape \(1,\)"),
        ([True, False], r"shape \(2,\)"),
        ([[True] * 3], r"shape \(1, 3\)"),
        (["no"] * 3, "dtype <U2; expected bools"),
        ([0.0, 1.0, 0.0], "dtype float64"),
    ],
    ids=str,
)
def test_episode_starts_are_a_bool_for_each_environment(starts, told) -> None:
    policy = PerEnvironment(Counting)
    _, state = policy.predict(SEEN)
    for before in (None, state):
        with pytest.raises(ArgumentError, match=f"episode_start: got {told}"):
            policy.predict(SEEN, before, starts)
    one = {"place": np.zeros(2)}
    assert policy.predict(one, None, True)[0].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("state", [3, "state", (), (1, 2), (3,), ((1, 2, 3),), {"members": ()}], ids=repr)
def test_states_are_what_was_returned(state) -> None:
    with pytest.raises(
        ArgumentError, match=r"state: got a .*; expected what the last call returned, or None"
    ):
        PerEnvironment(Counting).predict(SEEN, state)


def test_a_state_of_another_number_of_environments_is_refused() -> None:
    policy = PerEnvironment(Counting)
    _, state = policy.predict({"place": np.zeros((2, 2))})
    with pytest.raises(ArgumentError, match="state: got of 2 environments; expected one of 3"):
        policy.predict(SEEN, state)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (np.array([np.nan, 0.0]), "NaN or infinity"),
        (None, "dtype object; expected real numbers"),
        ("left", "dtype <U4"),
        (np.zeros((1, 2)), r"one whose members' actions are of shape \(1, 2\)"),
        (1.0, r"one whose members' actions are of shape \(\)"),
    ],
    ids=repr,
)
def test_actions_are_finite_numbers(answer, told) -> None:
    with pytest.raises(ArgumentError, match=f"factory: got {told}"):
        PerEnvironment(lambda: Fixed(answer)).predict(SEEN)
    assert PerEnvironment(lambda: Fixed([1, 2])).predict(SEEN)[0].dtype == np.float64


def test_actions_are_all_of_one_size() -> None:
    sizes = iter([2, 3, 2])
    with pytest.raises(ArgumentError, match=r"of shape \(2,\), \(3,\); expected actions"):
        PerEnvironment(lambda: Fixed(np.zeros(next(sizes)))).predict(SEEN)
