"""Tied layers over finite groups: exact, complete, at a plain layer's scale, and never stale."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from equiworld.errors import ArgumentError
from equiworld.groups import SE2, Cyclic, Dihedral, Labels, Permutation, Product, Representation, left_right
from equiworld.nn import MLP, RegularNetwork, TiedLinear

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def body(group):
    return Representation(group.labels, group.labels.natural["body"])


def ant_joints():
    """Four legs at the corners of a square, hip and ankle each: turned on, and mirrored with the hips' sign changed.

    The ankles' axes point in or out by turns, so that a quarter turn changes their signs.
    """
    inward = np.array([1.0, -1.0, 1.0, -1.0])
    turn, mirror = np.roll(np.eye(4), 1, axis=0), np.eye(4)[[3, 2, 1, 0]]
    images = []
    for legs, hip in ((turn, 1.0), (mirror, -1.0)):
        image = np.zeros((8, 8))
        image[::2, ::2], image[1::2, 1::2] = hip * legs, inward[:, None] * legs * inward
        images.append(image)
    return Representation.of(Dihedral(4).labels, images)


def quaternions():
    i = np.array([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0.0]])
    j = np.array([[0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0.0]])
    matrices = np.stack([sign * unit for unit in (np.eye(4), i, j, i @ j) for sign in (1, -1)])
    return Representation(Labels.of_matrices(matrices, (("i", 2), ("j", 4)), np.ones(8), {}), matrices)


def turned_basis(representation, seed=0):
    size = representation.dim
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]
    return Representation(representation.labels, basis @ representation.matrices @ basis.T)


def bodies(n):
    """n bodies that can be exchanged, each with a number that turns its sign where space is mirrored."""
    group = Product(SE2(), Permutation(n))
    return Representation(group.labels, group.labels.natural[f"Permutation({n})"])


def pairs():
    ant, triangle, quaternion = ant_joints(), body(Dihedral(3)), quaternions()
    invariant = Representation.trivial(triangle.labels, 2)
    mixed = triangle + Representation.sign(triangle.labels) + invariant
    regular = Representation.regular(triangle.labels)
    square = Product(Cyclic(4), Permutation(2))
    moved = Representation(square.labels, square.labels.natural["body"])
    slots = Representation(square.labels, square.labels.natural["Permutation(2)"])
    return {
        "ant joints": (ant, ant),
        "ant joints and regular": (ant, Representation.regular(ant.labels)),
        "regular": (regular, regular),
        "triangle": (triangle, triangle),
        "triangle to regular": (mixed, regular),
        "regular to triangle": (regular, mixed),
        "general to general": (mixed, mixed + triangle),
        "general to permutations": (mixed, regular + regular),
        "turns only": (body(Cyclic(5)), body(Cyclic(5))),
        "quaternions": (quaternion, turned_basis(quaternion)),
        "products": (moved.tensor(slots), moved + slots),
        "exchange": (bodies(3) + bodies(3), bodies(3)),
        "left and right": (body(left_right()), Representation.sign(left_right().labels)),
        "nothing in common": (triangle, Representation.sign(triangle.labels)),
    }


PAIRS = pairs()
REGULAR_PAIRS = {name: PAIRS[name] for name in PAIRS if name not in ("nothing in common",)}


def residual(function, rep_in, rep_out, copies=(1, 1), dtype=torch.float64):
    """The largest ‖f(ρ(h) x) − ρ'(h) f(x)‖ over all elements, relative to the largest output; rows at rest included."""
    x = torch.randn(16, copies[0] * rep_in.dim, generator=seeded(5), dtype=torch.float64).to(dtype)
    x[0] = 0
    with torch.no_grad():
        plain, worst = function(x).double(), 0.0
        for one, other in zip(rep_in.matrices, rep_out.matrices, strict=True):
            before = torch.from_numpy(np.kron(np.eye(copies[0]), one))
            after = torch.from_numpy(np.kron(np.eye(copies[1]), other))
            moved = function((x.double() @ before.T).to(dtype)).double()
            worst = max(worst, float((moved - plain @ after.T).abs().max()))
    assert bool(torch.isfinite(plain).all())
    return worst / max(float(plain.abs().max()), 1e-300)


