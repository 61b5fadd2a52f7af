"""Calls are timed in turn, and their times compared within rounds."""

import time

import numpy as np
import pytest
import torch

from equiworld.benchmarks.suite.timing import median_ratio, race, summary, threads


def test_a_race_times_all_in_turn_and_each_begins_a_round():
    order = []
    times = race({"a": lambda r: order.append(("a", r)), "b": lambda r: order.append(("b", r))}, 2)
    assert order == [("a", 0), ("b", 0), ("a", 0), ("b", 0), ("b", 1), ("a", 1)]
    assert all(each.shape == (2,) and (each >= 0).all() for each in times.values())


def test_short_calls_are_repeated_within_a_round():
    count = [0, 0]

    def call(r):
        count[0] += 1

    def slow(r):
        count[1] += 1
        time.sleep(2e-3)

    times = race({"call": call, "slow": slow}, 3, window=1e-3, warm_up=5)
    assert count[0] > 100
    assert count[1] == 5 + 3 * 2 + 3
    assert 2.0 <= times["slow"].min() < 50.0
    assert times["call"].max() < 1.0


def test_a_race_ends_after_a_whole_round():
    times = race({"a": lambda r: time.sleep(5e-3), "b": lambda r: None}, 1000, limit=0.02)
    assert 1 <= len(times["a"]) == len(times["b"]) <= 5
    assert len(race({"a": lambda r: None}, 5, limit=0.0)["a"]) == 1


def test_ratios_are_taken_within_rounds():
    others = np.array([1.0, 10.0, 100.0, 1000.0])
    assert median_ratio(3.0 * others, others) == {"ratio": 3.0, "ratio_low": 3.0, "ratio_high": 3.0}
    assert summary(others) == {"median_ms": 55.0, "minimum_ms": 1.0, "repeats": 4}


def test_threads_are_restored_after_an_error():
    before = torch.get_num_threads()

    def fails():
        with threads(before + 1):
            assert torch.get_num_threads() == before + 1
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert torch.get_num_threads() == before
