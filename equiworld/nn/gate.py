"""The nonlinearity: SiLU on scalars, sigmoid gates on vectors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiworld.errors import ArgumentError
from equiworld.symmetry.features import Features, FeatureType

__all__ = ["Gate", "gate"]


def gate(scalars: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """SiLU the first scalars, multiply the vectors by the sigmoid of the last ones.

    Args:
        scalars: `(…, n0 + n1)`: n0 scalars, then one gate for each vector.
        vectors: `(…, d, n1)`.

    Returns:
        Scalars `(…, n0)` and vectors `(…, d, n1)`, the same up to rounding whether gradients are recorded or not.

    >>> import torch
    >>> [part.shape for part in gate(torch.zeros(5, 6), torch.zeros(5, 3, 2))]
    [torch.Size([5, 4]), torch.Size([5, 3, 2])]
    """
    gates = vectors.shape[-1]
    kept = scalars.shape[-1] - gates
    if torch.is_grad_enabled():
        passed, opening = scalars.split((kept, gates), -1)
        return F.silu(passed), vectors * torch.sigmoid(opening).unsqueeze(-2)
    # SiLU(s) = s σ(s), so one sigmoid serves both: fewer calls, and over whole rows, where it is vectorised; over
    # a few columns of them it takes five times as long. Backwards this form is the slower one.
    opened = torch.sigmoid(scalars)
    return scalars[..., :kept] * opened[..., :kept], vectors * opened[..., kept:].unsqueeze(-2)


class Gate(nn.Module):
    """Scalars s ↦ SiLU(s), vectors v ↦ σ(gate)·v, points as they are.

    No norm is divided by, so that rounding errors are not amplified near zero vectors.

    Args:
        out_type: what comes out. What goes in, `in_type`, has one more scalar for each vector.

    >>> import torch
    >>> layer = Gate(FeatureType(3, scalars=4, vectors=2))
    >>> layer.in_type
    FeatureType(dim=3, scalars=6, vectors=2, points=0)
    >>> layer(Features.zeros(layer.in_type, (5,), torch.float32)).type == layer.out_type
    True
    """

    def __init__(self, out_type: FeatureType) -> None:
        super().__init__()
        if not isinstance(out_type, FeatureType):
            raise ArgumentError("out_type", out_type, "a FeatureType")
        self.out_type = out_type
        self.in_type = out_type + FeatureType(out_type.dim, scalars=out_type.vectors)

    def forward(self, features: Features) -> Features:
        """Apply the gates to features of `in_type`."""
        if features.scalars.shape[-1] != self.in_type.scalars:
            raise ArgumentError("features", features.type, f"features of {self.in_type}")
        scalars, vectors = gate(features.scalars, features.vectors)
        return Features(scalars, vectors, features.points)