def train(module, inputs, outputs, steps=5, dtype=torch.float64, optimizer=torch.optim.Adam):
    """A few steps towards something that is not equivariant at all."""
    x, y = torch.randn(32, inputs, generator=seeded(1)), torch.randn(32, outputs, generator=seeded(2))
    chosen = optimizer(module.parameters(), lr=0.05)
    for _ in range(steps):
        chosen.zero_grad()
        (module(x.to(dtype)) - y.to(dtype)).square().mean().backward()
        chosen.step()


def layer_of(name, copies=(2, 3), seed=0, dtype=torch.float64, **options):
    return TiedLinear(*PAIRS[name], *copies, generator=seeded(seed), **options).to(dtype)


# --- exactness -------------------------------------------------------------------------------------------


@pytest.mark.exact
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("name", PAIRS)
def test_a_layer_is_equivariant_before_and_after_training(name, dtype):
    rep_in, rep_out = PAIRS[name]
    layer = layer_of(name, dtype=dtype)
    assert residual(layer, rep_in, rep_out, (2, 3), dtype) <= TOLERANCE[dtype]
    if any(weight.numel() for weight in layer.parameters()):
        train(layer, layer.in_features, layer.out_features, dtype=dtype)
        assert layer(torch.ones(layer.in_features, dtype=dtype)).abs().max() > 0
    assert residual(layer, rep_in, rep_out, (2, 3), dtype) <= TOLERANCE[dtype]


@settings(max_examples=40, deadline=None)
@given(
    parts=st.lists(st.sampled_from(["sign", "trivial", "body", "turned", "regular"]), min_size=2, max_size=6),
    split=st.integers(1, 5),
    copies=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    seed=st.integers(0, 99),
)
def test_sums_of_anything_are_too(parts, split, copies, seed):
    group = Dihedral(3)
    known = {
        "sign": Representation.sign(group.labels),
        "trivial": Representation.trivial(group.labels, 2),
        "body": body(group),
        "turned": turned_basis(body(group), seed),
        "regular": Representation.regular(group.labels),
    }
    split = min(split, len(parts) - 1)
    sides = []
    for names in (parts[:split], parts[split:]):
        whole = known[names[0]]
        for name in names[1:]:
            whole = whole + known[name]
        sides.append(whole)
    layer = TiedLinear(*sides, *copies, generator=seeded(seed)).double()
    assert residual(layer, *sides, copies) <= 1e-12
    assert layer.weight.shape[-1] == round(np.mean(sides[0].characters * sides[1].characters))


@pytest.mark.parametrize("name", PAIRS)
def test_nothing_that_commutes_is_left_out(name):
    """As many independent free weights as ⟨χ, χ'⟩, and as many biases as ⟨1, χ'⟩."""
    rep_in, rep_out = PAIRS[name]
    layer = layer_of(name, (1, 1))
    count = round(np.mean(rep_in.characters * rep_out.characters))
    kept = round(np.mean(rep_out.characters))
    assert layer.weight.shape == (1, 1, count)
    assert (layer.bias is not None) == (kept > 0)
    if count:
        units = torch.eye(count, dtype=torch.float64)
        rows = [
            functional_call(layer, {"weight": unit.view(1, 1, -1)}, torch.eye(rep_in.dim).double())
            for unit in units
        ]
        assert torch.linalg.matrix_rank(torch.stack(rows).flatten(1)) == count
    if layer.bias is not None:
        assert layer.bias.numel() == kept


@pytest.mark.parametrize("name", ["ant joints", "triangle", "regular to triangle", "general to general"])
def test_an_untied_weight_and_a_bias_that_moves_are_noticed(name):
    """Negative controls of the residual itself."""
    rep_in, rep_out = PAIRS[name]
    layer = layer_of(name, (1, 1))
    with torch.no_grad():
        weight, bias = layer.dense()
        weight = weight.clone()
        bias = torch.zeros(rep_out.dim, dtype=torch.float64) if bias is None else bias.clone()
    assert residual(lambda x: F.linear(x, weight, bias), rep_in, rep_out) <= 1e-12
    untied = weight.clone()
    untied[0, 0] += 1e-3
    assert residual(lambda x: F.linear(x, untied, bias), rep_in, rep_out) > 1e-5
    moved = bias.clone()
    moved[0] += 1e-3
    assert residual(lambda x: F.linear(x, weight, moved), rep_in, rep_out) > 1e-5


def test_free_weights_of_signed_permutations_are_the_entries_themselves():
    layer = layer_of("ant joints", (1, 1))
    weight, _ = layer.dense()
    assert set(weight.abs().flatten().tolist()) <= {0.0, *layer.weight.abs().flatten().tolist()}
    moved = torch.tensor(PAIRS["ant joints"][0].matrices)
    assert torch.equal(moved @ weight, weight @ moved)  # to the last bit


