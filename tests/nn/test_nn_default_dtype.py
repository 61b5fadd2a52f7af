"""Layers and networks do not ask what torch's default dtype is: one seed, one set of bits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

import equiworld.nn
from equiworld.groups import E3, O2, SE2, SE3, SO2, Dihedral, Group, Permutation, Product, Representation
from equiworld.nn import (
    MLP,
    CanonicalNetwork,
    CloudEncoder,
    EquivariantLinear,
    Gate,
    LabelledSteerableNetwork,
    RegularNetwork,
    ScalarVectorBlock,
    SeededLinear,
    SteerableNetwork,
    TiedLinear,
    VectorLinear,
    hull_attention,
    orthonormal,
    soft_axes,
)
from equiworld.symmetry.arrows import frame_of
from equiworld.symmetry.features import Features, FeatureType
from equiworld.symmetry.frame import Frame

OTHERS = [torch.float64, torch.float16, torch.bfloat16]
IN, OUT = (FeatureType(3, scalars=2, vectors=3, points=points) for points in (4, 2))
FLAT = FeatureType(3, scalars=2, vectors=3)
EXCHANGED = Representation(
    Product(SE2(), Permutation(3)).labels, Permutation(3).labels.natural["Permutation(3)"]
)
CORNERS = Representation(Dihedral(3).labels, Dihedral(3).labels.natural["body"])


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float32, generator=seeded())


def features(kind: FeatureType) -> Features:
    return Features.unflatten(drawn(5, kind.size), kind)


def encoder(group: Group | None, dim: int) -> CloudEncoder:
    kind = FeatureType(dim, scalars=1, vectors=1, points=dim + 1)
    return CloudEncoder(kind, group, width=8, generator=seeded())


def canonical() -> CanonicalNetwork:
    def read_frame(z: Features) -> Frame:
        return frame_of(z.vectors, SE3(), origin=z.points[..., 0])

    return CanonicalNetwork(IN, OUT, SE3(), frame_of=read_frame, hidden=(8,), periodic=2, generator=seeded())


# Each makes a module, and what goes into it.
MODULES: dict[str, Callable[[], tuple[nn.Module, object]]] = {
    "SeededLinear": lambda: (SeededLinear(4, 3, generator=seeded()), drawn(5, 4)),
    "MLP": lambda: (MLP(4, 3, hidden=(8,), periodic=2, generator=seeded()), drawn(5, 4)),
    "VectorLinear": lambda: (VectorLinear(4, 3, turns=True, generator=seeded()), drawn(5, 2, 4)),
    "EquivariantLinear": lambda: (EquivariantLinear(IN, OUT, E3(), generator=seeded()), features(IN)),
    "Gate": lambda: (Gate(FLAT), features(Gate(FLAT).in_type)),
    "ScalarVectorBlock": lambda: (ScalarVectorBlock(FLAT, FLAT, SE3(), generator=seeded()), features(FLAT)),
    "TiedLinear": lambda: (TiedLinear(CORNERS, CORNERS, generator=seeded()), drawn(5, 2)),
    "LabelledSteerableNetwork": lambda: (
        LabelledSteerableNetwork(
            FeatureType(2, scalars=3, vectors=3),
            FeatureType(2, scalars=3, vectors=3),
            Product(SE2(), Permutation(3)),
            in_images=(EXCHANGED, EXCHANGED),
            out_images=(EXCHANGED, EXCHANGED),
            scalars=6,
            vectors=6,
            depth=1,
            generator=seeded(),
        ),
        features(FeatureType(2, scalars=3, vectors=3)),
    ),
    "RegularNetwork": lambda: (
        RegularNetwork(CORNERS, CORNERS, hidden=(12,), generator=seeded()),
        drawn(5, 2),
    ),
    "SteerableNetwork": lambda: (SteerableNetwork(IN, OUT, SE3(), generator=seeded()), features(IN)),
    "CanonicalNetwork": lambda: (canonical(), features(IN)),
    "CloudEncoder": lambda: (encoder(SE3(), 3), drawn(5, 3, 20)),
    "CloudEncoder, reflections": lambda: (encoder(E3(), 3), drawn(5, 3, 20)),
    "CloudEncoder, plane": lambda: (encoder(SE2(), 2), drawn(5, 2, 20)),
    "CloudEncoder, plane with reflections": lambda: (encoder(O2(), 2), drawn(5, 2, 20)),
    "CloudEncoder, plain": lambda: (encoder(None, 3), drawn(5, 3, 20)),
    "SteerableNetwork, plane": lambda: (
        SteerableNetwork(FeatureType(2, points=3), FeatureType(2, points=1), SO2(), generator=seeded()),
        features(FeatureType(2, points=3)),
    ),
}
FUNCTIONS: dict[str, Callable[[], list[Tensor]]] = {
    "hull_attention": lambda: list(hull_attention(drawn(5, 4, 3), drawn(5, 20, 3))),
    "soft_axes": lambda: [soft_axes(drawn(5, 3, 2), True, 0.1), soft_axes(drawn(5, 3, 3), False, 0.1)],
    "orthonormal": lambda: [orthonormal(drawn(5, 3, 3)), orthonormal(drawn(5, 3, 3), 0.1)],
}


def parts(value: object) -> list[Tensor]:
    return [value.scalars, value.vectors, value.points] if isinstance(value, Features) else [value]  # type: ignore


def made(name: str) -> tuple[dict[str, Tensor], list[Tensor], list[Tensor]]:
    """State and buffers, what comes out, and the gradients of the sum of its squares."""
    module, given = MODULES[name]()
    found = parts(module(given))
    weights = [weight for weight in module.parameters() if weight.numel()]
    gradients = torch.autograd.grad(sum(part.square().sum() for part in found), weights) if weights else ()
    return {**module.state_dict(), **dict(module.named_buffers())}, found, list(gradients)


@pytest.fixture(params=OTHERS, ids=str)
def another_default(request) -> Iterator[Callable[[], None]]:
    before = torch.get_default_dtype()
    yield lambda: torch.set_default_dtype(request.param)
    torch.set_default_dtype(before)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_the_same_bits(name, another_default):
    state, found, gradients = made(name)
    another_default()
    other_state, other, other_gradients = made(name)
    assert list(state) == list(other_state)
    for one, two in zip(
        [*state.values(), *found, *gradients],
        [*other_state.values(), *other, *other_gradients],
        strict=True,
    ):
        assert one.dtype == two.dtype == torch.float32
        assert torch.equal(one, two)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_the_same_bits(name, another_default):
    found = FUNCTIONS[name]()
    another_default()
    for one, two in zip(found, FUNCTIONS[name](), strict=True):
        assert one.dtype == two.dtype == torch.float32
        assert torch.equal(one, two)


def test_every_module_is_tried():
    exported = [getattr(equiworld.nn, name) for name in equiworld.nn.__all__]
    modules = {each.__name__ for each in exported if inspect.isclass(each) and issubclass(each, nn.Module)}
    assert modules == {name.partition(",")[0] for name in MODULES}
