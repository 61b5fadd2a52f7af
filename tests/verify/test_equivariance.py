"""The checker is checked: true claims pass, every kind of false one fails."""

import numpy as np
import pytest
import torch
from torch import nn

from equiworld.errors import ArgumentError
from equiworld.groups import E2, E3, O2, SE2, SE3, SO2, SO3, Cyclic, Dihedral
from equiworld.nn import EquivariantLinear
from equiworld.symmetry import (
    Concatenation,
    Heading,
    Parts,
    Point,
    Pseudoscalar,
    Pseudovector,
    Rotation,
    Scalar,
    SignedPermutation,
    Vector,
)
from equiworld.symmetry.features import Features, FeatureType
from equiworld.symmetry.symmetry import Symmetry
from equiworld.verify import assert_equivariant, equivariance_residual

KIND = FeatureType(2, scalars=2, vectors=3, points=4)
VECTORS = FeatureType(2, vectors=3)


def identity(value):
    return value


def nan(z):
    return z.map(lambda tensor: tensor * torch.nan)


def nan_once(z):
    scalars = z.scalars.clone()
    scalars[..., -1, 0] = torch.nan
    return Features(scalars, z.vectors, z.points)


def zero_map(z):
    return z.map(torch.zeros_like)


def constant_scalar(z):
    return Features(torch.ones_like(z.scalars), z.vectors, z.points)


def constant_point(z):
    return Features(z.scalars, z.vectors, torch.ones_like(z.points))


def biased_vectors(z):
    return Features(z.scalars, z.vectors + 1e-6, z.points)


def one_biased_channel(z):
    shift = torch.zeros_like(z.vectors)
    shift[..., 0, 1] = 1e-8
    return Features(z.scalars, z.vectors + shift, z.points)


def turned_frame(z):
    return Features(z.scalars, z.vectors * torch.tensor([[1.0], [1.1]]), z.points)


def vectors_as_scalars(z):
    return Features(z.vectors[..., 0, :2], z.vectors, z.points)


def sum_of_points(z):
    return Features(z.scalars, z.vectors, z.points.sum(-1, keepdim=True).expand_as(z.points))


def world_axis_noise(z):
    noise = torch.randn(z.vectors.shape, dtype=z.dtype, generator=torch.Generator().manual_seed(0))
    return Features(z.scalars, z.vectors + 0.1 * noise, z.points)


def fresh_noise(z):
    return z.map(lambda tensor: tensor + 1e-3 * torch.randn_like(tensor))


def covariance_of(z):
    centred = z.points - z.points.mean(-1, keepdim=True)
    return centred @ centred.mT / centred.shape[-1]


def cholesky_spread(z):
    """Noise drawn in a frame that turns, spread by the Cholesky factor, which does not."""
    factor = torch.linalg.cholesky(covariance_of(z))
    return Features(z.scalars, factor @ z.vectors, z.points)


def symmetric_spread(z):
    values, axes = torch.linalg.eigh(covariance_of(z))
    root = axes @ (values.clamp(min=0).sqrt().unsqueeze(-1) * axes.mT)
    return Features(z.scalars, root @ z.vectors, z.points)


FALSE_CLAIMS = [
    nan,
    nan_once,
    zero_map,
    constant_scalar,
    constant_point,
    biased_vectors,
    one_biased_channel,
    turned_frame,
    vectors_as_scalars,
    sum_of_points,
    world_axis_noise,
    fresh_noise,
    cholesky_spread,
]


@pytest.mark.exact
@pytest.mark.parametrize("function", [identity, symmetric_spread])
@pytest.mark.parametrize("group", [SE2(), E2(), SO2(), Cyclic(6), Dihedral(5)], ids=str)
def test_true_claims_pass(function, group):
    report = assert_equivariant(function, KIND, KIND, group)
    assert set(report.residuals) == {"scalars", "vectors", "points"}


