"""The statistics accept all laws they shall, at their floor, and reject the others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from law_cases import BLOCKS, anisotropic, commuting_root, valid

from equiworld.analysis import NormalityTest, invariance_test
from equiworld.errors import ArgumentError
from equiworld.groups import O2, SO2, SO3, Cyclic, Dihedral
from equiworld.nn.normality import EppsPulley, block_projections, directions
from equiworld.symmetry import Features, FeatureType
from equiworld.symmetry.latent_blocks import latent_blocks

N = 800


@pytest.fixture(scope="module")
def block_test() -> NormalityTest:
    return NormalityTest(BLOCKS, N, count=16, draws=199)


@pytest.fixture(scope="module")
def standard_test() -> NormalityTest:
    return NormalityTest(BLOCKS, N, "standard", count=16, draws=199)


def test_the_statistic_is_the_integral_it_says():
    x, test = (
        torch.randn(300, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)),
        EppsPulley(),
    )
    t = torch.linspace(0, test.upto, test.knots, dtype=torch.float64)
    apart = torch.exp(1j * t[:, None, None] * x).mean(1) - torch.exp(-t.square() / 2)[:, None]
    values = apart.abs().square() * torch.exp(-t.square() / 2)[:, None]
    wanted = 300 * 2 * torch.trapezoid(values, t, dim=0)
    assert torch.allclose(test(x), wanted, rtol=1e-12)
    tracked = x.clone().requires_grad_()
    assert torch.allclose(test(tracked), wanted, rtol=1e-12)


def test_the_mean_under_the_normal_law_is_the_floor_for_every_n():
    rng, test = np.random.default_rng(0), EppsPulley()
    for n in (20, 500):
        found = test(torch.as_tensor(rng.normal(size=(n, 1000)))).numpy()
        assert found.mean() == pytest.approx(test.floor, abs=4 * found.std() / np.sqrt(1000))


@pytest.mark.parametrize("group", [SO3(), SO2(), O2(), Cyclic(2), Cyclic(3), Dihedral(4)])
def test_what_whitening_leaves_does_not_know_the_covariance(group):
    """The statistic of S z is that of z, to rounding, for each S = L with L in the commutant's triangular part."""
    rng = np.random.default_rng(1)
    blocks = latent_blocks(FeatureType(group.dim, 2, 3), group)
    z, root = rng.normal(size=(400, blocks.size)), commuting_root(blocks, rng, 0.5)
    triangular = np.zeros_like(root)
    for block in blocks.blocks:
        inner = block.basis.T @ root @ block.basis
        triangular += block.basis @ np.linalg.cholesky(inner @ inner.T) @ block.basis.T
    assert np.abs(triangular - blocks.projected(triangular)).max() < 1e-10
    both = [
        torch.cat([*block_projections(torch.as_tensor(x), blocks, 8, np.random.default_rng(2)).values()], 1)
        for x in (z, z @ triangular.T)
    ]
    assert torch.allclose(*both, atol=1e-9)


def test_valid_laws_are_at_the_floor_and_others_are_not(block_test, standard_test):
    rng = np.random.default_rng(3)
    laws = [valid(N, rng) for _ in range(20)]
    assert np.mean([block_test(law).over_floor for law in laws]) == pytest.approx(1.0, abs=0.2)
    assert max(block_test(law).over_floor for law in laws) < 2.0
    assert sum(block_test(law).rejected for law in laws) <= 3
    assert min(standard_test(law).over_floor for law in laws) > 20  # negative control: isotropy of the whole
    assert sum(standard_test(rng.normal(size=(N, 22))).rejected for _ in range(20)) <= 3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda x, rng: x * np.r_[np.ones(4), np.tile([2.0, 1.0, 1.0], 6)],  # anisotropic
        lambda x, rng: x + np.r_[np.zeros(4), np.full(18, 2.0) * x[:, 4:].std(0)],  # vectors with a mean
        lambda x, rng: (
            x * np.where(rng.random((len(x), 1)) < 0.2, 4.0, 1.0)
        ),  # heavy tails, kept by the group
        lambda x, rng: np.hstack([x[:, :4] + 3 * x[:, 4:8] * x[:, :4].std(0) / x[:, 4:8].std(0), x[:, 4:]]),
    ],
)
def test_each_way_to_be_invalid_is_seen(spoil, block_test):
    rng = np.random.default_rng(4)
    found = [block_test(spoil(valid(N, rng), rng)) for _ in range(5)]
    assert all(each.rejected and each.p <= 0.05 for each in found), found


