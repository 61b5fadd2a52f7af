"""Samples are Haar, grids are even; samplers that are neither are noticed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from scipy.stats import kstest

from equiworld.groups import (
    E2,
    E3,
    O2,
    O3,
    SE2,
    SE3,
    SO2,
    SO3,
    Cyclic,
    Dihedral,
    Group,
    Permutation,
)

EXACT = 1e-12


def uniform_angle_p(matrices: NDArray[np.float64]) -> float:
    angle = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
    return kstest(angle, "uniform", args=(-np.pi, 2 * np.pi)).pvalue


def haar_p(matrices: NDArray[np.float64]) -> float:
    """The least p-value of four facts about the uniform rotation of space.

    Its angle has the density (1 − cos θ)/π, and where it sends each axis has a uniform height (Archimedes).
    """
    cosine = np.clip((np.trace(matrices, axis1=-2, axis2=-1) - 1) / 2, -1, 1)
    p = [kstest(np.arccos(cosine), lambda angle: (angle - np.sin(angle)) / np.pi).pvalue]
    p += [kstest(matrices[:, 2, axis], "uniform", args=(-1, 2)).pvalue for axis in range(3)]
    return min(p)


@pytest.mark.parametrize("group", [SO2(), O2(), SE2(), E2()], ids=repr)
def test_plane_rotations_are_uniform(group: Group) -> None:
    g = group.sample(np.random.default_rng(7), 4000)
    for sign in (1, -1) if not group.proper else (1,):
        matrices = g.matrix[g.determinant == sign]
        assert abs(len(matrices) / 4000 - (1 if group.proper else 0.5)) < 0.03
        assert uniform_angle_p(matrices) > 1e-3
    assert uniform_angle_p(SO2().rotation(np.random.default_rng(7).normal(size=4000)).matrix) < 1e-6


@pytest.mark.parametrize("group", [SO3(), O3(), SE3(), E3()], ids=repr)
def test_space_rotations_are_uniform(group: Group) -> None:
    g = group.sample(np.random.default_rng(7), 4000)
    fixed = SO3().rotation([1.0, -2.0, 0.5]).matrix
    for sign in (1, -1) if not group.proper else (1,):
        matrices = sign * g.matrix[g.determinant == sign]
        assert abs(len(matrices) / 4000 - (1 if group.proper else 0.5)) < 0.03
        for turned in (matrices, fixed @ matrices, matrices @ fixed):
            assert haar_p(turned) > 1e-3


def test_samplers_that_are_not_haar_are_noticed() -> None:
    rng = np.random.default_rng(0)
    euler = Rotation.from_euler("zyx", rng.uniform(-np.pi, np.pi, (4000, 3))).as_matrix()
    vectors = SE3().near_identity(rng, 4000, scale=np.pi).matrix
    assert haar_p(euler) < 1e-6
    assert haar_p(vectors) < 1e-6


@pytest.mark.parametrize("group", [SE2(), E2(), SE3(), E3()], ids=repr)
def test_translations_are_uniform_in_the_ball(group: Group) -> None:
    scale = 2.5
    shift = group.sample(np.random.default_rng(3), 4000, scale=scale).translation
    radius = np.linalg.norm(shift, axis=-1)
    assert radius.max() <= scale
    assert kstest((radius / scale) ** group.dim, "uniform").pvalue > 1e-3
    assert kstest(radius / scale, "uniform").pvalue < 1e-6  # the wrong law is noticed
    assert np.abs(shift.mean(axis=0)).max() < 5 * scale / np.sqrt(4000)
    assert (group.sample(np.random.default_rng(3), scale=0.0).translation == 0).all()


@pytest.mark.parametrize("group", [Cyclic(6), Dihedral(5), Permutation(3)], ids=repr)
def test_finite_samples_are_even(group: Group) -> None:
    every = group.elements()
    sample = group.sample(np.random.default_rng(0), 6000)
    same = np.abs(sample.matrix[:, None] - every.matrix).max(axis=(-2, -1)) < 1e-9
    assert (same.sum(axis=1) == 1).all()
    assert np.abs(same.mean(axis=0) * len(every) - 1).max() < 0.15


def nearest_angle(probes: NDArray[np.float64], grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """The angle from each probe to the closest rotation of the grid."""
    trace = np.einsum("pij,gij->pg", probes, grid)
    return np.arccos(np.clip((trace.max(axis=1) - 1) / 2, -1, 1))


@pytest.mark.parametrize("n", [30, 100, 300])
def test_space_grid_covers_better_than_chance(n: int) -> None:
    probes = SO3().sample(np.random.default_rng(1), 2000).matrix
    grid = nearest_angle(probes, SO3().grid(n).matrix)
    chance = [nearest_angle(probes, SO3().sample(np.random.default_rng(s), n).matrix) for s in range(2, 7)]
    assert grid.max() < 0.85 * min(each.max() for each in chance)
    assert grid.mean() < 0.97 * min(each.mean() for each in chance)
    assert np.abs(SO3().grid(n).matrix.mean(axis=0)).max() < 3 / n + 0.02


@pytest.mark.parametrize("n", [1, 2, 3, 4, 8, 12])
def test_plane_grid_is_equally_spaced(n: int) -> None:
    angles = SO2().log(SO2().grid(n))[:, 0] % (2 * np.pi)
    assert np.abs(angles - 2 * np.pi * np.arange(n) / n).max() <= EXACT
    assert (SE2().grid(n).matrix == SO2().grid(n).matrix).all()


@pytest.mark.parametrize("group", [O2(), E2(), O3(), E3(), Dihedral(8)], ids=repr)
def test_half_of_a_grid_are_reflections(group: Group) -> None:
    for n in (1, 2, 7, 10):
        assert (group.grid(n).determinant < 0).sum() == n // 2


def test_polygon_grids_are_even() -> None:
    quarter = Cyclic(12).grid(4)
    assert (quarter.matrix == Cyclic(4).elements().matrix).all()
    assert set(np.unique(Dihedral(4).elements().matrix)) == {-1.0, 0.0, 1.0}  # a square's are exact
    assert not np.signbit(Dihedral(4).elements().matrix[Dihedral(4).elements().matrix == 0]).any()