# --- size at the start -----------------------------------------------------------------------------------


@pytest.mark.parametrize("gain", [1.0, math.sqrt(2.0)])
@pytest.mark.parametrize("name", [name for name in PAIRS if name != "nothing in common"])
def test_outputs_start_at_the_size_of_the_inputs(name, gain):
    """Each number by itself, as far as anything that comes in can reach it: here all of it can."""
    rep_in, rep_out = PAIRS[name]
    if name in ("left and right", "products"):  # where some of it cannot be reached from what comes in
        rep_in = Representation.regular(rep_in.labels)
    found = []
    for seed in range(60):
        layer = TiedLinear(rep_in, rep_out, 4, 8, gain=gain, generator=seeded(seed))
        weight, bias = layer.dense()
        assert bias is None or not bias.any()
        found.append(weight.detach().square().sum(1).view(8, -1).mean(0))
    assert torch.allclose(torch.stack(found).mean(0), torch.tensor(gain**2), rtol=0.25)


def test_with_the_group_of_one_element_it_is_the_plain_perceptron():
    labels = Labels.trivial()
    sides = Representation.trivial(labels, 5), Representation.trivial(labels, 3)
    network = RegularNetwork(*sides, hidden=(16, 8), generator=seeded(3))
    plain = MLP(5, 3, hidden=(16, 8), generator=seeded(3))
    for layer, other in zip(
        network.layers, [each for each in plain.layers if hasattr(each, "weight")], strict=True
    ):
        drawn, expected = layer.weight.flatten().sort().values, other.weight.flatten().sort().values
        assert torch.allclose(
            drawn, expected, atol=1e-7
        )  # the same draws, in the last layer in another order
        assert layer.bias.numel() == other.bias.numel()
        other.load_state_dict(dict(zip(("weight", "bias"), layer.dense(), strict=True)))
    x = torch.randn(7, 5, generator=seeded())
    assert torch.allclose(network(x), plain(x), atol=1e-6)


# --- what is kept is never stale -------------------------------------------------------------------------


def fresh(layer, x):
    """With gradients recorded, nothing kept is used."""
    assert torch.is_grad_enabled()
    return layer(x).detach()


def changed_in_place(layer):
    with torch.no_grad():
        layer.weight.mul_(2.0)


def changed_behind_the_counter(layer):
    layer.weight.data.mul_(0.5)  # as stable-baselines3 moves its target networks
    if layer.bias is not None:
        torch.add(layer.bias.data, 1.0, out=layer.bias.data)


def changed_by_training(layer):
    train(layer, layer.in_features, layer.out_features, steps=1)


def changed_by_loading(layer):
    layer.load_state_dict(
        copy.deepcopy(layer).requires_grad_(False).state_dict() | {"weight": layer.weight + 1.0}
    )


def changed_by_assigning(layer):
    layer.load_state_dict({name: value + 1.0 for name, value in layer.state_dict().items()}, assign=True)


def replaced(layer):
    layer.weight = nn.Parameter(layer.weight.detach() * 3.0)


