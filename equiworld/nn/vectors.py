"""Vector channels `(…, d, C)`: the linear maps and products that commute with rotations."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.groups.matrix_group import checked_group
from equiworld.nn.mlp import uniform_parameter
from equiworld.symmetry.features import Features, FeatureType

__all__ = [
    "VectorLinear",
    "admits_cross_products",
    "admits_quarter_turns",
    "check_dim",
    "mix_vectors",
    "quarter_turn",
    "relative_count",
    "relative_vectors",
]


def admits_quarter_turns(group: Group) -> bool:
    """Whether the 90° rotation J commutes with the group: rotations of the plane, no reflections."""
    return group.proper and group.dim == 2


def admits_cross_products(group: Group) -> bool:
    """Whether u × v is a vector of the group: rotations of space, no reflections."""
    return group.proper and group.dim == 3


def check_dim(group: Group, **kinds: FeatureType) -> None:
    """Refuse feature types whose dimension is not the group's."""
    checked_group("group", group)
    for name, kind in kinds.items():
        if not isinstance(kind, FeatureType):
            raise ArgumentError(name, kind, "a FeatureType")
        if kind.dim != group.dim:
            raise ArgumentError(name, kind, f"features of dimension {group.dim}, that of {group!r}")


def quarter_turn(vectors: Tensor) -> Tensor:
    """J v: (x, y) ↦ (−y, x) for vectors `(…, 2, C)`."""
    return torch.stack((-vectors[..., 1, :], vectors[..., 0, :]), -2)


def mix_vectors(vectors: Tensor, weight: Tensor, *, turns: bool) -> Tensor:
    """A v for weights A; with quarter turns, A v + B J v for weights A above B.

    Args:
        vectors: v, `(…, d, inputs)`.
        weight: `(outputs, inputs)`; `(2 · outputs, inputs)` with quarter turns.
        turns: admit the 90° rotation J (plane rotations only).

    Returns:
        `(…, d, outputs)`.

    >>> import torch
    >>> mix_vectors(torch.tensor([[1.0], [0.0]]), torch.tensor([[2.0], [5.0]]), turns=True).flatten()
    tensor([2., 5.])
    """
    if not turns:
        return F.linear(vectors, weight)
    # [[A, −B], [B, A]] on (x, y): one product, and no pass over the batch to turn what came out.
    straight, turned = weight.chunk(2)
    both = torch.cat((weight, torch.cat((-turned, straight))), 1)
    return F.linear(vectors.flatten(-2), both).view(*vectors.shape[:-1], straight.shape[0])


def relative_count(kind: FeatureType) -> int:
    """How many vector channels `relative_vectors` gives; a single point has no differences."""
    return kind.vectors + (kind.points if kind.points > 1 else 0)


def relative_vectors(features: Features) -> Tensor:
    """The vectors, and every point seen from the mean point: `(…, d, relative_count)`.

    Any weights on these are weights on points whose rows sum to zero, exactly: translations drop out
    before a weight is applied.
    """
    points = features.points
    if points.shape[-1] < 2:
        return features.vectors
    differences = points - points.mean(-1, keepdim=True)
    return torch.cat((features.vectors, differences), -1) if features.vectors.shape[-1] else differences


class VectorLinear(nn.Module):
    """Channel mixing of vectors without bias; with quarter turns, weights are a·I + b·J.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        turns: also admit the 90° rotation J (plane rotations only).
        generator: a CPU generator, the only source of randomness.
        gain: standard deviation of the outputs over that of the inputs.

    >>> import torch
    >>> layer = VectorLinear(3, 4, turns=True, generator=torch.Generator().manual_seed(0))
    >>> layer(torch.ones(7, 2, 3)).shape
    torch.Size([7, 2, 4])
    """

    def __init__(
        self, inputs: int, outputs: int, *, turns: bool, generator: torch.Generator, gain: float = 1.0
    ) -> None:
        super().__init__()
        self.turns = turns
        rows = 2 * outputs if turns else outputs
        # Two weights feed each output when J is admitted; √½ each keeps the variance.
        gain = gain * math.sqrt(0.5) if turns else gain
        self.weight = uniform_parameter((rows, inputs), inputs, generator, gain)

    def forward(self, vectors: Tensor) -> Tensor:
        """Map `(…, d, inputs)` to `(…, d, outputs)`."""
        return mix_vectors(vectors, self.weight, turns=self.turns)
