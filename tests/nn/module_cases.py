"""Every layer and network, small, with something to put into it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from equiworld.groups import E3, O2, SE2, SE3, SO2, Dihedral, Group, Permutation, Product, Representation
from equiworld.nn import (
    MLP,
    BodiesNetwork,
    BodyChannels,
    CanonicalNetwork,
    CloudEncoder,
    EquivariantLinear,
    LabelledSteerableNetwork,
    RegularNetwork,
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

IN, OUT = (FeatureType(3, scalars=2, vectors=3, points=points) for points in (4, 2))
FLAT = FeatureType(3, scalars=2, vectors=3)
EXCHANGED = Representation(
    Product(SE2(), Permutation(3)).labels, Permutation(3).labels.natural["Permutation(3)"]
)
TWO = BodyChannels(
    ((), ()), ((0, 1), (2, 3)), (), (4,), (0, 2), slice(1, 2), (0, 4)
)  # place and heading each
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


class OnFeatures(nn.Module):
    """A block of scalars and vectors as a map of Features."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, z: Features) -> Features:
        return Features(*self.block(z.scalars, z.vectors), z.points)


def block() -> OnFeatures:
    return OnFeatures(
        SteerableNetwork(FLAT, FLAT, SE3(), scalars=2, vectors=3, depth=1, generator=seeded()).blocks[0]
    )


# Each makes a module, and what goes into it.
MODULES: dict[str, Callable[[], tuple[nn.Module, object]]] = {
    "SeededLinear": lambda: (SeededLinear(4, 3, generator=seeded()), drawn(5, 4)),
    "MLP": lambda: (MLP(4, 3, hidden=(8,), periodic=2, generator=seeded()), drawn(5, 4)),
    "VectorLinear": lambda: (VectorLinear(4, 3, turns=True, generator=seeded()), drawn(5, 2, 4)),
    "EquivariantLinear": lambda: (EquivariantLinear(IN, OUT, E3(), generator=seeded()), features(IN)),
    "ResidualBlock": lambda: (block(), features(FLAT)),
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
    "BodiesNetwork": lambda: (
        BodiesNetwork(
            FeatureType(2, vectors=5), FeatureType(2, vectors=4), SE2(), TWO, hidden=(8,), generator=seeded()
        ),
        features(FeatureType(2, vectors=5)),
    ),
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
