"""Alignments find the change of coordinates that was made, and say in which groups it lies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from law_cases import BLOCKS, commuting_root, valid

from equiworld.analysis import Stitched, compare_runs, gauge_between, isotropy, latent_error
from equiworld.analysis.gauge import polar
from equiworld.errors import ArgumentError
from equiworld.groups import O2, SO2, SO3, Cyclic
from equiworld.models import WorldModel
from equiworld.symmetry import Features, FeatureType
from equiworld.symmetry.latent_blocks import latent_blocks


def element(blocks, rng, kind: str) -> np.ndarray:
    """A random isometry of one of the groups."""
    if kind == "O(n)":
        return polar(rng.normal(size=(blocks.size, blocks.size)))
    found = np.zeros((blocks.size, blocks.size))
    for block in blocks.blocks:
        size = block.basis.shape[1]
        found += block.basis @ polar(rng.normal(size=(size, size))) @ block.basis.T
    return found if kind == "blocks" else polar(blocks.projected(found))


@pytest.mark.parametrize("group", [SO3(), SO2(), O2(), Cyclic(3)])
@pytest.mark.parametrize("kind", ["commuting", "blocks", "O(n)"])
def test_what_was_turned_within_a_group_is_explained_by_it_and_by_no_smaller_one(group, kind):
    rng = np.random.default_rng(0)
    blocks = latent_blocks(FeatureType(group.dim, 3, 4), group)
    z, q = rng.normal(size=(3000, blocks.size)), element(blocks, np.random.default_rng(1), kind)
    found = gauge_between(z, z @ q.T, decomposition=blocks)
    names = ["commuting", "blocks", "O(n)"]
    for name in names[names.index(kind) :]:
        assert found[name].explained == pytest.approx(1.0, abs=1e-10), name
    for name in names[: names.index(kind)]:
        assert found[name].explained < 0.6, name
    assert found["random commuting"].explained < 0.3
    assert found["random O(n)"].explained < 0.3
    matrix = found["commuting"].matrix
    assert np.abs(matrix - blocks.projected(matrix)).max() < 1e-12
    assert np.abs(matrix.T @ matrix - np.eye(len(matrix))).max() < 1e-12
    linear = found["linear"].matrix
    assert np.abs(linear - blocks.projected(linear)).max() < 1e-12


def test_the_isometry_itself_is_found_and_a_linear_map_where_there_is_one():
    rng = np.random.default_rng(2)
    z, q, root = valid(2000, rng), element(BLOCKS, rng, "commuting"), commuting_root(BLOCKS, rng, 0.3)
    found = gauge_between(z, z @ q.T + np.r_[np.full(4, 7.0), np.zeros(18)], decomposition=BLOCKS)
    assert np.abs(found["commuting"].matrix - q).max() < 1e-10
    assert np.abs(found["commuting"](z) - z @ q.T).max() == pytest.approx(7.0)
    stretched = gauge_between(z, z @ root.T, decomposition=BLOCKS)
    assert stretched["linear"].explained == pytest.approx(1.0, abs=1e-10)
    assert stretched["commuting"].explained < 0.95


def test_features_with_points_keep_their_mean():
    rng = np.random.default_rng(3)
    kind = FeatureType(2, 1, 2, 3)
    blocks = latent_blocks(kind, O2())
    z = rng.normal(size=(500, kind.size))
    found = gauge_between(z, z, decomposition=blocks)["commuting"]
    assert np.abs(found(z) - z).max() < 1e-10


def test_runs_that_differ_by_labels_are_one_cluster():
    rng = np.random.default_rng(4)
    z = valid(1000, rng)
    runs = [z @ element(BLOCKS, rng, "commuting").T for _ in range(5)]
    found = compare_runs(runs, decomposition=BLOCKS, observables={"error": lambda run: 1.0})
    assert found.clusters == {"raw": 5, "commuting": 1, "linear": 1}
    assert max(found.macro_spread["scalars deviations"], found.macro_spread["vectors deviations"]) < 1e-6
    assert min(found.raw_spread.values()) > 0.1
    assert len(found.warnings) == 2
    assert "do not read them" in str(found)
    assert found.macro_spread["error"] == 0


def test_a_label_that_training_tells_apart_agrees_over_runs_and_others_do_not():
    rng = np.random.default_rng(8)
    runs = []
    for _ in range(5):
        channels = valid(1000, np.random.default_rng(9))
        first = channels[:, 4:7].copy()
        run = channels @ element(BLOCKS, rng, "commuting").T
        run[:, 4:7] = -2 * first  # pinned, but for its sign and size
        runs.append(run)
    found = compare_runs(runs, decomposition=BLOCKS).agreement
    assert found["vectors"][0] == pytest.approx(1)
    assert max(*found["vectors"][1:], *found["scalars"]) < 0.9


def test_runs_that_differ_in_what_they_say_are_not():
    rng = np.random.default_rng(5)
    runs = [valid(1000, rng) for _ in range(4)]
    found = compare_runs(runs, decomposition=BLOCKS)
    assert found.clusters == {"raw": 4, "commuting": 4, "linear": 4}
    assert compare_runs(lambda seed: runs[seed], decomposition=BLOCKS, count=2).linear.shape == (2, 2)


def test_isotropy_of_an_orbit_law_and_of_another():
    rng = np.random.default_rng(6)
    z = valid(20_000, rng)
    found = isotropy(z, BLOCKS)
    assert found.defect < 0.05
    assert 1.0 <= found.blocks[1].ratio < 1.1
    assert found.rank == 10
    z[:, 4::3] *= 2
    assert isotropy(z, BLOCKS).blocks[1].ratio > 3
    assert isotropy(z * np.r_[np.zeros(2), np.ones(20)], BLOCKS).rank < 10


def test_stitching_through_the_gauge_and_without_it(pusht_small):
    """A copy of a model, its latent channels exchanged: exact through the gauge, wrong without it."""
    import copy

    model = WorldModel.for_data(pusht_small, "state-latent", width=4, keypoints=2).double()
    z = model.encode_features(pusht_small.features(torch.float64)[0])
    assert isinstance(z, Features)
    other = copy.deepcopy(model)
    read = other.encoder.network.network.read_vectors
    with torch.no_grad():
        for parameter in read.parameters():
            parameter.mul_(-1.0)
    gauge = gauge_between(model, other, pusht_small)
    assert gauge["commuting"].explained == pytest.approx(1.0, abs=1e-6)
    through = latent_error(Stitched(model, other, gauge["commuting"]), pusht_small)
    plain = latent_error(Stitched(model, other, None), pusht_small)
    assert through == pytest.approx(latent_error(other, pusht_small), rel=1e-6)
    assert abs(plain - through) > 1e-3 * through


@pytest.fixture(scope="module")
def pusht_small():
    import equiworld as ew

    return ew.collect("equiworld/PushT-v0", transitions=120, seed=0, workers=1)


def test_arguments():
    z = np.zeros((10, 22))
    with pytest.raises(ArgumentError, match="second"):
        gauge_between(z, z[:5], decomposition=BLOCKS)
    with pytest.raises(ArgumentError, match="decomposition"):
        gauge_between(z, z)
    with pytest.raises(ArgumentError, match="name"):
        gauge_between(z, z, decomposition=BLOCKS)["U(n)"]
    with pytest.raises(ArgumentError, match="runs"):
        compare_runs([z], decomposition=BLOCKS)
    with pytest.raises(ArgumentError, match="values"):
        isotropy(z[:, 1:], BLOCKS)
