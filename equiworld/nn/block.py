"""The layer of scalars and vectors: linear maps, then gates, as one module."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.nn.gate import Gate, gate
from equiworld.nn.linear import EquivariantLinear
from equiworld.nn.vectors import mix_vectors
from equiworld.symmetry.features import Features, FeatureType

__all__ = ["ScalarVectorBlock"]


class ScalarVectorBlock(nn.Module):
    """s′ = SiLU(W s + b), v′ = σ(W_γ s + b_γ) · A v; for plane rotations A is a·I + b·J.

    The same map as `EquivariantLinear` and then `Gate`, with the same initial weights from the same generator,
    in two thirds of their time for a single example: no features in between and no modules inside.

    Args:
        in_type: channels that come in, no points; an `EquivariantLinear` makes vectors of points.
        out_type: channels that go out, no points.
        group: the group to commute with.
        bias: add a bias to scalars and gates; vectors never have one.
        generator: a CPU generator, the only source of randomness.

    Raises:
        ArgumentError: a type has points, its dimension differs from the group's, or there is nothing to make
            the vectors from.

    >>> import torch
    >>> from equiworld.groups import SO3
    >>> kind = FeatureType(3, scalars=4, vectors=2)
    >>> block = ScalarVectorBlock(kind, kind, SO3(), generator=torch.Generator().manual_seed(0))
    >>> z = Features(torch.randn(5, 4), torch.randn(5, 3, 2), torch.zeros(5, 3, 0))
    >>> g = SO3().rotation([0.3, -1.0, 2.0])
    >>> torch.allclose(block(z.transform(g)).vectors, block(z).transform(g).vectors, atol=1e-5)
    True
    """

    bias: nn.Parameter | None

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
        for name, kind in (("in_type", in_type), ("out_type", out_type)):
            if kind.points:
                raise ArgumentError(name, kind, "scalars and vectors only")
        linear = EquivariantLinear(in_type, Gate(out_type).in_type, group, bias=bias, generator=generator)
        self.in_type, self.out_type, self.group = in_type, out_type, group
        self.weight, self.bias = linear.scalars.weight, linear.scalars.bias
        self.vector_weight, self.turns = linear.vectors.weight, linear.vectors.turns

    def forward(self, features: Features) -> Features:
        """Map features of `in_type` to features of `out_type`, any batch shape."""
        # Weights are read here and not inside modules of their own: each module costs about 2 µs a call.
        hidden = F.linear(features.scalars, self.weight, self.bias)
        mixed = mix_vectors(features.vectors, self.vector_weight, turns=self.turns)
        scalars, vectors = gate(hidden, mixed)
        return Features(scalars, vectors, features.points)
