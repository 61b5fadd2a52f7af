"""The block that steerable networks are made of, and its gates, against the same formulas written out slowly."""

import numpy as np
import pytest
import torch

from equiworld.groups import E2, E3, O2, O3, SE2, SE3, SO2, SO3, Cyclic, Dihedral
from equiworld.nn import EquivariantLinear, ResidualBlock, SteerableNetwork, gate
from equiworld.nn.vectors import mix_vectors
from equiworld.symmetry.features import Features, FeatureType
from equiworld.verify.equivariance import assert_equivariant, equivariance_residual

GROUPS = [SO2(), O2(), SE2(), E2(), SO3(), O3(), SE3(), E3(), Cyclic(4), Dihedral(3)]
# Narrower than a vector register, and wider.
SIZES = [(3, 5), (40, 33), (1, 1)]
ROTATED = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network_of(group, sizes=SIZES[0], outputs=(2, 2)):
    """A network of one block, from features of the block's size."""
    kind, out = FeatureType(group.dim, *sizes), FeatureType(group.dim, *outputs)
    scalars, vectors = sizes
    options = {"scalars": scalars, "vectors": vectors, "depth": 1, "generator": seeded()}
    return SteerableNetwork(kind, out, group, **options).double()


def block_of(group, sizes=SIZES[0], outputs=(2, 2)):
    return network_of(group, sizes, outputs).blocks[0]


def on_features(block):
    return lambda z: Features(*block(z.scalars, z.vectors), z.points)


def random_features(kind, batch_shape=(6,)):
    return Features.unflatten(
        torch.randn(*batch_shape, kind.size, dtype=torch.float64, generator=seeded(1)), kind
    )


def slow_gate(scalars, vectors):
    kept = scalars.shape[-1] - vectors.shape[-1]
    passed, opening = scalars[..., :kept], scalars[..., kept:]
    return passed / (1 + torch.exp(-passed)), vectors / (1 + torch.exp(-opening))[..., None, :]


def slow_mix(group, weight, vectors):
    """Weights on channels, and on channels turned by a quarter, one axis after the other."""
    if not (group.proper and group.dim == 2):
        return torch.einsum("oc,...dc->...do", weight, vectors)
    straight, turned = weight.chunk(2)
    mixed = torch.einsum("oc,...dc->...do", straight, vectors)
    return mixed + torch.einsum("oc,de,...ec->...do", turned, ROTATED, vectors)


def slow_block(block, group, scalars, vectors):
    """The equations of the docstring; what the block does not update it has no weights for."""
    weights = dict(block.named_parameters())
    u, w = slow_mix(group, weights["pairs.weight"], vectors).chunk(2, -1)
    w = w / (1 + w.square().sum(-2, keepdim=True)).sqrt()
    row = torch.cat((scalars, (u * w).sum(-2)), -1)
    hidden = torch.einsum("oc,...c->...o", weights["first.weight"], row) + weights["first.bias"]
    step = torch.zeros_like(vectors)[..., :0]
    if "mix.weight" in weights:
        crossed = group.proper and group.dim == 3
        mixed = torch.cat((vectors, torch.linalg.cross(u, w, dim=-2)), -1) if crossed else vectors
        step = slow_mix(group, weights["mix.weight"], mixed)
    passed, step = slow_gate(hidden, step)
    if "mix.weight" in weights:
        vectors = vectors + step
    if "second.weight" in weights:
        scalars = scalars + torch.einsum("oc,...c->...o", weights["second.weight"], passed)
        scalars = scalars + weights["second.bias"]
    return scalars, vectors