@pytest.mark.parametrize("function", FALSE_CLAIMS)
@pytest.mark.parametrize("group", [SE2(), E2()], ids=str)
def test_false_claims_fail(function, group):
    assert not equivariance_residual(function, KIND, KIND, group).passed
    with pytest.raises(AssertionError, match="NOT equivariant"):
        assert_equivariant(function, KIND, KIND, group)


def test_a_biased_layer_fails():
    class Biased(nn.Module):
        def __init__(self):
            super().__init__()
            generator = torch.Generator().manual_seed(0)
            self.linear = EquivariantLinear(VECTORS, VECTORS, SE2(), generator=generator)
            self.bias = nn.Parameter(torch.full((3,), 1e-3))

        def forward(self, z):
            out = self.linear(z)
            return Features(out.scalars, out.vectors + self.bias, out.points)

    assert_equivariant(Biased().linear, VECTORS, VECTORS, SE2())
    report = equivariance_residual(Biased(), VECTORS, VECTORS, SE2())
    assert report.dtype == "float32"
    assert not report.passed


def test_a_claim_of_rotations_is_not_one_of_reflections():
    def turn(z):
        return Features(z.scalars, torch.stack((-z.vectors[..., 1, :], z.vectors[..., 0, :]), -2), z.points)

    assert assert_equivariant(turn, VECTORS, VECTORS, SO2()).reflections == 0
    report = equivariance_residual(turn, VECTORS, VECTORS, O2())
    assert report.reflections == 12
    assert not report.passed


def test_constants_and_nan_are_named():
    assert equivariance_residual(constant_scalar, KIND, KIND, SE2()).constant == ("scalars[0]", "scalars[1]")
    report = equivariance_residual(nan_once, KIND, KIND, SE2())
    assert not report.finite
    assert np.isnan(report.residual)
    assert "not finite" in str(report)
    worst = equivariance_residual(turned_frame, KIND, KIND, SE2())
    assert worst.worst_element["group"] == "SE2"


def test_elements_cover_the_neighbourhood_and_the_seed_fixes_them():
    seen = []

    def record(value):
        seen.append(value.copy())
        return value

    assert_equivariant(record, Vector(), Vector(), O2(), n_elements=40, seed=3)
    moved, stayed = np.array(seen[0::2]), np.array(seen[1::2])
    distance = np.abs(moved - stayed).max((1, 2))
    assert len(distance) == 40
    assert ((distance > 0) & (distance < 1e-2)).sum() >= 5
    first = list(seen)
    seen.clear()
    assert_equivariant(record, Vector(), Vector(), O2(), n_elements=40, seed=3)
    assert all(np.array_equal(one, other) for one, other in zip(first, seen, strict=True))


@pytest.mark.exact
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [None, 1, 5])
def test_fields(dtype, batch_size):
    def check(*arguments):
        return assert_equivariant(*arguments, dtype=dtype, batch_size=batch_size)

    pose = Concatenation((Point(2), Heading(low=0.0), Pseudoscalar(), Scalar()))
    check(identity, pose, pose, E2())
    check(lambda *parts: parts, (Point(), Pseudovector()), (Point(), Pseudovector()), E3())
    check(lambda p, v: (p + v, v), (Point(), Vector()), (Point(), Vector()), E3())
    check(lambda obs: {"to": obs["b"] - obs["a"]}, {"a": Point(), "b": Point()}, {"to": Vector()}, SE3())
    for form in ("matrix", "xyzw", "wxyz"):
        check(identity, Rotation(2, form=form), Rotation(2, form=form), SO3())
    check(lambda angle: np.concatenate([np.cos(angle), np.sin(angle)], -1), Heading(), Vector(), O2())


def test_field_claims_can_fail():
    assert not equivariance_residual(lambda angle: -angle, Heading(), Heading(), SO2()).passed
    assert not equivariance_residual(identity, Point(), Vector(), SE2()).passed
    assert not equivariance_residual(identity, Pseudoscalar(), Scalar(), O2()).passed
    assert not equivariance_residual(lambda x: x * np.nan, Vector(), Vector(), SO2()).passed


