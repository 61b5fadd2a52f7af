"""The fast layer of scalars and vectors, against the same formulas written out slowly."""

import numpy as np
import pytest
import torch

from equiworld.errors import ArgumentError
from equiworld.groups import E2, E3, O2, O3, SE2, SE3, SO2, SO3, Cyclic, Dihedral
from equiworld.nn import EquivariantLinear, Gate, ScalarVectorBlock, gate
from equiworld.nn.vectors import mix_vectors
from equiworld.symmetry.features import Features, FeatureType
from equiworld.verify.equivariance import assert_equivariant, equivariance_residual

GROUPS = [SO2(), O2(), SE2(), E2(), SO3(), O3(), SE3(), E3(), Cyclic(4), Dihedral(3)]
# Narrower than a vector register, wider, and without scalars or vectors.
SIZES = [(3, 4, 2, 5), (40, 33, 70, 35), (0, 3, 2, 1), (4, 0, 3, 0), (2, 3, 0, 4)]
ROTATED = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def block_of(group, sizes=SIZES[0], **options):
    scalars_in, vectors_in, scalars, vectors = sizes
    kinds = FeatureType(group.dim, scalars_in, vectors_in), FeatureType(group.dim, scalars, vectors)
    return ScalarVectorBlock(*kinds, group, generator=seeded(), **options).double()


def random_features(kind, batch_shape=(6,)):
    return Features.unflatten(
        torch.randn(*batch_shape, kind.size, dtype=torch.float64, generator=seeded(1)), kind
    )


def slow_gate(scalars, vectors):
    kept = scalars.shape[-1] - vectors.shape[-1]
    passed, opening = scalars[..., :kept], scalars[..., kept:]
    return passed / (1 + torch.exp(-passed)), vectors / (1 + torch.exp(-opening))[..., None, :]


def slow_block(block, z):
    """The equations of the docstring, one channel of one axis after the other."""
    hidden = torch.einsum("oc,...c->...o", block.weight, z.scalars)
    if block.bias is not None:
        hidden = hidden + block.bias
    straight, turned = block.vector_weight, None
    if block.group.proper and block.group.dim == 2:
        straight, turned = block.vector_weight.chunk(2)
    mixed = torch.einsum("oc,...dc->...do", straight, z.vectors)
    if turned is not None:
        mixed = mixed + torch.einsum("oc,de,...ec->...do", turned, ROTATED, z.vectors)
    return slow_gate(hidden, mixed)


@pytest.mark.parametrize("recorded", [True, False], ids=["with gradients", "without"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("group", [SO2(), O2(), SO3(), O3()], ids=str)
def test_the_block_computes_its_equations(group, sizes, recorded):
    block = block_of(group, sizes)
    z = random_features(block.in_type)
    with torch.set_grad_enabled(recorded):
        out, (scalars, vectors) = block(z), slow_block(block, z)
    assert out.type == block.out_type
    assert torch.allclose(out.scalars, scalars, rtol=1e-13, atol=1e-13)
    assert torch.allclose(out.vectors, vectors, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("group", [SO2(), O2(), O3()], ids=str)
def test_its_gradients_are_those_of_the_equations(group):
    block = block_of(group)
    z = random_features(block.in_type).map(lambda tensor: tensor.requires_grad_())
    wanted = [z.scalars, z.vectors, *block.parameters()]
    out = block(z)
    fast = torch.autograd.grad(out.scalars.square().sum() + out.vectors.sin().sum(), wanted)
    scalars, vectors = slow_block(block, z)
    slow = torch.autograd.grad(scalars.square().sum() + vectors.sin().sum(), wanted)
    for one, other in zip(fast, slow, strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("recorded", [True, False], ids=["with gradients", "without"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_the_block_is_the_gate_after_the_linear_layer(group, bias, recorded):
    block = block_of(group, bias=bias)
    last = Gate(block.out_type)
    first = EquivariantLinear(block.in_type, last.in_type, group, bias=bias, generator=seeded()).double()
    z = random_features(block.in_type, (4, 3))
    with torch.set_grad_enabled(recorded):
        assert torch.equal(block(z).flatten(), last(first(z)).flatten())


@pytest.mark.exact
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("sizes", [SIZES[0], (64, 64, 64, 64)], ids=str)
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_the_block_is_equivariant(group, sizes, dtype):
    block = block_of(group, sizes).to(dtype)
    report = assert_equivariant(block, block.in_type, block.out_type, group)
    assert (report.reflections > 0) == (not group.proper)


def test_only_rotations_of_the_plane_get_quarter_turns():
    """Negative control: a mirror must break what a mirror does not admit."""
    for group, mirrors in ((SO2(), O2()), (SE2(), E2())):
        block = block_of(group)
        assert equivariance_residual(block, block.in_type, block.out_type, mirrors).residual > 1e-2
    space = block_of(SO3())
    assert_equivariant(space, space.in_type, space.out_type, O3())


@pytest.mark.parametrize("batch_shape", [(), (1,), (0,), (2, 3), (2, 1, 3)], ids=str)
@pytest.mark.parametrize("group", [SO2(), O3()], ids=str)
def test_any_batch_shape(group, batch_shape):
    block = block_of(group)
    z = random_features(block.in_type, batch_shape)
    with torch.inference_mode():
        out = block(z)
        assert out.batch_shape == batch_shape
        flat = out.flatten().reshape(-1, block.out_type.size)
        one_by_one = z.flatten().reshape(-1, block.in_type.size)
        for row, alone in zip(flat, one_by_one, strict=True):
            assert torch.allclose(row, block(Features.unflatten(alone, block.in_type)).flatten(), atol=1e-13)


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


def test_seeds_dtype_and_the_global_generator():
    before = torch.get_rng_state()
    kind = FeatureType(2, 3, 4)
    one, same, other = (
        ScalarVectorBlock(kind, kind, SO2(), generator=seeded(n)).state_dict() for n in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert sorted(one) == ["bias", "vector_weight", "weight"]
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["weight"], other["weight"])
    assert all(tensor.dtype == torch.float32 for tensor in one.values())


@pytest.mark.parametrize(
    ("sizes_in", "sizes_out", "named"),
    [
        ((1, 1, 1), (1, 1, 0), "in_type"),
        ((1, 1, 0), (1, 1, 1), "out_type"),
        ((1, 0, 0), (1, 1, 0), "out_type"),
    ],
)
def test_errors_name_the_argument(sizes_in, sizes_out, named):
    with pytest.raises(ArgumentError, match=named):
        ScalarVectorBlock(FeatureType(3, *sizes_in), FeatureType(3, *sizes_out), O3(), generator=seeded())
    with pytest.raises(ArgumentError, match="in_type"):
        ScalarVectorBlock(FeatureType(2, 1), FeatureType(2, 1), O3(), generator=seeded())


def test_points_that_come_in_and_none_that_go_out():
    """The linear layer drops them, whether there were any or not."""
    kinds = FeatureType(3, 2, 1, 3), FeatureType(3, 1, 2)
    layer = EquivariantLinear(*kinds, E3(), generator=seeded()).double()
    assert layer(random_features(kinds[0])).type == kinds[1]
    g = E3().sample(np.random.default_rng(0))
    z = random_features(kinds[0])
    moved, stayed = layer(z.transform(g)), layer(z).transform(g)
    assert torch.allclose(moved.vectors, stayed.vectors, atol=1e-12)
