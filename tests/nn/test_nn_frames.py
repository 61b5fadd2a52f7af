"""Frames: orthonormal, turning with the world, and honest and finite where nothing fixes them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equiworld.errors import ArgumentError
from equiworld.groups import O2, O3, SE2, SE3, SO3
from equiworld.nn import (
    Frame,
    frame_from_axes,
    frame_from_heading,
    frame_from_two_vectors,
    identity_frame,
    orthonormal,
)
from equiworld.symmetry.features import Features, FeatureType

pytestmark = pytest.mark.exact

DTYPES = [torch.float32, torch.float64]
numbers = st.floats(-1e6, 1e6) | st.sampled_from([0.0, -0.0, 1e-300, 1e-40, 1e-20, 1e-9, 1e30])


def build(vectors, origin=None):
    """The frame of vectors `(…, d, ≥ d − 1)`."""
    if vectors.shape[-2] == 2:
        return frame_from_heading(vectors[..., 0], origin)
    return frame_from_two_vectors(vectors[..., 0], vectors[..., 1], origin)


def assert_rotation(frame):
    rotation = frame.rotation
    tolerance = 20 * torch.finfo(rotation.dtype).eps
    eye = torch.eye(rotation.shape[-1], dtype=rotation.dtype)
    assert rotation.isfinite().all()
    assert ((rotation.mT @ rotation - eye).abs() <= tolerance).all()
    assert (torch.linalg.det(rotation) > 0).all()
    assert ((frame.degeneracy >= 0) & (frame.degeneracy <= 1)).all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("dim", [2, 3])
@settings(max_examples=150, deadline=None, database=None, derandomize=True)
@given(entries=st.lists(numbers, min_size=6, max_size=6))
def test_always_a_rotation_with_finite_gradients(dim, dtype, entries):
    vectors = torch.tensor(entries, dtype=dtype).reshape(3, 2)[:dim].requires_grad_()
    frame = build(vectors)
    assert_rotation(frame)
    (frame.rotation.sum() + frame.degeneracy).backward()
    assert vectors.grad.isfinite().all()


@pytest.mark.parametrize("group", [SE2(), SE3()], ids=str)
def test_turns_with_the_world(group):
    rng = np.random.default_rng(0)
    kind = FeatureType(group.dim, vectors=2, points=1)
    z = Features.unflatten(torch.from_numpy(rng.standard_normal((64, kind.size))), kind)
    g = group.sample(rng, 64)
    moved = z.transform(g)
    frame, turned = build(z.vectors, z.points[..., 0]), build(moved.vectors, moved.points[..., 0])
    assert torch.allclose(turned.rotation, torch.from_numpy(g.matrix) @ frame.rotation, rtol=0, atol=1e-11)
    assert torch.allclose(turned.degeneracy, frame.degeneracy, rtol=0, atol=1e-12)
    inside, turned_inside = frame.to_frame(z), turned.to_frame(moved)
    assert torch.allclose(inside.flatten(), turned_inside.flatten(), rtol=0, atol=1e-11)
    assert torch.allclose(frame.from_frame(inside).flatten(), z.flatten(), rtol=0, atol=1e-13)
    assert_rotation(frame)


def test_columns_are_the_axes():
    frame = frame_from_two_vectors(torch.tensor([0.0, 3.0, 0.0]), torch.tensor([0.0, 1.0, -2.0]))
    expected = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]]).T
    assert torch.allclose(frame.rotation, expected)
    ahead = frame_from_heading(torch.tensor([0.6, 0.8])).rotation[:, 0]
    assert torch.allclose(ahead, torch.tensor([0.6, 0.8]))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("bad", [0.0, float("nan"), float("inf")], ids=str)
def test_unusable_vectors_are_reported(dim, dtype, bad):
    for first in range(dim - 1):
        vectors = torch.eye(dim, dtype=dtype)[:, : dim - 1].contiguous()
        vectors[:, first] = bad
        vectors.requires_grad_()
        frame = build(vectors)
        assert_rotation(frame)
        assert frame.degeneracy.item() == 1.0
        frame.rotation.sum().backward()
        assert vectors.grad.isfinite().all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("factor", [1.0, -2.0, 1e-6, 1e6])
def test_parallel_vectors_are_reported(dtype, factor):
    first = torch.randn(50, 3, dtype=dtype, generator=torch.Generator().manual_seed(0))
    first = torch.cat((first / first.norm(dim=-1, keepdim=True), torch.eye(3, dtype=dtype)))
    frame = frame_from_two_vectors(first, factor * first)
    assert_rotation(frame)
    assert (frame.degeneracy > 1 - 1e-5).all()


@pytest.mark.parametrize("angle", [1e-14, 1e-10, 1e-6, 1e-3])
def test_nearly_parallel_vectors_stay_orthonormal(angle):
    first = torch.tensor([0.6, 0.64, 0.48], dtype=torch.float64)
    normal = torch.tensor([0.8, -0.48, -0.36], dtype=torch.float64)
    frame = frame_from_two_vectors(first, first + angle * normal)
    assert_rotation(frame)
    assert float(1 - frame.degeneracy) == pytest.approx(angle, rel=0.1)


@pytest.mark.parametrize("scale", [1e-25, 1e-12, 1e25])
def test_length_does_not_turn_the_frame(scale):
    heading = torch.tensor([3.0, 4.0], dtype=torch.float64)
    frame = frame_from_heading(scale * heading)
    assert torch.allclose(frame.rotation[:, 0], heading / 5)
    assert float(frame.degeneracy) == pytest.approx(1 - min(5 * scale, 1))
    known = frame_from_heading(scale * heading, scale=5 * scale)
    assert float(known.degeneracy) == pytest.approx(0, abs=1e-12)


def test_one_frame_serves_many_samples():
    frame = frame_from_heading(torch.randn(4, 2), torch.randn(4, 2))
    samples = Features(torch.randn(9, 3), torch.randn(9, 2, 2), torch.randn(9, 2, 1))
    inside = frame[:, None].to_frame(samples)
    assert inside.batch_shape == (4, 9)
    assert torch.allclose(inside[2].vectors, frame[2].to_frame(samples).vectors)


def test_identity_changes_nothing():
    z = Features(torch.randn(5, 1), torch.randn(5, 3, 2), torch.randn(5, 3, 2))
    frame = identity_frame((5,), 3)
    assert torch.equal(frame.to_frame(z).flatten(), z.flatten())
    assert torch.equal(frame.from_frame(z).flatten(), z.flatten())


def test_shapes_are_checked():
    with pytest.raises(ArgumentError, match="heading"):
        frame_from_heading(torch.zeros(3))
    with pytest.raises(ArgumentError, match="second"):
        frame_from_two_vectors(torch.zeros(3), torch.zeros(2, 3))
    with pytest.raises(ArgumentError, match="origin"):
        frame_from_heading(torch.zeros(4, 2), torch.zeros(2))
    with pytest.raises(ArgumentError, match="frame"):
        Frame(torch.eye(2), torch.zeros(3), torch.zeros(()))


def test_axes_that_are_known_are_the_frame():
    axes = torch.as_tensor(SO3().sample(np.random.default_rng(0), 5).matrix)
    frame = frame_from_axes(axes, torch.ones(5, 3).double())
    assert torch.equal(frame.rotation, axes)
    assert frame.degeneracy.eq(0).all()
    assert_rotation(frame)
    assert frame_from_axes(axes).origin.eq(0).all()
    for wrong in (axes[..., :2], axes[0, 0]):
        with pytest.raises(ArgumentError, match="axes: got"):
            frame_from_axes(wrong)
    with pytest.raises(ArgumentError, match="the shape of axes"):
        frame_from_axes(axes, torch.ones(4, 3).double())


@pytest.mark.parametrize("group", [O2(), O3()], ids=str)
def test_gram_schmidt_turns_and_mirrors_with_the_world(group):
    rng = np.random.default_rng(0)
    g = torch.as_tensor(group.sample(rng, 64).matrix)
    axes = torch.from_numpy(np.eye(group.dim) + 0.2 * rng.standard_normal((64, group.dim, group.dim)))
    done = orthonormal(axes)
    assert torch.allclose(orthonormal(g @ axes), g @ done, rtol=0, atol=1e-12)
    assert torch.allclose(done.mT @ done, torch.eye(group.dim).double(), rtol=0, atol=1e-13)
    assert torch.allclose(orthonormal(done), done, rtol=0, atol=1e-14)
    # It is the nearest to the first axis, and keeps the others' sides.
    assert torch.allclose(done[..., 0], torch.nn.functional.normalize(axes[..., 0], dim=-1), atol=1e-14)
    assert (done * axes).sum(-2).min() > 0


def test_gram_schmidt_of_nothing_is_finite():
    axes = torch.zeros(2, 3, 3).requires_grad_()
    orthonormal(axes + torch.tensor([[1.0, 1.0, 0.0]] * 3)).sum().backward()
    assert orthonormal(torch.zeros(3, 3)).isfinite().all()
    assert axes.grad.isfinite().all()