@pytest.mark.exact
@pytest.mark.parametrize("flat", [False, True])
def test_symmetries(flat):
    """A policy in world coordinates, about a centre that is not the origin."""
    observation = {"agent": Point(), "heading": Heading(), "goal": Point(2)}
    centre = (255.5, 255.5)
    symmetry = Symmetry(SE2(), observation, action=Point(), flat=flat, centre=centre, length_scale=100.0)

    def policy(obs):
        agent, goal = (obs[..., :2], obs[..., 3:5]) if flat else (obs["agent"], obs["goal"][..., :2])
        return 0.9 * agent + 0.1 * goal

    def clamped(obs):
        return policy(obs).clip(200.0, 300.0)

    assert_equivariant(policy, symmetry, symmetry.action, symmetry.group)
    assert_equivariant(identity, symmetry, symmetry, symmetry.group)
    assert_equivariant(
        lambda obs: symmetry.to_features(obs, dtype=torch.float64), symmetry, symmetry.feature_type(), SE2()
    )
    assert_equivariant(
        lambda obs, action: (action - policy(obs), obs), (symmetry, Point()), (Vector(), symmetry), SE2()
    )
    assert not equivariance_residual(clamped, symmetry, symmetry.action, symmetry.group).passed


def test_turning_about_the_wrong_centre_fails():
    def doubled(obs):
        return 2.0 * obs["agent"]  # about the origin, not about the centre

    symmetry = Symmetry(SO2(), {"agent": Point()}, action=Point(), centre=(3.0, 0.0))
    assert not equivariance_residual(doubled, symmetry, symmetry.action, SO2()).passed
    about_origin = Symmetry(SO2(), {"agent": Point()}, action=Point())
    assert_equivariant(doubled, about_origin, about_origin.action, SO2())


def test_parts_of_an_array_are_where_they_are_declared():
    parts = Parts({"arm": Vector(), "rest": Scalar(2)}, at={"arm": (0, 2)})
    symmetry = Symmetry(SO2(), {"seen": parts}, action=Vector(), flat=True)
    assert_equivariant(identity, symmetry, symmetry, SO2())
    assert_equivariant(lambda obs: 2.0 * obs[..., [0, 2]], symmetry, symmetry.action, SO2())
    assert not equivariance_residual(lambda obs: obs[..., :2], symmetry, symmetry.action, SO2()).passed


def test_elements_of_a_subgroup_move_labels_as_the_symmetry_does():
    legs = SignedPermutation([(1, 0)])  # exchanged by a quarter turn, where they were after two
    symmetry = Symmetry(Cyclic(4), {"legs": legs}, action=legs, flat=True)

    def uneven(obs):
        return obs * np.array([1.0, 2.0])

    assert_equivariant(uneven, symmetry, legs, Cyclic(2))
    assert_equivariant(uneven, symmetry, symmetry, Cyclic(2))
    assert not equivariance_residual(uneven, symmetry, legs, Cyclic(4)).passed
    with pytest.raises(ArgumentError, match="function"):
        equivariance_residual(lambda obs: obs[..., :1], symmetry, symmetry, Cyclic(2))


def test_wrong_arguments_are_refused():
    with pytest.raises(ArgumentError, match="n_elements"):
        equivariance_residual(identity, KIND, KIND, SE2(), n_elements=8)
    with pytest.raises(ArgumentError, match="rep_in"):
        equivariance_residual(identity, KIND, KIND, SE3())
    with pytest.raises(ArgumentError, match="rep_out"):
        equivariance_residual(identity, KIND, "vectors", SE2())
    with pytest.raises(ArgumentError, match="function"):
        equivariance_residual(identity, KIND, VECTORS, SE2())
    with pytest.raises(ArgumentError, match="dtype"):
        equivariance_residual(identity, KIND, KIND, SE2(), dtype="float16")
    with pytest.raises(ArgumentError, match="empty"):
        equivariance_residual(identity, FeatureType(2), FeatureType(2), SE2())
