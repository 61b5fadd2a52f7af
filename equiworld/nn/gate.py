"""The nonlinearity: SiLU on scalars, sigmoid gates on vectors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["gate"]


def gate(scalars: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """SiLU the first scalars, multiply the vectors by the sigmoid of the last ones.

    No norm is divided by, so that rounding errors are not amplified near zero vectors.

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