CHANGES = [
    changed_in_place,
    changed_behind_the_counter,
    changed_by_training,
    changed_by_loading,
    changed_by_assigning,
    replaced,
]


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("name", ["ant joints", "general to general", "triangle to regular"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_of_the_weights_is_seen(change, name, mode):
    layer = getattr(layer_of(name), mode)()
    x = torch.randn(4, layer.in_features, generator=seeded(), dtype=torch.float64)
    with torch.no_grad():
        before = layer(x)
        assert layer.dense()[0] is layer.dense()[0]
    change(layer)
    with torch.no_grad():
        after = layer(x)
    assert not torch.allclose(before, after)
    assert torch.equal(after, fresh(layer, x))
    assert residual(layer, *PAIRS[name], (2, 3)) <= 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("place", [0, 12_345, -1])
def test_one_number_of_a_wide_layer_is_seen(place, dtype):
    layer = layer_of("ant joints", (64, 64), dtype=dtype)
    with torch.inference_mode():
        before = layer.dense()[0]
        assert layer.dense()[0] is before
        free = layer.weight.data.view(-1)
        free[place] = torch.nextafter(free[place], torch.tensor(torch.inf, dtype=dtype))
        after = layer.dense()[0]
        assert after is layer.dense()[0]
        assert not torch.equal(before, after)


@pytest.mark.parametrize(
    "name", ["ant joints", "general to general", "triangle to regular", "regular to triangle"]
)
def test_precision_that_was_changed_twice_is_whole_again(name):
    """The weights are rounded by float32, the ties are not."""
    layer = layer_of(name, dtype=torch.float32).eval()
    x = torch.randn(4, layer.in_features, generator=seeded(), dtype=torch.float64)
    with torch.no_grad():
        single = layer(x.float())
        double = layer.double()(x)
        assert double.dtype == torch.float64
        assert torch.allclose(double.float(), single, atol=1e-5)
        assert layer.half().to(torch.float32)(x.float()).dtype == torch.float32
    assert residual(layer.double(), *PAIRS[name], (2, 3)) <= 1e-12


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))], ids=["deep", "pickle"]
)
def test_copies_are_whole_and_independent(copied):
    rep_in, rep_out = PAIRS["triangle"]
    network = RegularNetwork(rep_in, rep_out, hidden=(12,), generator=seeded()).double().eval()
    x = torch.randn(4, 2, generator=seeded(), dtype=torch.float64)
    with torch.no_grad():
        expected = network(x)
        twin = copied(network)
        assert torch.equal(twin(x), expected)
        for weight in twin.parameters():
            weight += 0.3
        assert torch.equal(network(x), expected)
        assert not torch.allclose(twin(x), expected)
    assert torch.equal(twin(x).detach(), twin.prepared()(x).detach())
    assert residual(twin, rep_in, rep_out) <= 1e-12


def test_the_state_is_the_free_weights_alone():
    layer = layer_of("triangle")
    with torch.no_grad():
        layer(torch.zeros(4, dtype=torch.float64))
    assert sorted(layer.state_dict()) == ["weight"]  # a triangle keeps no vector
    assert sorted(layer_of("regular").state_dict()) == ["bias", "weight"]
    assert layer_of("regular", bias=False).bias is None
    assert not list(layer.buffers())


def test_the_bias_of_the_ant_moves_all_ankles_inward():
    layer = layer_of("ant joints", (1, 1))
    with torch.no_grad():
        layer.bias.fill_(0.5)
        bias = layer.dense()[1] * layer.dense()[1][1].sign()
    assert torch.equal(bias, torch.tensor([0, 0.5, 0, -0.5, 0, 0.5, 0, -0.5], dtype=torch.float64))


def test_gradients_reach_inputs_and_weights_in_any_mode():
    for name in ("ant joints", "general to general"):
        layer = layer_of(name, (1, 2)).eval()
        x = torch.randn(3, layer.in_features, dtype=torch.float64, generator=seeded(), requires_grad=True)
        with torch.inference_mode():
            layer(x)  # what is kept from here must serve where gradients are recorded
        assert torch.autograd.gradcheck(
            lambda x, w, layer=layer: functional_call(layer, {"weight": w}, x), (x, layer.weight)
        )
        layer.requires_grad_(False)
        assert layer.dense()[0] is layer.dense()[0]
        (slope,) = torch.autograd.grad(layer(x).sum(), x)
        assert torch.allclose(slope, layer.dense()[0].sum(0).expand_as(slope))