@pytest.mark.parametrize("recorded", [True, False], ids=["with gradients", "without"])
@pytest.mark.parametrize("outputs", [(2, 2), (2, 0), (0, 2)], ids=["both", "scalars", "vectors"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("group", [SO2(), O2(), SO3(), O3()], ids=str)
def test_the_block_computes_its_equations(group, sizes, outputs, recorded):
    block = block_of(group, sizes, outputs)
    assert isinstance(block, ResidualBlock)
    z = random_features(FeatureType(group.dim, *sizes))
    with torch.set_grad_enabled(recorded):
        fast, slow = block(z.scalars, z.vectors), slow_block(block, group, z.scalars, z.vectors)
    for one, other in zip(fast, slow, strict=True):
        assert torch.allclose(one, other, rtol=1e-13, atol=1e-13)
    assert torch.equal(fast[0], z.scalars) == (outputs[0] == 0)  # what nothing reads stays
    assert torch.equal(fast[1], z.vectors) == (outputs[1] == 0)


@pytest.mark.parametrize("group", [SO2(), O2(), SO3(), O3()], ids=str)
def test_its_gradients_are_those_of_the_equations(group):
    block = block_of(group)
    z = random_features(FeatureType(group.dim, *SIZES[0])).map(lambda tensor: tensor.requires_grad_())
    wanted = [z.scalars, z.vectors, *block.parameters()]

    def slopes(scalars, vectors):
        return torch.autograd.grad(scalars.square().sum() + vectors.sin().sum(), wanted)

    fast, slow = (
        slopes(*found)
        for found in (block(z.scalars, z.vectors), slow_block(block, group, z.scalars, z.vectors))
    )
    for one, other in zip(fast, slow, strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.exact
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [SIZES[0], (64, 64)], ids=str)
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_the_block_is_equivariant(group, sizes, dtype):
    kind, block = FeatureType(group.dim, *sizes), block_of(group, sizes).to(getattr(torch, dtype))
    report = assert_equivariant(on_features(block), kind, kind, group, dtype=dtype)
    assert (report.reflections > 0) == (not group.proper)


def test_only_rotations_get_quarter_turns_and_cross_products():
    """Negative control: a mirror must break what a mirror does not admit."""
    for group, mirrors in ((SO2(), O2()), (SE2(), E2()), (SO3(), O3())):
        kind, block = FeatureType(group.dim, *SIZES[0]), block_of(group)
        assert equivariance_residual(on_features(block), kind, kind, mirrors).residual > 1e-2


@pytest.mark.parametrize("batch_shape", [(), (1,), (0,), (2, 3), (2, 1, 3)], ids=str)
@pytest.mark.parametrize("group", [SO2(), O3()], ids=str)
def test_any_batch_shape(group, batch_shape):
    kind, block = FeatureType(group.dim, *SIZES[0]), block_of(group)
    call = on_features(block)
    z = random_features(kind, batch_shape)
    with torch.inference_mode():
        out = call(z)
        assert out.batch_shape == batch_shape
        flat, one_by_one = out.flatten().reshape(-1, kind.size), z.flatten().reshape(-1, kind.size)
        for row, alone in zip(flat, one_by_one, strict=True):
            assert torch.allclose(row, call(Features.unflatten(alone, kind)).flatten(), atol=1e-13)


@pytest.mark.parametrize("sizes", [(3, 2), (64, 64), (0, 4), (5, 0)], ids=str)
def test_gates_are_the_same_with_and_without_gradients_and_spare_their_inputs(sizes):
    scalars, vectors = torch.randn(7, sum(sizes)).double(), torch.randn(7, 3, sizes[1]).double()
    kept = scalars.clone(), vectors.clone()
    recorded = gate(scalars, vectors)
    with torch.no_grad():
        bare = gate(scalars, vectors)
    for one, other, slow in zip(recorded, bare, slow_gate(*kept), strict=True):
        assert one.is_contiguous()
        assert other.is_contiguous()
        assert torch.allclose(one, slow, rtol=1e-14, atol=1e-14)
        assert torch.allclose(other, slow, rtol=1e-14, atol=1e-14)
    assert torch.equal(scalars, kept[0])
    assert torch.equal(vectors, kept[1])


def test_extreme_gates_stay_finite():
    scalars = torch.tensor([[-1e30, -200.0, 200.0, -1e30, -200.0, 1e30]])
    vectors = torch.ones(1, 2, 3)
    for recorded in (True, False):
        with torch.set_grad_enabled(recorded):
            passed, gated = gate(scalars, vectors)
        assert torch.equal(passed, torch.tensor([[0.0, 0.0, 200.0]]))
        assert torch.equal(gated, torch.tensor([[[0.0, 0.0, 1.0]] * 2]))


@pytest.mark.parametrize(("inputs", "outputs"), [(3, 4), (1, 1), (0, 2), (3, 0)])
def test_quarter_turns_in_one_product_are_quarter_turns(inputs, outputs):
    weight = torch.randn(2 * outputs, inputs, dtype=torch.float64, requires_grad=True)
    straight, turned = weight.chunk(2)
    vectors = torch.randn(5, 2, inputs, dtype=torch.float64)
    mixed = mix_vectors(vectors, weight, turns=True)
    expected = vectors @ straight.T + ROTATED @ vectors @ turned.T
    assert torch.allclose(mixed, expected, atol=1e-14)
    # Not contiguous, as features read from rows are.
    strided = vectors.transpose(-1, -2).contiguous().transpose(-1, -2)
    assert torch.equal(mix_vectors(strided, weight, turns=True), mixed)
    assert torch.autograd.gradcheck(lambda v, w: mix_vectors(v, w, turns=True), (vectors, weight))


def test_points_that_come_in_and_none_that_go_out():
    """The linear layer drops them, whether there were any or not."""
    kinds = FeatureType(3, 2, 1, 3), FeatureType(3, 1, 2)
    layer = EquivariantLinear(*kinds, E3(), generator=seeded()).double()
    assert layer(random_features(kinds[0])).type == kinds[1]
    g = E3().sample(np.random.default_rng(0))
    z = random_features(kinds[0])
    moved, stayed = layer(z.transform(g)), layer(z).transform(g)
    assert torch.allclose(moved.vectors, stayed.vectors, atol=1e-12)
