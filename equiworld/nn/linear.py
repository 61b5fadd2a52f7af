"""The linear (affine) maps between typed features that commute with a group."""

from __future__ import annotations

import torch
from torch import nn

from equiworld.arguments import flag
from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.nn.mlp import SeededLinear
from equiworld.nn.vectors import (
    VectorLinear,
    admits_quarter_turns,
    check_dim,
    relative_count,
    relative_vectors,
)
from equiworld.symmetry.features import Features, FeatureType

__all__ = ["EquivariantLinear"]


class EquivariantLinear(nn.Module):
    """Scalars any weights and bias; vectors mix channels; points weigh to sums of one (points) or zero.

    With the mean point p̄ and x = (vectors, points − p̄): s′ = W s + b, v′ = A x, p′ = p̄ + B x.
    Weights that act on points − p̄ are weights on points whose rows sum to zero, so v′ ignores
    translations and p′ follows them. For plane rotations A and B are a·I + b·J with the 90° rotation
    J; no group with reflections gets J. Points stay points even if the group has no translations,
    and finite groups get the layers of the continuous group around them.

    Args:
        in_type: channels that come in.
        out_type: channels that go out.
        group: the group to commute with.
        bias: add a bias to the scalars; vectors never have one.
        generator: a CPU generator, the only source of randomness.

    Raises:
        ArgumentError: a dimension differs from the group's, or there is nothing to make the vectors
            or points from.

    >>> import torch
    >>> from equiworld.groups import SE2
    >>> layer = EquivariantLinear(
    ...     FeatureType(2, vectors=1, points=3), FeatureType(2, vectors=4, points=1), SE2(),
    ...     generator=torch.Generator().manual_seed(0),
    ... )
    >>> z = Features(torch.zeros(5, 0), torch.randn(5, 2, 1), torch.randn(5, 2, 3))
    >>> g = SE2().rotation(1.0)
    >>> torch.allclose(layer(z.transform(g)).points, layer(z).transform(g).points, atol=1e-5)
    True
    """

    def __init__(
        self,
        in_type: FeatureType,
        out_type: FeatureType,
        group: Group,
        *,
        bias: bool = True,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        bias = flag("bias", bias)
        check_dim(group, in_type=in_type, out_type=out_type)
        if out_type.vectors and not relative_count(in_type):
            raise ArgumentError("out_type", out_type, f"no vectors: {in_type} has no vector and < 2 points")
        if out_type.points and not in_type.points:
            raise ArgumentError("out_type", out_type, f"no points: {in_type} has none")
        self.in_type, self.out_type, self.group = in_type, out_type, group
        self.scalars = SeededLinear(in_type.scalars, out_type.scalars, bias=bias, generator=generator)
        self.vectors = VectorLinear(
            relative_count(in_type),
            out_type.vectors + out_type.points,
            turns=admits_quarter_turns(group),
            generator=generator,
        )

    def forward(self, features: Features) -> Features:
        """Map features of `in_type` to features of `out_type`, any batch shape."""
        scalars = self.scalars(features.scalars)
        vectors = self.vectors(relative_vectors(features))
        count, points = self.out_type.points, features.points
        if not count:
            # No points in are no points out: for a single example a slice is a third of a product.
            return Features(scalars, vectors, points[..., :0] if points.shape[-1] else points)
        vectors, shifts = vectors.split((self.out_type.vectors, count), -1)
        return Features(scalars, vectors, points.mean(-1, keepdim=True) + shifts)
