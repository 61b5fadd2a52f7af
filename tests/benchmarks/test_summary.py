"""Rows of several seeds as one: shares pooled with an interval that widens where seeds differ, means of the rest."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from equiworld.benchmarks.suite.rows import share
from equiworld.benchmarks.suite.summary import summarised
from equiworld.errors import ArgumentError
from equiworld.verify.evaluation.intervals import clustered_interval, wilson_interval

CLUSTERS = st.lists(
    st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=1
)


def rows_of(counts, **more):
    return [
        {"question": "q", "world": "w", "arm": "a", "seed": seed, **share("success", k, n), **more}
        for seed, (k, n) in enumerate(counts)
    ]


MEASURES = ("success", "successes", "episodes", "error", "note")


@settings(deadline=None)  # scipy is imported by the first example
@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.integers(1, 8))
def test_equal_seeds_give_the_pooled_wilson_interval(cluster, seeds):
    k, n = cluster
    low, high, effect = clustered_interval([k] * seeds, [n] * seeds)
    assert effect == 1.0
    assert (low, high) == wilson_interval(k * seeds, n * seeds)


@settings(deadline=None)
@given(CLUSTERS)
def test_the_interval_holds_the_share_and_is_never_shorter_than_the_pooled_one(clusters):
    counts, sizes = zip(*clusters, strict=True)
    low, high, effect = clustered_interval(counts, sizes)
    pooled = wilson_interval(sum(counts), sum(sizes))
    assert effect >= 1
    assert 0 <= low <= sum(counts) / sum(sizes) + 1e-12
    assert sum(counts) / sum(sizes) - 1e-12 <= high <= 1
    assert high - low >= pooled[1] - pooled[0] - 1e-12


@settings(deadline=None)
@given(CLUSTERS, st.randoms())
def test_the_order_of_seeds_does_not_matter(clusters, random):
    again = random.sample(clusters, len(clusters))
    assert np.allclose(
        clustered_interval(*zip(*clusters, strict=True)), clustered_interval(*zip(*again, strict=True))
    )


def test_the_design_effect_is_the_variance_between_seeds_over_the_binomial_one():
    counts, size = [60, 80, 100], 100
    shares = np.array(counts) / size
    p = shares.mean()
    _, _, effect = clustered_interval(counts, [size] * 3)
    assert effect == pytest.approx(shares.var(ddof=1) / (p * (1 - p) / size))


def test_the_interval_covers_where_seeds_differ_and_the_pooled_one_does_not():
    """Shares of seeds drawn from a beta distribution of mean 0.7: the interval of twelve of them holds it about 95 % of
    the time."""
    rng = np.random.default_rng(0)
    held = np.zeros(2)
    for _ in range(600):
        counts = rng.binomial(100, rng.beta(7, 3, 12))
        low, high, _ = clustered_interval(counts.tolist(), [100] * 12)
        pooled = wilson_interval(int(counts.sum()), 1200)
        held += [low <= 0.7 <= high, pooled[0] <= 0.7 <= pooled[1]]
    assert 0.90 <= held[0] / 600 <= 0.98
    assert held[1] / 600 < 0.6


@pytest.mark.parametrize(("counts", "sizes"), [([], []), ([1], [0]), ([1, 1], [2])])
def test_what_is_no_cluster_is_refused(counts, sizes):
    with pytest.raises(ArgumentError):
        clustered_interval(counts, sizes)


def test_shares_are_pooled_other_numbers_averaged_and_seeds_counted():
    rows = rows_of([(8, 10), (10, 10), (3, 5)])
    for row, error in zip(rows, (1.0, 1.5, 2.0), strict=True):
        row |= {"error": error, "note": "as is"}
    (found,) = summarised(rows, MEASURES)
    assert found["seeds"] == 3
    assert found["success"] == 21 / 25
    assert (found["successes"], found["episodes"]) == (21, 25)
    assert (found["error"], found["error_low"], found["error_high"]) == (1.5, 1.0, 2.0)
    assert found["note"] == "as is"
    assert "seed" not in found


def test_a_number_that_a_seed_lacks_is_left_out_rather_than_flattered():
    """Of three seeds two solved so little that they have no median: that of the third is not theirs."""
    rows = [{"arm": "a", "seed": seed, "steps": steps} for seed, steps in enumerate([None, 244.0, None])]
    assert summarised(rows, ["steps"]) == [{"arm": "a", "seeds": 3}]
    assert summarised(rows[1:2], ["steps"]) == [{"arm": "a", "seeds": 1, "steps": 244.0}]


def test_rows_of_one_seed_that_say_different_things_become_one():
    rows = [{"arm": "a", "seed": 0, "note": "another version"}, {"arm": "a", "seed": 0, "ms": 2.0}]
    assert summarised(rows, ["ms", "note"]) == [
        {"arm": "a", "seeds": 1, "ms": 2.0, "note": "another version"}
    ]


def test_one_row_stays_as_it_is():
    (row,) = rows_of([(7, 9)], error=0.5, error_low=0.4, error_high=0.6)
    (found,) = summarised([row], MEASURES)
    assert found == {**{key: value for key, value in row.items() if key != "seed"}, "seeds": 1}


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([1, 2]), st.integers(0, 3)), unique=True))
def test_every_row_belongs_to_one_summary_and_coordinates_are_never_mixed(points):
    rows = [{"arm": arm, "size": size, "seed": seed, "error": float(seed)} for arm, size, seed in points]
    found = summarised(rows, ["error"])
    assert len(found) == len({(arm, size) for arm, size, _ in points})
    assert sum(row["seeds"] for row in found) == len(points)
    for row in found:
        seeds = [seed for arm, size, seed in points if (arm, size) == (row["arm"], row["size"])]
        assert math.isclose(row["error"], float(np.mean(seeds)))


def test_different_words_stand_one_after_another():
    rows = [{"arm": "a", "seed": seed, "note": note} for seed, note in enumerate(["x", "y", "x"])]
    assert summarised(rows, ["note"])[0]["note"] == "x; y"


def test_probabilities_of_several_seeds_are_joined_and_not_averaged():
    rows = [{"question": "q", "world": "w", "arm": "a", "seed": seed, "p_all": 0.5} for seed in range(3)]
    (row,) = summarised(rows, ["p_all"])
    assert row["p_all"] == pytest.approx(stats.chi2.sf(-6 * math.log(0.5), 6))
    rows[0]["p_all"] = 1e-9
    (row,) = summarised(rows, ["p_all"])
    assert row["p_all"] < 1e-6