def test_autocast_leaves_nothing_behind():
    rep_in, rep_out = PAIRS["triangle"]
    network, x = RegularNetwork(rep_in, rep_out, generator=seeded()), torch.randn(4, 2, generator=seeded())
    with torch.no_grad():
        expected = copy.deepcopy(network)(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert network(x).dtype == torch.bfloat16
        assert torch.equal(network(x), expected)


def test_ensembles_by_vmap():
    rep_in, rep_out = PAIRS["ant joints"]
    networks = [RegularNetwork(rep_in, rep_out, hidden=(16,), generator=seeded(n)) for n in range(3)]
    x = torch.randn(4, 8, generator=seeded())
    with torch.no_grad():
        weights = stack_module_state(networks)
        skeleton = copy.deepcopy(networks[0])
        skeleton(x)
        found = vmap(lambda *state: functional_call(skeleton, state, (x,)))(*weights)
        expected = torch.stack([network(x) for network in networks])
        assert torch.allclose(found, expected, atol=1e-5)
        assert torch.equal(skeleton(x), networks[0](x))


# --- networks --------------------------------------------------------------------------------------------


@pytest.mark.exact
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("name", REGULAR_PAIRS)
def test_a_network_is_equivariant_before_and_after_training(name, dtype):
    rep_in, rep_out = PAIRS[name]
    network = RegularNetwork(rep_in, rep_out, hidden=(24, 30), generator=seeded()).to(dtype)
    for optimizer in (None, torch.optim.Adam, torch.optim.SGD):
        if optimizer is not None:
            train(network, rep_in.dim, rep_out.dim, dtype=dtype, optimizer=optimizer)
        for mode in (network.train(), network.eval()):
            assert residual(mode, rep_in, rep_out, dtype=dtype) <= TOLERANCE[dtype]
    x = torch.randn(6, rep_in.dim, generator=seeded(), dtype=torch.float64).to(dtype)
    assert network(x).std(0).max() > 1e-3


def test_it_learns_what_is_equivariant():
    """(x, y) ↦ (x² − y², −2xy) commutes with the turns and mirrors of a triangle and with no more."""
    plane = body(Dihedral(3))
    network = RegularNetwork(plane, plane, hidden=(48, 48), generator=seeded())
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    x = torch.rand(512, 2, generator=seeded()) * 2 - 1
    y = torch.stack((x[:, 0].square() - x[:, 1].square(), -2 * x[:, 0] * x[:, 1]), -1)
    assert (
        residual(
            lambda x: torch.stack((x[:, 0] ** 2 - x[:, 1] ** 2, -2 * x[:, 0] * x[:, 1]), -1), plane, plane
        )
        < 1e-12
    )
    for _ in range(150):
        optimizer.zero_grad()
        loss = (network(x) - y).square().mean()
        loss.backward()
        optimizer.step()
    assert loss < 0.01 * y.square().mean()


def test_hidden_layers_are_as_wide_as_asked_in_whole_copies():
    network = RegularNetwork(*PAIRS["ant joints"], hidden=(64, 65, 1), generator=seeded())
    assert [layer.out_features for layer in network.layers] == [64, 72, 8, 8]
    linear = RegularNetwork(*PAIRS["triangle"], hidden=(), generator=seeded())
    x = torch.randn(3, 2, generator=seeded())
    assert torch.allclose(linear(2 * x), 2 * linear(x), atol=1e-6)


def test_any_batch_shape_and_prepared_calls():
    network = RegularNetwork(*PAIRS["ant joints"], hidden=(16,), generator=seeded()).double()
    for shape in ((), (1,), (0,), (2, 3)):
        x = torch.randn(*shape, 8, dtype=torch.float64, generator=seeded())
        assert network(x).shape == (*shape, 8)
        assert torch.equal(network.prepared()(x), network(x))
    rows = torch.randn(5, 8, dtype=torch.float64, generator=seeded())
    assert torch.allclose(network(rows), torch.stack([network(row) for row in rows]), atol=1e-13)


def test_one_seed_is_one_set_of_bits_whatever_the_default():
    rep_in, rep_out = PAIRS["general to general"]
    before, default = torch.get_rng_state(), torch.get_default_dtype()
    x = torch.randn(4, rep_in.dim, generator=seeded())
    kinds = (
        lambda seed: RegularNetwork(rep_in, rep_out, hidden=(12,), generator=seeded(seed)),
        lambda seed: TiedLinear(rep_in, rep_out, generator=seeded(seed)),
    )
    for make in kinds:
        one, other = make(1), make(2)
        try:
            torch.set_default_dtype(torch.float64)
            same = make(1)
            found = same(x)
        finally:
            torch.set_default_dtype(default)
        assert found.dtype == torch.float32
        assert torch.equal(found, one(x))
        assert all(torch.equal(value, same.state_dict()[name]) for name, value in one.state_dict().items())
        assert not torch.allclose(one(x), other(x))
    assert torch.equal(torch.get_rng_state(), before)


# --- what is refused -------------------------------------------------------------------------------------


class _PerNumber(nn.Module):
    """A slope for each hidden number, equal at first."""

    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.ones(24))

    def forward(self, x):
        return x * self.slope


@pytest.mark.parametrize(
    "activation",
    [
        _PerNumber(),
        nn.BatchNorm1d(24),
        nn.GLU(),
        lambda x: x * torch.arange(x.shape[-1]),
        lambda x: x.cumsum(-1),
    ],
)
def test_activations_that_tell_numbers_apart_are_refused(activation):
    rep_in, rep_out = PAIRS["triangle"]
    with pytest.raises(ArgumentError, match="activation"):
        RegularNetwork(rep_in, rep_out, hidden=(24,), activation=activation, generator=seeded())


