"""A residual network on scalars and vectors, equivariant layer by layer."""

from __future__ import annotations

import torch
from torch import nn

from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.nn.block import ResidualBlock
from equiworld.nn.linear import EquivariantLinear
from equiworld.nn.mlp import SeededLinear
from equiworld.nn.vectors import (
    VectorLinear,
    admits_cross_products,
    admits_quarter_turns,
    check_dim,
    relative_count,
)
from equiworld.symmetry.features import Features, FeatureType

__all__ = ["SteerableNetwork"]


class SteerableNetwork(nn.Module):
    """Features to features through residual blocks of scalars and vectors.

    Points enter as differences to their mean; points that come out are that mean plus vectors.
    Products are bounded, u·v/√(1+|v|²), and nothing is divided by a norm: outputs grow at most
    linearly, gradients stay finite at zero vectors. Plane rotations also get the 90° rotation, space
    rotations cross products; groups with reflections get neither.

    Args:
        in_type: channels that come in; bring lengths to order 1 first.
        out_type: channels that go out.
        group: the group to commute with.
        scalars: hidden scalar channels.
        vectors: hidden vector channels.
        depth: residual blocks, at least 1.
        generator: a CPU generator, the only source of randomness.

    Raises:
        ArgumentError: a dimension differs from the group's, a size is not positive, or there is
            nothing to make the vectors or points from.

    >>> import torch
    >>> from equiworld.groups import E3
    >>> network = SteerableNetwork(
    ...     FeatureType(3, scalars=2, points=4), FeatureType(3, scalars=1, vectors=2, points=1), E3(),
    ...     scalars=8, vectors=8, depth=2, generator=torch.Generator().manual_seed(0),
    ... ).double()
    >>> z = Features(torch.randn(5, 2).double(), torch.zeros(5, 3, 0).double(), torch.randn(5, 3, 4).double())
    >>> network(z).type
    FeatureType(dim=3, scalars=1, vectors=2, points=1)
    """

    def __init__(
        self,
        in_type: FeatureType,
        out_type: FeatureType,
        group: Group,
        *,
        scalars: int = 64,
        vectors: int = 32,
        depth: int = 2,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        check_dim(group, in_type=in_type, out_type=out_type)
        for name, value in (("scalars", scalars), ("vectors", vectors), ("depth", depth)):
            if value < 1:
                raise ArgumentError(name, value, "at least 1")
        if out_type.vectors and not relative_count(in_type):
            raise ArgumentError("out_type", out_type, f"no vectors: {in_type} has no vector and < 2 points")
        if out_type.points and not in_type.points:
            raise ArgumentError("out_type", out_type, f"no points: {in_type} has none")
        self.in_type, self.out_type, self.group = in_type, out_type, group
        width = vectors if relative_count(in_type) else 0
        hidden = FeatureType(group.dim, scalars, width)
        self.lift = EquivariantLinear(in_type, hidden, group, generator=generator)
        outputs = out_type.vectors + out_type.points
        self.blocks = nn.ModuleList(
            _block(
                scalars,
                width,
                group,
                updates=(index < depth - 1 or out_type.scalars > 0, index < depth - 1 or outputs > 0),
                gain=depth**-0.5,
                generator=generator,
            )
            for index in range(depth)
        )
        self.read_scalars = SeededLinear(scalars, out_type.scalars, generator=generator)
        turns = admits_quarter_turns(group)
        self.read_vectors = VectorLinear(width, outputs, turns=turns, generator=generator)

    def forward(self, features: Features) -> Features:
        """Map features of `in_type` to features of `out_type`, any batch shape."""
        if features.type != self.in_type:
            raise ArgumentError("features", features.type, f"features of {self.in_type}")
        lifted = self.lift(features)
        scalars, vectors = lifted.scalars, lifted.vectors
        for block in self.blocks:
            scalars, vectors = block(scalars, vectors)
        vectors = self.read_vectors(vectors)
        points = vectors[..., self.out_type.vectors :]
        if self.out_type.points:
            points = features.points.mean(-1, keepdim=True) + points
        return Features(self.read_scalars(scalars), vectors[..., : self.out_type.vectors], points)


def _block(
    scalars: int,
    vectors: int,
    group: Group,
    *,
    updates: tuple[bool, bool],
    gain: float,
    generator: torch.Generator,
) -> ResidualBlock:
    """A block of such a width. The last one may drop the update of a stream that nothing reads: no weight is idle."""
    turns, crosses = admits_quarter_turns(group), admits_cross_products(group)
    updates_scalars, updates_vectors = updates[0], updates[1] and vectors > 0
    outputs = scalars * updates_scalars + vectors * updates_vectors
    pairs = VectorLinear(vectors, 2 * vectors, turns=turns, generator=generator)
    first = SeededLinear(scalars + vectors, outputs, generator=generator)
    second = SeededLinear(scalars, scalars, gain=gain, generator=generator) if updates_scalars else None
    inputs = 2 * vectors if crosses else vectors
    mix = (
        VectorLinear(inputs, vectors, turns=turns, generator=generator, gain=gain)
        if updates_vectors
        else None
    )
    return ResidualBlock(pairs, first, second, mix, crosses=crosses)
