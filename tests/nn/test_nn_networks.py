"""Layers and networks: equivariant over groups and dtypes, and weaker exactly where they must be."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equiworld.errors import ArgumentError
from equiworld.groups import E2, E3, O2, O3, SE2, SE3, SO2, SO3, Cyclic, Dihedral
from equiworld.nn import (
    MLP,
    CanonicalNetwork,
    EquivariantLinear,
    SteerableNetwork,
    bounded,
    cross,
    inner,
    quarter_turn,
)
from equiworld.symmetry.arrows import frame_of
from equiworld.symmetry.features import Features, FeatureType
from equiworld.verify.equivariance import assert_equivariant, equivariance_residual

GROUPS = [SO2(), O2(), SE2(), E2(), SO3(), O3(), SE3(), E3(), Cyclic(4), Dihedral(3)]
PROPER = [group for group in GROUPS if group.proper]
WITH_MIRRORS = {2: O2(), 3: O3()}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def in_type(dim):
    return FeatureType(dim, scalars=3, vectors=4, points=5)


def out_type(dim):
    return FeatureType(dim, scalars=2, vectors=3, points=2)


def random_features(kind, batch_shape=(16,), dtype=torch.float64, seed=0):
    flat = torch.randn(*batch_shape, kind.size, dtype=dtype, generator=seeded(seed))
    return Features.unflatten(flat, kind)


def make(family, group, kind_in=None, kind_out=None, seed=0):
    kind_in, kind_out = kind_in or in_type(group.dim), kind_out or out_type(group.dim)
    if family == "linear":
        return EquivariantLinear(kind_in, kind_out, group, generator=seeded(seed))
    if family == "steerable":
        sizes = {"scalars": 12, "vectors": 8, "depth": 3}
        return SteerableNetwork(kind_in, kind_out, group, **sizes, generator=seeded(seed))

    def read_frame(features):
        origin = features.points[..., 0]
        if not group.has_translations:
            origin = torch.zeros_like(origin)
        return frame_of(features.vectors, group, origin=origin)

    return CanonicalNetwork(
        kind_in, kind_out, group, frame_of=read_frame, hidden=(16, 16), generator=seeded(seed)
    )


FAMILIES = [
    *itertools.product(("linear", "steerable"), GROUPS),
    *itertools.product(("canonical",), GROUPS),
]


@pytest.mark.exact
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("family", "group"), FAMILIES, ids=str)
def test_equivariant(family, group, dtype):
    network = make(family, group).to(dtype)
    report = assert_equivariant(network, network.in_type, network.out_type, group)
    assert report.dtype == str(dtype).removeprefix("torch.")
    assert (report.reflections > 0) == (not group.proper)


@pytest.mark.exact
@pytest.mark.parametrize("family", ["linear", "steerable", "canonical"])
@pytest.mark.parametrize("group", [SE2(), SE3()], ids=str)
def test_far_translations_leave_no_trace(family, group):
    network = make(family, group).double()
    z = random_features(network.in_type)
    far = group.element(torch.eye(group.dim), torch.full((group.dim,), 100.0))
    moved, stayed = network(z.transform(far)), network(z).transform(far)
    for name in ("scalars", "vectors", "points"):
        one, other = getattr(moved, name), getattr(stayed, name)
        assert (one - other).abs().max() <= 1e-12 * other.square().mean().sqrt(), name


@pytest.mark.parametrize("family", ["linear", "steerable"])
@pytest.mark.parametrize("dim", [2, 3])
def test_only_groups_without_reflections_get_the_weaker_layers(family, dim):
    """Negative control: what rotations admit must break the mirror, else it was never there."""
    rotations, mirrors = (SE2(), E2()) if dim == 2 else (SE3(), E3())
    network = make(family, rotations).double()
    # In space linear maps of vectors are the same with and without mirrors; cross products are bilinear.
    mirrored = equivariance_residual(network, network.in_type, network.out_type, mirrors)
    if dim == 3 and family == "linear":
        assert mirrored.passed
    else:
        assert mirrored.residual > 1e-2


@pytest.mark.exact
@pytest.mark.parametrize("family", ["linear", "steerable"])
@pytest.mark.parametrize("group", [Cyclic(4), Dihedral(4), SO2(), O2()], ids=str)
def test_translations_are_safe_where_the_group_has_none(family, group):
    network = make(family, group).double()
    assert_equivariant(network, network.in_type, network.out_type, SE2() if group.proper else E2())


@pytest.mark.exact
@pytest.mark.parametrize("family", ["linear", "steerable"])
@pytest.mark.parametrize("group", [SE2(), E2(), SE3(), E3()], ids=str)
@settings(max_examples=12, deadline=None, database=None, derandomize=True)
@given(counts=st.tuples(*[st.integers(0, 3)] * 6))
def test_any_type_works_or_is_refused(family, group, counts):
    kind_in, kind_out = FeatureType(group.dim, *counts[:3]), FeatureType(group.dim, *counts[3:])
    impossible = (kind_out.vectors and not kind_in.vectors and kind_in.points < 2) or (
        kind_out.points and not kind_in.points
    )
    if impossible:
        with pytest.raises(ArgumentError, match="out_type"):
            make(family, group, kind_in, kind_out)
        return
    network = make(family, group, kind_in, kind_out).double()
    z = random_features(kind_in, (3,))
    g = group.sample(np.random.default_rng(counts[0]))
    moved, stayed = network(z.transform(g)), network(z).transform(g)
    assert stayed.type == kind_out
    assert torch.allclose(moved.flatten(), stayed.flatten(), atol=1e-11)


@pytest.mark.parametrize(("family", "group"), FAMILIES, ids=str)
def test_every_input_channel_and_parameter_receives_gradient(family, group):
    network = make(family, group).double()
    z = random_features(network.in_type).map(lambda tensor: tensor.requires_grad_())
    network(z).flatten().pow(2).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert (parameter.grad != 0).any(-1).all(), name
    for name in ("scalars", "vectors", "points"):
        per_channel = getattr(z, name).grad.abs().flatten(0, -2).amax(0)
        assert (per_channel > 0).all(), name


@pytest.mark.parametrize("wanted", [{"scalars": 2}, {"vectors": 2}, {"points": 2}], ids=str)
@pytest.mark.parametrize("group", [SE2(), E3(), SE3()], ids=str)
def test_no_weight_is_idle_when_one_kind_is_asked_for(group, wanted):
    network = make("steerable", group, kind_out=FeatureType(group.dim, **wanted)).double()
    network(random_features(network.in_type)).flatten().pow(2).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters() if p.numel())


@pytest.mark.parametrize("family", ["linear", "steerable", "canonical"])
def test_seeds_fix_the_bits_and_the_global_generator_is_left_alone(family):
    before = torch.get_rng_state()
    one, same, other = (make(family, SE3(), seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    assert all(tensor.dtype == torch.float32 for tensor in one.values())


@pytest.mark.parametrize("family", ["linear", "steerable", "canonical"])
def test_state_dict_inference_mode_and_batch_shapes(family):
    network, copy = make(family, SE3(), seed=1), make(family, SE3(), seed=2)
    copy.load_state_dict(network.state_dict())
    z = random_features(network.in_type, (4, 6), torch.float32)
    with torch.inference_mode():
        assert torch.equal(network(z).flatten(), copy(z).flatten())
        assert network(z[0, 0]).batch_shape == ()
        single = torch.stack([network(z[0, column]).flatten() for column in range(6)])
        assert torch.allclose(network(z)[0].flatten(), single, atol=1e-5)


@pytest.mark.parametrize("family", ["steerable", "canonical"])
@pytest.mark.parametrize("group", [SE2(), SE3()], ids=str)
def test_zero_vectors_give_finite_outputs_and_gradients(family, group):
    network = make(family, group)
    z = Features.zeros(network.in_type, (4,), torch.float32).map(lambda tensor: tensor.requires_grad_())
    output = network(z).flatten()
    output.sum().backward()
    assert output.isfinite().all()
    assert all(getattr(z, name).grad.isfinite().all() for name in ("scalars", "vectors", "points"))


def test_outputs_grow_at_most_linearly():
    network = make("steerable", SE3(), FeatureType(3, vectors=4), FeatureType(3, 2, 3)).double()
    z = random_features(network.in_type)
    small, large = (network(z.map(lambda t, s=s: s * t)).flatten().abs().max() for s in (1e3, 1e6))
    assert large < 3e3 * small


def fit(network, inputs, target, steps=150):
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(steps):
        loss = (network(inputs).vectors - target).square().mean() / target.square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return loss.item()


def test_only_the_network_without_mirrors_learns_a_cross_product():
    z = random_features(FeatureType(3, vectors=2), (128,), torch.float32)
    target = torch.linalg.cross(z.vectors[..., 0], z.vectors[..., 1]).unsqueeze(-1)
    kinds = z.type, FeatureType(3, vectors=1)
    sizes = {"scalars": 16, "vectors": 8, "depth": 2}
    losses = {
        group.name: fit(SteerableNetwork(*kinds, group, **sizes, generator=seeded()), z, target)
        for group in (SO3(), O3())
    }
    assert losses["SO3"] < 0.05
    # The true map is odd under mirrors, so the best mirror-equivariant answer is zero: relative error 1.
    assert losses["O3"] > 0.9


def test_quarter_turns_and_products_transform_as_claimed():
    u, v = random_features(FeatureType(3, vectors=4)), random_features(FeatureType(3, vectors=4), seed=1)
    assert torch.allclose(inner(u.vectors, v.vectors), (u.vectors * v.vectors).sum(-2))
    assert torch.allclose(cross(u.vectors, v.vectors), torch.linalg.cross(u.vectors, v.vectors, dim=-2))
    assert (bounded(1e3 * u.vectors).norm(dim=-2) <= 1).all()
    planar = random_features(FeatureType(2, vectors=4)).vectors
    assert torch.equal(quarter_turn(quarter_turn(planar)), -planar)
    assert inner(planar, quarter_turn(planar)).abs().max() < 1e-14


def test_errors_name_the_argument():
    kind = FeatureType(2, vectors=1)
    with pytest.raises(ArgumentError, match="in_type"):
        EquivariantLinear(kind, kind, SE3(), generator=seeded())
    with pytest.raises(ArgumentError, match="depth"):
        SteerableNetwork(kind, kind, SE2(), depth=0, generator=seeded())
    with pytest.raises(ArgumentError, match="sizes"):
        MLP(0, 2, generator=seeded())
    with pytest.raises(ArgumentError, match="features"):
        make("steerable", SE2())(random_features(FeatureType(2, vectors=1)))


def test_linear_layer_agrees_with_e3nn():
    o3 = pytest.importorskip("e3nn.o3")
    ours = EquivariantLinear(FeatureType(3, 4, 3), FeatureType(3, 2, 5), O3(), bias=False, generator=seeded())
    theirs = o3.Linear("4x0e + 3x1o", "2x0e + 5x1o")
    # e3nn holds weights as (in, out) and divides by √in.
    weights = [2.0 * ours.scalars.weight.T.flatten(), 3**0.5 * ours.vectors.weight.T.flatten()]
    z = random_features(ours.in_type, (7,), torch.float32)
    with torch.no_grad():
        theirs.weight.copy_(torch.cat(weights))
        expected = theirs(z.flatten())
        assert torch.allclose(ours(z).flatten(), expected, atol=1e-6)
