"""The test in law: its level, its power, and what it says of policies whose law is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import energy_distance, permutation_test

from equiworld.benchmarks.questions.law import Law, energy_test
from equiworld.benchmarks.suite.question import Plan
from equiworld.benchmarks.suite.store import Store


def test_the_distance_is_scipys_and_so_is_the_p():
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.0, 1.0, (30, 1)), rng.normal(0.4, 1.5, (30, 1))
    distance, p = energy_test(first, second, 1999, rng)
    assert distance == pytest.approx(energy_distance(first[:, 0], second[:, 0]) ** 2)
    theirs = permutation_test(
        (first[:, 0], second[:, 0]),
        energy_distance,
        alternative="greater",
        n_resamples=1999,
        vectorized=False,
    )
    assert p == pytest.approx(theirs.pvalue, abs=0.03)


def test_equal_laws_are_called_different_as_often_as_the_level_says():
    rng = np.random.default_rng(1)
    ps = np.array([energy_test(*rng.normal(size=(2, 20, 2)), 99, rng)[1] for _ in range(400)])
    assert 0.025 <= (ps <= 0.05).mean() <= 0.085
    assert 0.4 <= ps.mean() <= 0.6


@pytest.mark.parametrize(
    "change",
    [
        lambda drawn: drawn + 1.0,
        lambda drawn: drawn * 3.0,
        lambda drawn: drawn * [3.0, 1.0 / 3.0],
        lambda drawn: np.sign(drawn),
    ],
)
def test_other_laws_are_told_apart(change):
    rng = np.random.default_rng(2)
    ps = [
        energy_test(rng.normal(size=(64, 2)), change(rng.normal(size=(64, 2))), 199, rng)[1]
        for _ in range(20)
    ]
    assert np.mean(np.array(ps) < 0.05) > 0.7


@pytest.mark.slow
def test_a_plain_model_without_the_door_is_found_out_and_nobody_else(tmp_path):
    asked = Law(scale="small", tasks=4, draws=32, permutations=199)
    said = {}
    for cell in asked.cells(Plan(worlds=("pusht",), seeds=1)):
        for row in asked.answer(cell, Store(tmp_path)):
            said[cell.arm, cell.point["door"], row["at"]] = row
    assert said.pop(("plain", False, "g"))["verdict"] == "differ"
    assert all(row["p_all"] > 1e-3 for row in said.values()), said  # eight tests: one may well be below .05
    assert (
        said["plain", True, "g"]["apart_same_noise"]
        < 1e-9
        < 1.0
        < said["plain", True, "g"]["apart_other_noise"]
    )
    assert (
        said["equivariant", False, "g"]["apart_same_noise"] > 1.0
    )  # its noise is drawn along the world's axes
