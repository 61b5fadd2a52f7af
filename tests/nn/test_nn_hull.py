"""Attention that cannot leave the hull, and axes that fade instead of jumping."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cloud_cases import clouds_of
from hypothesis import given, settings
from hypothesis import strategies as st

from equiworld.errors import ArgumentError
from equiworld.groups import O2, O3, SO2, SO3
from equiworld.nn import hull_attention, soft_axes

pytestmark = pytest.mark.exact

PROPERTY = settings(max_examples=40, deadline=None, database=None, derandomize=True)
CASES = {"dim": st.sampled_from([2, 3]), "points": st.integers(8, 60), "seed": st.integers(0, 10**6)}


def clouds(dim: int, points: int, seed: int) -> torch.Tensor:
    """`(N, d)`, with its mean at the origin."""
    cloud = clouds_of(dim, points, 1, seed, length=1.0)[0].mT
    return cloud - cloud.mean(0)


def inside(cloud: torch.Tensor, seed: int, share: float = 0.7) -> torch.Tensor:
    """Five places `(5, d)` well inside the hull."""
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(cloud)), 5)
    return torch.from_numpy(share * weights) @ cloud


# -------------------------------------------------------------------------------------------- the attention


@PROPERTY
@given(**CASES)
def test_what_is_inside_is_reached(dim, points, seed):
    cloud = clouds(dim, points, seed)
    targets = inside(cloud, seed)
    found, weights = hull_attention(targets, cloud)
    assert weights.shape == (5, points)
    assert (weights > 0).all()
    assert (weights.sum(-1) - 1).abs().max() <= 1e-13
    assert (weights @ cloud - found).abs().max() <= 1e-13
    assert (found - targets).abs().max() <= 1e-3
    # Eight steps leave something near the rim only.
    assert (found - targets).abs().median() <= 1e-6


@PROPERTY
@given(far=st.floats(1.5, 1e9), **CASES)
def test_what_is_outside_is_drawn_to_the_hull(far, dim, points, seed):
    cloud = clouds(dim, points, seed)
    way = torch.from_numpy(np.random.default_rng(seed).standard_normal(dim))
    way = way / way.norm()
    support = (cloud @ way).max()
    target = (far * support * way).requires_grad_()
    (found,), weights = hull_attention(target[None], cloud)
    assert (weights >= 0).all()
    assert (weights.sum(-1) - 1).abs().max() <= 1e-13
    ways = torch.randn(100, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    assert ((ways @ found) <= (ways @ cloud.mT).amax(-1) + 1e-12).all()
    assert found @ way > cloud.mean(0) @ way  # towards the side that was asked for
    (gradient,) = torch.autograd.grad(found.sum(), target)
    assert gradient.isfinite().all()


def test_weights_are_those_of_the_largest_entropy():
    """Against any others with the same mean: w + ε·(a null vector of the constraints)."""
    cloud = clouds(3, 30, 0)
    found, weights = hull_attention(inside(cloud, 1), cloud)
    constraints = torch.cat([cloud, torch.ones(30, 1, dtype=torch.float64)], 1).mT
    free = torch.linalg.svd(constraints).Vh[4:]
    entropy = -(weights * weights.log()).sum(-1)
    for way in free:
        for step in (-1e-3, 1e-3):
            other = weights + step * way
            assert (other > 0).all()
            assert (other @ cloud - found).abs().max() <= 1e-12
            assert (-(other * other.log()).sum(-1) < entropy).all()
    middle, uniform = hull_attention(torch.zeros(1, 3, dtype=torch.float64), cloud)
    assert (uniform - 1 / 30).abs().max() <= 1e-9
    assert middle.abs().max() <= 1e-9


@PROPERTY
@given(**CASES)
def test_the_gradient_goes_through_as_through_the_identity(dim, points, seed):
    cloud = clouds(dim, points, seed)
    target = inside(cloud, seed, 0.5)[0]
    jacobian = torch.autograd.functional.jacobian(lambda t: hull_attention(t[None], cloud)[0][0], target)
    assert (jacobian - torch.eye(dim)).abs().max() <= 5e-2


def test_outside_the_gradient_is_not_the_identity():
    """Negative control."""
    cloud = clouds(3, 40, 0)
    far = torch.tensor([9.0, 0.0, 0.0], dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda t: hull_attention(t[None], cloud)[0][0], far)
    assert (jacobian - torch.eye(3)).abs().max() > 0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("size", [0.0, 1e-30, 1e-6, 1.0, 1e6])
@pytest.mark.parametrize("far", [0.0, 1.0, 1e6])
def test_numbers_of_any_size_stay_finite(dtype, size, far):
    cloud = (size * clouds(3, 12, 0)).to(dtype).requires_grad_()
    target = torch.full((2, 3), far, dtype=dtype, requires_grad=True)
    found, weights = hull_attention(target, cloud)
    assert weights.isfinite().all()
    assert found.abs().max() <= cloud.abs().max()
    gradients = torch.autograd.grad(found.sum(), [cloud, target])
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("size", [1e-17, 1.0, 1e6])
def test_of_one_point_again_and_again_only_that_point_is_made(dtype, size):
    """What rounding leaves of its spread is no direction to go in."""
    draws = size * torch.randn(100, 1, 3, dtype=dtype, generator=torch.Generator().manual_seed(0))
    cloud = draws.expand(100, 128, 3).clone().requires_grad_()
    target = torch.randn(100, 4, 3, dtype=dtype, generator=torch.Generator().manual_seed(1)).requires_grad_()
    found, weights = hull_attention(target, cloud)
    assert (found - draws).abs().max() <= 200 * torch.finfo(dtype).eps * size
    assert weights.isfinite().all()
    gradients = torch.autograd.grad(found.sum(), [cloud, target])
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("group", [O2(), O3()], ids=str)
def test_attention_turns_with_the_cloud_and_knows_no_order(group):
    g = group.sample(np.random.default_rng(0), 20)
    rotation = torch.from_numpy(g.matrix).mT
    for targets in (inside(clouds(group.dim, 30, 0), 0), 3 * inside(clouds(group.dim, 30, 0), 0)):
        cloud, order = clouds(group.dim, 30, 0), torch.randperm(30)
        found, weights = hull_attention(targets, cloud)
        turned, same = hull_attention(targets @ rotation, (cloud @ rotation)[:, order])
        assert (turned - found @ rotation).abs().max() <= 1e-12
        assert (same - weights[:, order]).abs().max() <= 1e-12
    assert (turned - found).abs().max() > 0.1  # negative control


# ------------------------------------------------------------------------------------------------- soft axes


def arrows(dim: int, proper: bool, count: int = 50) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.standard_normal((count, dim, dim - proper)))


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("proper", [True, False])
def test_axes_are_orthonormal_where_vectors_fix_them(dim, proper):
    axes, eye = soft_axes(arrows(dim, proper), proper, 1e-9), torch.eye(dim, dtype=torch.float64)
    assert (axes.mT @ axes - eye).abs().max() <= 1e-12
    if proper:
        assert (torch.linalg.det(axes) > 0).all()
    else:
        assert (torch.linalg.det(axes) < 0).any()
    softer = soft_axes(arrows(dim, proper), proper, 0.5)
    assert (softer.norm(dim=-2) < 1).all()
    direction = axes[..., 0], arrows(dim, proper)[..., 0]
    assert torch.allclose(direction[0], direction[1] / direction[1].norm(dim=-1, keepdim=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("proper", [True, False])
def test_axes_vanish_smoothly_where_vectors_do(dim, proper, dtype):
    vectors = arrows(dim, proper, 4).to(dtype)
    for near in (0.0, 1e-30, 1e-12):
        small = (near * vectors).requires_grad_()
        axes = soft_axes(small, proper, 0.02)
        assert axes.abs().max() <= 200 * near
        (gradient,) = torch.autograd.grad(axes.square().sum() + axes.sum(), small)
        assert gradient.isfinite().all()
    if dim - proper > 1:  # of vectors along each other only the first is left, up to the softness
        axes = soft_axes(vectors[..., :1].expand(vectors.shape), proper, 1e-3)
        assert (axes[..., 0].norm(dim=-1) - 1).abs().max() <= 1e-3
        assert axes[..., 1:].abs().max() <= 1e-2


@pytest.mark.parametrize("group", [SO2(), SO3(), O2(), O3()], ids=str)
def test_axes_turn_with_their_vectors(group):
    vectors = arrows(group.dim, group.proper, 24)
    rotation = torch.from_numpy(group.sample(np.random.default_rng(0), 24).matrix)
    axes = soft_axes(vectors, group.proper, 0.02)
    assert (soft_axes(rotation @ vectors, group.proper, 0.02) - rotation @ axes).abs().max() <= 1e-13


@pytest.mark.parametrize("dim", [2, 3])
def test_axes_of_fewer_vectors_do_not_survive_mirrors(dim):
    """Negative control: why reflections take d vectors."""
    mirror = torch.diag(torch.tensor([-1.0] + [1.0] * (dim - 1), dtype=torch.float64))
    vectors = arrows(dim, True)
    axes = soft_axes(vectors, True, 0.02)
    assert (soft_axes(mirror @ vectors, True, 0.02) - mirror @ axes).abs().max() > 0.5


@pytest.mark.parametrize(("count", "proper", "wanted"), [(1, True, 2), (3, True, 2), (2, False, 3)])
def test_axes_of_another_number_of_vectors_are_refused(count, proper, wanted):
    with pytest.raises(ArgumentError, match=rf"vectors: got {count} of them; expected {wanted} for 3 axes"):
        soft_axes(torch.zeros(5, 3, count), proper, 0.1)