@pytest.mark.parametrize("activation", [nn.PReLU(), nn.SiLU(), torch.tanh, torch.relu])
def test_other_activations_stay_exact(activation):
    rep_in, rep_out = PAIRS["triangle"]
    network = RegularNetwork(
        rep_in, rep_out, hidden=(24,), activation=activation, generator=seeded()
    ).double()
    train(network, 2, 2)
    assert residual(network, rep_in, rep_out) <= 1e-12


def test_errors_name_the_argument():
    triangle, ant = body(Dihedral(3)), ant_joints()
    for make in (TiedLinear, RegularNetwork):
        with pytest.raises(ArgumentError, match=r"rep_out: .*same group"):
            make(triangle, ant, generator=seeded())
        with pytest.raises(ArgumentError, match="rep_in: got Dihedral"):
            make(Dihedral(3), ant, generator=seeded())
    for name in ("channels_in", "channels_out"):
        with pytest.raises(ArgumentError, match=name):
            TiedLinear(ant, ant, **{name: 0}, generator=seeded())
    with pytest.raises(ArgumentError, match="hidden"):
        RegularNetwork(ant, ant, hidden=(0,), generator=seeded())
    with pytest.raises(ArgumentError, match="at least 1 each"):
        RegularNetwork(Representation.trivial(ant.labels, 0), ant, generator=seeded())
    with pytest.raises(ArgumentError, match="inputs: got 7 numbers; expected 8"):
        TiedLinear(ant, ant, generator=seeded())(torch.zeros(2, 7))
    assert "free weights" in repr(TiedLinear(ant, ant, generator=seeded()))


def test_layers_without_inputs_have_a_bias():
    triangle = body(Dihedral(3))
    nothing, numbers = Representation.trivial(triangle.labels, 0), Representation.trivial(triangle.labels, 3)
    layer = TiedLinear(nothing, numbers, generator=seeded())
    with torch.no_grad():
        layer.bias += 1.0
        assert torch.equal(layer(torch.zeros(2, 0)), torch.ones(2, 3))
    assert TiedLinear(triangle, nothing, generator=seeded())(torch.zeros(2, 2)).shape == (2, 0)


@pytest.mark.parametrize("name", ["ant joints", "general to general", "triangle to regular"])
def test_calls_without_gradients_leave_nothing_that_breaks_training(name):
    """Weights of another dtype, first met in inference mode and from outside the module."""
    layer = layer_of(name, dtype=torch.bfloat16)
    x = torch.randn(3, layer.in_features, generator=seeded()).to(torch.bfloat16)
    with torch.inference_mode():
        functional_call(layer, {"weight": layer.weight * 2}, x)
    layer(x).square().sum().backward()
    assert layer.weight.grad.abs().max() > 0


@pytest.mark.parametrize("copies", [(4, 2), (2, 4), (3, 3)])
@pytest.mark.parametrize("make", [ant_joints, quaternions, lambda: turned_basis(ant_joints())])
def test_orthogonal_weights_are_isometries_that_commute(make, copies):
    given, inputs, outputs = make(), *copies
    regular = Representation.regular(given.labels)
    for source, target in ((given, regular), (regular, regular), (regular, given), (given, given)):
        layer = TiedLinear(source, target, inputs, outputs, generator=seeded()).double()
        layer.orthogonal_(1.5, seeded(1))
        weight = layer.dense()[0].detach()
        values = torch.linalg.svdvals(weight)
        assert (torch.minimum((values - 1.5).abs(), values) < 1e-9).all()
        assert values.max() > 1
        if source is target:  # nothing is kept apart
            assert values.min() > 1
        for element in range(source.labels.order):
            before = np.kron(np.eye(inputs), source.matrices[element])
            after = np.kron(np.eye(outputs), target.matrices[element])
            assert np.abs(weight.numpy() @ before - after @ weight.numpy()).max() < 1e-12


def test_a_plain_orthogonal_matrix_does_not_commute():
    """The negative control: what `ortho_init` of stable-baselines3 would make of these weights."""
    joints = ant_joints()
    weight = nn.init.orthogonal_(torch.empty(8, 8, dtype=torch.float64), generator=seeded()).numpy()
    turn = joints.matrices[1]
    assert np.abs(weight @ turn - turn @ weight).max() > 0.1