def test_invalid_laws_grow_in_proportion_to_n():
    rng = np.random.default_rng(5)

    def over(n: int) -> float:
        return NormalityTest(BLOCKS, n, count=16, draws=29, simulated=500)(anisotropic(n, rng)).over_floor

    assert 5 < over(8000) / over(800) < 20


def test_a_stretch_of_space_is_seen_where_it_is_not_diluted(block_test):
    """One part sees it most, and says so."""
    found = block_test(anisotropic(N, np.random.default_rng(9)))
    assert max(found.parts, key=found.parts.__getitem__) == "vectors along space"
    assert found.parts["scalars"] < 2 < 5 < found.over_floor


def test_a_mean_of_scalars_is_allowed(block_test):
    rng = np.random.default_rng(6)
    assert not block_test(valid(N, rng) + np.r_[np.full(4, 100.0), np.zeros(18)]).rejected


def test_two_samples_of_another_shape_are_refused(block_test):
    with pytest.raises(ArgumentError, match="values"):
        block_test(np.zeros((N, 21)))
    with pytest.raises(ArgumentError, match="size"):
        NormalityTest(BLOCKS, 10)
    with pytest.raises(ArgumentError, match="kind"):
        NormalityTest(BLOCKS, N, "isotropic")  # type: ignore[arg-type]


def on_spheres(n: int, rng: np.random.Generator, stretch: float = 1.0, mean: float = 0.0) -> Features:
    drawn = rng.normal(size=(n, 3, 3)) * np.array([stretch, 1, 1])[:, None] + mean
    vectors = torch.as_tensor(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))
    return Features(torch.as_tensor(rng.uniform(size=(n, 1))), vectors, torch.zeros(n, 3, 0).double())


def test_invariance_asks_for_the_symmetry_alone():
    """Vectors of one length are no normal law: one test rejects them, the other has its level with them."""
    rng = np.random.default_rng(7)
    ps = [invariance_test(on_spheres(300, rng), SO3(), draws=19, count=4, seed=s).p for s in range(40)]
    assert sum(p <= 0.05 for p in ps) <= 6
    assert 0.3 < np.mean(ps) < 0.7
    for spoiled in (on_spheres(300, rng, stretch=2.0), on_spheres(300, rng, mean=0.4)):
        assert invariance_test(spoiled, SO3(), draws=39, count=8).p == 1 / 40
    blocks = latent_blocks(on_spheres(1, rng).type, SO3())
    test = NormalityTest(blocks, N, count=16, draws=99)
    assert test(on_spheres(N, rng).flatten()).rejected


def test_invariance_sees_objects_that_are_not_alike():
    rng = np.random.default_rng(8)

    def objects(factor: float) -> Features:
        vectors = rng.normal(size=(400, 3, 2)) * np.array([1.0, factor])
        return Features(*(torch.as_tensor(x) for x in (np.zeros((400, 0)), vectors, np.zeros((400, 3, 0)))))

    found = [invariance_test(objects(f), SO3(), objects=2, draws=39, count=8).p for f in (1.0, 2.0)]
    assert found[0] > 0.05
    assert found[1] == 1 / 40
    assert invariance_test(objects(2.0), SO3(), draws=39, count=8).p > 0.05  # not asked about objects


def test_directions_have_length_one():
    rng = np.random.default_rng(0)
    assert np.allclose(np.linalg.norm(directions(5, 7, rng), axis=0), 1.0)
