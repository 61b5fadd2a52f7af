"""Arms on the same tasks: who solves more, and when that is a tie."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equiworld.benchmarks.suite.comparison import (
    SIGNIFICANT,
    compared,
    compared_tasks,
    mcnemar,
    paired_interval,
)
from equiworld.benchmarks.suite.rows import share
from equiworld.benchmarks.suite.tables import comparison_tables

MEASURES = ("success", "successes", "episodes", "tasks_solved")
OUTCOMES = st.integers(1, 4).flatmap(
    lambda seeds: st.integers(1, 30).flatmap(
        lambda tasks: st.tuples(
            *[st.lists(st.booleans(), min_size=seeds * tasks, max_size=seeds * tasks).map(
                lambda flat: np.reshape(flat, (seeds, tasks)).astype(bool)
            )] * 2
        )
    )
)  # fmt: skip


def rows_of(arms, paired=True, **where):
    found = []
    for arm, outcomes in arms.items():
        for seed, solved in enumerate(outcomes):
            text = {"tasks_solved": "".join("+" if each else "-" for each in solved)} if paired else {}
            row = {"question": "q", "world": "w", "arm": arm, "seed": seed, **where}
            found.append({**row, **share("success", int(solved.sum()), len(solved)), **text})
    return found


def one(arms, **more):
    (row,) = compared(rows_of(arms, **more), MEASURES)
    return row


@settings(deadline=None, max_examples=30)
@given(OUTCOMES)
def test_what_is_said_of_two_arms_is_said_of_them_the_other_way_round(pair):
    ours, theirs = pair
    forth, back = one({"a": theirs, "b": ours}), one({"a": ours, "b": theirs})
    assert forth["p"] == pytest.approx(back["p"])
    assert forth["difference"] == pytest.approx(-back["difference"])
    assert forth["difference_low"] == pytest.approx(-back["difference_high"], abs=0.05)
    assert {forth["verdict"], back["verdict"]} in ({"tie"}, {"more", "fewer"})
    assert forth["difference_low"] <= forth["difference"] + 1e-12 <= forth["difference_high"] + 2e-12


@pytest.mark.parametrize("paired", [True, False])
def test_equal_arms_are_a_tie_and_different_ones_are_not(paired):
    rng = np.random.default_rng(0)
    half = rng.random((3, 100)) < 0.5
    row = one({"a": half, "b": half}, paired=paired)
    assert (row["difference"], row["p"], row["verdict"]) == (0.0, 1.0, "tie")
    row = one({"a": half, "b": rng.random((3, 100)) < 0.9}, paired=paired)
    assert row["verdict"] == "more"
    assert row["difference_low"] > 0.2
    assert row["test"] == "t over seeds"  # whose p is larger than that of all tasks together
    row = one({"a": half[:1], "b": rng.random((1, 100)) < 0.9}, paired=paired)
    assert (row["verdict"], row["test"]) == ("more", "McNemar" if paired else "Fisher")


def test_what_one_training_seed_alone_gains_is_a_tie():
    """However small the p of the pooled tasks: another draw of five seeds may lack it."""
    theirs = np.zeros((5, 100), bool)
    ours = theirs.copy()
    ours[0, :60] = True
    row = one({"a": theirs, "b": ours})
    assert mcnemar(ours, theirs) < 1e-6
    assert row["verdict"] == "tie"
    assert row["p"] > SIGNIFICANT
    assert one({"a": theirs, "b": np.roll(ours, 1, 0) | ours | (np.arange(100) < 50)})["verdict"] == "more"


def test_pairs_tell_apart_what_counts_do_not():
    """Ten tasks that one arm alone solves, among 200 that both or neither do."""
    theirs = np.arange(200) % 2 == 0
    ours = theirs | (np.arange(200) < 20)
    arms = {"a": theirs[None], "b": ours[None]}
    assert one(arms)["verdict"] == "more"
    assert one(arms, paired=False)["verdict"] == "tie"


def test_paired_tasks_are_compared_by_those_that_one_alone_solved():
    whole, tasks = np.ones(40, bool), np.arange(40)
    assert mcnemar(whole, tasks < 30) == pytest.approx(2 / 2**10)
    assert mcnemar(tasks % 2 == 0, tasks % 2 == 1) == 1.0
    assert mcnemar(whole, whole) == 1.0


@pytest.mark.parametrize("rate", [0.3, 0.9])
def test_equal_rates_are_seldom_called_different(rate):
    rng = np.random.default_rng(1)
    ps = np.array([mcnemar(*(rng.random((2, 3, 60)) < rate)) for _ in range(300)])
    assert (ps < SIGNIFICANT).mean() <= 0.07  # exact tests are a little shy
    different = np.array(
        [mcnemar(rng.random((3, 60)) < rate, rng.random((3, 60)) < rate - 0.25) for _ in range(50)]
    )
    assert (different < SIGNIFICANT).mean() > 0.8


def test_intervals_know_that_seeds_differ():
    """One seed of five solves all and the others are alike: from tasks alone that would look certain."""
    theirs = np.zeros((5, 100), bool)
    ours = theirs.copy()
    ours[0] = True
    value, low, high = paired_interval(ours, theirs)
    assert value == pytest.approx(0.2)
    assert low == 0.0
    assert high >= 0.4


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("solved", [True, False])
def test_equal_outcomes_of_few_tasks_are_not_certain(solved, paired):
    few, many = (one({arm: np.full((1, n), solved) for arm in "ab"}, paired=paired) for n in (20, 2_000))
    for row in (few, many):
        assert row["difference"] == 0.0
        assert -row["difference_low"] == pytest.approx(row["difference_high"])
    assert 0.05 < few["difference_high"] < 0.25
    assert 0.0 < many["difference_high"] < 0.005
    apart = one({"a": np.zeros((1, 20), bool), "b": np.ones((1, 20), bool)}, paired=paired)
    assert 0.6 < apart["difference_low"] < apart["difference_high"] == 1.0


@pytest.mark.parametrize(("seeds", "tasks", "apart"), [(3, 40, 0.1), (5, 100, 0.07)])
def test_seeds_that_differ_by_chance_are_called_a_tie(seeds, tasks, apart):
    rng, different = np.random.default_rng(6), 0
    for _ in range(150):
        ours, theirs = (
            (rng.random((seeds, tasks)) < rng.normal(0.8, apart, (seeds, 1)))[..., None].astype(float)
            for _ in range(2)
        )
        different += compared_tasks(ours, theirs)["verdict"] != "tie"
    assert different <= 13  # 7.5 are expected of a test at .05


@pytest.mark.parametrize("shared", [True, False])
def test_intervals_cover_the_difference_of_rates_of_new_seeds_and_tasks(shared):
    rng, covered = np.random.default_rng(2), []
    for _ in range(120):
        hard = rng.normal(0.0, 0.15, (1 if shared else 8, 80))  # tasks of all seeds, or of each
        ours, theirs = (
            rng.random((8, 80)) < mean + hard + rng.normal(0, 0.08, (8, 1)) for mean in (0.7, 0.5)
        )
        _, low, high = paired_interval(ours, theirs)
        covered.append(low <= 0.2 <= high)
    assert np.mean(covered) >= 0.85


def test_only_the_same_tasks_are_compared_each_arm_with_each_before():
    rng = np.random.default_rng(3)
    drawn = {arm: rng.random((2, 10)) < 0.5 for arm in "abc"}
    rows = [row for element in range(3) for row in rows_of(drawn, element=element)]
    found = compared(rows, MEASURES)
    assert [(row["element"], row["arm"], row["against"]) for row in found] == [
        (element, arm, first) for element in range(3) for first, arm in ("ab", "ac", "bc")
    ]
    assert all(row["seeds"] == 2 for row in found)
    assert not compared(rows_of({"a": drawn["a"]}), MEASURES)
    assert not compared(
        [{"question": "q", "world": "w", "arm": arm, "seed": 0, "success": 0.5} for arm in "ab"], MEASURES
    )


def test_the_table_says_the_difference_in_points_and_the_verdict():
    rng = np.random.default_rng(4)
    rows = rows_of({"a": rng.random((4, 50)) < 0.2, "b": rng.random((4, 50)) < 0.9})
    (table,) = comparison_tables(rows, MEASURES)
    cells = dict(zip(table["headings"], table["rows"][0], strict=True))
    assert cells["verdict"]["text"] == "more"
    assert float(cells["difference [%]"]["text"]) > 50
    assert "to" in cells["difference [%]"]["more"]
    assert "4 seeds" in table["caption"]
    assert comparison_tables(rows[:4], MEASURES) == []
