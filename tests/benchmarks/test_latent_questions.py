"""The questions about latents: their known answers, and controls that must fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from equiworld.benchmarks.questions.degree_ladder import DegreeLadder
from equiworld.benchmarks.questions.identifiability import Identifiability
from equiworld.benchmarks.questions.sectors import Sectors
from equiworld.benchmarks.suite.question import Plan
from equiworld.benchmarks.suite.rows import checked_rows
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.hidden_states import BLOCKS, KIND, HiddenStates
from equiworld.benchmarks.worlds.ladder import accelerations, slice_of, vector_polynomials
from equiworld.benchmarks.worlds.latent_laws import LAWS, LENGTHS, law
from equiworld.groups import SO3


def rows_of(asked, arm: str, tmp_path) -> list[dict]:
    found = []
    for cell in asked.cells(Plan(arms=(arm,), seeds=1)):
        found += checked_rows(cell, asked.measure(cell, Store(tmp_path)), asked.coordinates, asked.measures)
    return found


@pytest.mark.parametrize("arm", ["statistic", "gauge", "dynamics", "planning"])
def test_identifiability(arm, tmp_path):
    asked = Identifiability().reduced()
    rows = rows_of(asked, arm, tmp_path)
    by = {(row["law"], row["by"]): row for row in rows}
    assert asked.table(rows)
    if arm == "statistic":
        assert by["valid", "block"]["over_floor_most"] < 2 < by["valid", "standard"]["over_floor_least"]
        assert by["anisotropic", "block"]["over_floor"] > 2
    if arm == "gauge":
        assert len(rows) >= 12
        assert {row["exact"] for row in rows} == {"True"}
    if arm == "dynamics":
        assert by["one rate", "as it is"]["drift_dimension"] == 231
        assert all(row["orbit_spread"] < 1e-10 < row["orbit_excess"] for row in rows if "orbit_spread" in row)
    if arm == "planning":
        exact = [row for row in rows if row["by"].startswith("dynamics") and "by nothing" not in row["law"]]
        assert len(exact) == 3
        assert max(row["deviation"] for row in exact) < 1e-12
        assert min(row["deviation"] for row in rows if row not in exact) > 1e-2
        changes = [row["isometry_change"] for row in exact]
        assert min(changes) < 1e-12 < max(changes)  # costs that O(n) changes serve as well


def test_ladder_is_flat_and_falls(tmp_path):
    rows = rows_of(DegreeLadder().reduced(), "equivariant", tmp_path)
    errors = [row["relative_error"] for row in rows]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 5
    assert max(row["flatness"] for row in rows) < 1e-10
    plain = rows_of(DegreeLadder().reduced(), "plain", tmp_path)
    assert min(row["ratio"] for row in plain) > 5


def test_polynomials_commute_and_have_their_degree():
    rng = np.random.default_rng(0)
    x, v = slice_of(50, rng)
    g = SO3().sample_matrices(rng, 1)[0]
    for degree in (1, 2, 4, 8):
        here, there = vector_polynomials(x, v, degree), vector_polynomials(x @ g.T, v @ g.T, degree)
        assert np.abs(there - np.einsum("ij,njc->nic", g, here)).max() < 1e-12
        t = 1e3
        grown = np.abs(vector_polynomials(t * x, t * v, degree)).max() / np.abs(here).max()
        assert grown <= t**degree * 1.001
    assert np.abs(accelerations(x @ g.T, v @ g.T) - accelerations(x, v) @ g.T).max() < 1e-12


def test_laws_and_pairs_are_what_they_say():
    rng = np.random.default_rng(0)
    for name in (*LAWS, LENGTHS):
        assert law(name, 10, rng).shape == (10, KIND.size)
    lengths = np.linalg.norm(law(LENGTHS, 10, rng)[:, 4:].reshape(10, 6, 3), axis=-1)
    assert np.allclose(lengths, 1.0)
    world = HiddenStates.drawn(rng)
    assert np.abs(world.mixing - BLOCKS.projected(world.mixing)).max() < 1e-12
    x, after = (each @ np.linalg.inv(world.mixing).T for each in world.pairs(100_000, rng))
    lagged = after.T @ x / len(x)
    assert np.allclose(np.diagonal(lagged), np.repeat([0.2, 0.9], [4, 18]), atol=0.02)
    assert np.allclose(after.T @ after / len(x), np.eye(KIND.size), atol=0.03)


def test_sectors(tmp_path):
    asked = Sectors().reduced()
    rows = {(row["by"], row["what"]): row for row in rows_of(asked, "losses", tmp_path)}
    assert rows["permutations", "VICReg"]["invariant"] == "True"
    assert rows["permutations", "VICReg"]["largest"] < 1e-12
    assert rows["permutations", "variance of the first vector"]["invariant"] == "False"
    stitched = [row for row in rows_of(asked, "runs", tmp_path) if "through" in row]
    assert asked.table(stitched)
    linear = [row for row in stitched if row["through"] == "linear"]
    (none,) = [row for row in stitched if row["through"] == "none" and row["by"] == "sigreg"]
    assert max(abs(row["excess"]) for row in linear) < 1e-6
    assert max(row["commutes"] for row in linear) < 1e-12
    assert none["excess"] > 0.1


def test_a_slice_is_no_orbit_and_an_equivariant_latent_does_not_care(tmp_path):
    asked = replace(Identifiability().reduced(), steps=10, examples=4000)
    rows = {(row["trained_on"], row["law"]): row for row in rows_of(asked, "nonlinear", tmp_path)}
    assert len(rows) == 6
    for trained_on in ("orbit", "slice", "slice, turned in the loss"):
        seen, control = rows[trained_on, "orbit"], rows[trained_on, "slice"]
        assert seen["rank"] == 10
        assert seen["ratio"] < 1.1
        assert seen["probe_ratio"] == pytest.approx(1.0, abs=0.1)
        assert seen["defect"] < control["defect"] / 2  # negative control: the law of a slice


def test_policies_are_compared_by_what_they_get(tmp_path):
    pytest.importorskip("stable_baselines3")
    rows = {row["what"]: row for row in rows_of(Sectors().reduced(), "policies", tmp_path)}
    assert rows["return"]["mean"] > 0
    assert rows["clusters, linear"]["clusters"] <= rows["clusters, raw"]["clusters"]
    assert rows["second, matched"]["action_error"] == pytest.approx(rows["second"]["action_error"], rel=1e-3)
    assert rows["mean, matched"]["correlation"] > rows["mean as they are"]["correlation"]
