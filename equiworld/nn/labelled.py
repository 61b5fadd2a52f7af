"""The steerable network where labels mix channels: scalars and vectors whose hidden channels labels permute."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from equiworld.errors import ArgumentError
from equiworld.groups import Group, Representation
from equiworld.nn.block import ResidualBlock
from equiworld.nn.constant import Constant
from equiworld.nn.tied import TiedLinear
from equiworld.nn.vectors import mix_vectors
from equiworld.symmetry.features import Features, FeatureType

__all__ = ["LabelledSteerableNetwork"]


class _Vectors(nn.Module):
    """Channel mixing of vectors that commutes with what labels do to channels; with quarter turns, A + B J."""

    def __init__(
        self,
        rep_in: Representation,
        rep_out: Representation,
        copies: tuple[int, int],
        *,
        turns: bool,
        generator: torch.Generator,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.turns = turns
        gain = gain * math.sqrt(0.5) if turns else gain
        self.parts = nn.ModuleList(
            TiedLinear(rep_in, rep_out, *copies, bias=False, gain=gain, generator=generator)
            for _ in range(2 if turns else 1)
        )

    def forward(self, vectors: Tensor) -> Tensor:
        weights = [part.dense()[0] for part in self.parts if isinstance(part, TiedLinear)]
        return mix_vectors(vectors, torch.cat(weights), turns=self.turns)


class LabelledSteerableNetwork(nn.Module):
    """Scalars and vectors through residual blocks that commute with turns and with what labels do to channels.

    An element (R, label) takes scalars s to ρ(label) s and vectors V `(d, C)` to R V ρ(label)ᵀ. About an axis in space
    vectors come apart into their part across it, which turns, and their height, a scalar. Hidden channels are copies of
    the regular representation, which labels permute: gates, products and activations commute with that.

    Args:
        in_type: channels that come in, no points; bring lengths to order 1 first.
        out_type: channels that go out, no points.
        group: the group to commute with; a finite one has `RegularNetwork`, which asks for less.
        in_images: what labels do to the scalars and the vectors that come in.
        out_images: likewise, that go out.
        scalars: hidden scalar channels, rounded up to whole copies.
        vectors: hidden vector channels, likewise.
        depth: residual blocks.
        generator: a CPU generator, the only source of randomness.

    Raises:
        ArgumentError: points, or nothing to make vectors from.

    >>> import torch
    >>> from equiworld.groups import SE2, Permutation, Product
    >>> group = Product(SE2(), Permutation(2))
    >>> pair = Representation(group.labels, group.labels.natural["Permutation(2)"])
    >>> both, kind = (Representation.trivial(group.labels), pair), FeatureType(2, scalars=1, vectors=2)
    >>> network = LabelledSteerableNetwork(
    ...     kind, kind, group, in_images=both, out_images=both, scalars=8, vectors=8, depth=1,
    ...     generator=torch.Generator().manual_seed(0))
    >>> z = Features(torch.randn(5, 1), torch.randn(5, 2, 2), torch.zeros(5, 2, 0))
    >>> swapped = Features(z.scalars, z.vectors.flip(-1), z.points)
    >>> torch.allclose(network(swapped).vectors, network(z).vectors.flip(-1), atol=1e-5)
    True
    """

    def __init__(
        self,
        in_type: FeatureType,
        out_type: FeatureType,
        group: Group,
        *,
        in_images: tuple[Representation, Representation],
        out_images: tuple[Representation, Representation],
        scalars: int = 64,
        vectors: int = 32,
        depth: int = 2,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        if in_type.points or out_type.points:
            raise ArgumentError(
                "in_type, out_type", f"{in_type}, {out_type}", "points as vectors from some origin"
            )
        if not in_type.vectors:
            raise ArgumentError("in_type", in_type, "a vector or more; numbers alone have RegularNetwork")
        self.in_type, self.out_type, self.group = in_type, out_type, group
        labels = in_images[0].labels
        regular, order = Representation.regular(labels), labels.order
        inside, arrows = -(-scalars // order), -(-vectors // order)
        self.width, self.raised = inside * order, group.axis is not None
        basis = np.eye(group.dim) if group.axis is None else group.axis.basis
        self._basis = Constant(torch.tensor(basis, dtype=torch.float64))
        numbers, found = (each[0] + each[1] if self.raised else each[0] for each in (in_images, out_images))
        plane = self.raised or group.dim == 2
        turns, crosses = group.proper and plane, group.proper and not plane
        self.lift = TiedLinear(numbers, regular, 1, inside, generator=generator) if numbers.dim else None
        self.lift_vectors = _Vectors(in_images[1], regular, (1, arrows), turns=turns, generator=generator)
        gain = depth**-0.5
        self.blocks = nn.ModuleList(
            _block(regular, (inside, arrows), (turns, crosses), gain, generator) for _ in range(depth)
        )
        self.read = TiedLinear(regular, found, inside, 1, generator=generator) if found.dim else None
        self.read_vectors = (
            _Vectors(regular, out_images[1], (arrows, 1), turns=turns, generator=generator)
            if out_type.vectors
            else None
        )

    def forward(self, features: Features) -> Features:
        """Map features of `in_type` to features of `out_type`, any batch shape."""
        if features.type != self.in_type:
            raise ArgumentError("features", features.type, f"features of {self.in_type}")
        numbers, vectors = features.scalars, features.vectors
        basis = self._basis.like(vectors)
        if self.raised:
            vectors = basis.mT @ vectors
            numbers, vectors = torch.cat((numbers, vectors[..., 2, :]), -1), vectors[..., :2, :]
        vectors = self.lift_vectors(vectors)
        scalars = (
            numbers.new_zeros(*numbers.shape[:-1], self.width) if self.lift is None else self.lift(numbers)
        )
        for block in self.blocks:
            scalars, vectors = block(scalars, vectors)
        found = numbers[..., :0] if self.read is None else self.read(scalars)
        arrows = features.vectors[..., :0] if self.read_vectors is None else self.read_vectors(vectors)
        if self.raised and self.read_vectors is not None:
            heights = found[..., self.out_type.scalars :].unsqueeze(-2)
            arrows = basis @ torch.cat((arrows, heights), -2)
        return Features(found[..., : self.out_type.scalars], arrows, arrows[..., :0])


def _block(
    regular: Representation,
    copies: tuple[int, int],
    products: tuple[bool, bool],
    gain: float,
    generator: torch.Generator,
) -> ResidualBlock:
    """A block all of whose channels are copies of the regular representation."""
    scalars, vectors = copies
    turns, crosses = products
    pairs = _Vectors(regular, regular, (vectors, 2 * vectors), turns=turns, generator=generator)
    first = TiedLinear(regular, regular, scalars + vectors, scalars + vectors, generator=generator)
    second = TiedLinear(regular, regular, scalars, scalars, gain=gain, generator=generator)
    inputs = 2 * vectors if crosses else vectors
    mix = _Vectors(regular, regular, (inputs, vectors), turns=turns, generator=generator, gain=gain)
    return ResidualBlock(pairs, first, second, mix, crosses=crosses)
