"""The residual block of scalars and vectors, of which all steerable networks are made."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiworld.nn.gate import gate
from equiworld.nn.invariants import bounded, cross, inner

__all__ = ["ResidualBlock"]


class ResidualBlock(nn.Module):
    """One residual step: invariants of learned vector pairs join the scalars, scalars gate the vectors.

    (u, w) = pairs(v);  i = u·w/√(1+|w|²);  (h, γ) = first(s, i)
    s ← s + second(SiLU(h));  v ← v + σ(γ)·mix(v, u × w/√(1+|w|²) in space without reflections)

    It commutes with what its linear maps commute with: those of `SteerableNetwork` mix channels in any way, those of
    `LabelledSteerableNetwork` are tied over a group's labels.

    Args:
        pairs: from C vector channels to 2 C.
        first: from the scalars and C invariants to the hidden scalars, if any, and C gates, if vectors are updated.
        second: from the hidden scalars to the update of the scalars; None leaves them as they are.
        mix: from the C vector channels, and C cross products if any, to C; None leaves them as they are.
        crosses: whether there are cross products, for rotations of space only.

    >>> import torch
    >>> from equiworld.nn import SeededLinear, VectorLinear
    >>> generator = torch.Generator().manual_seed(0)
    >>> pairs, mix = (VectorLinear(3, n, turns=False, generator=generator) for n in (6, 3))
    >>> first, second = (SeededLinear(*sizes, generator=generator) for sizes in ((8, 8), (5, 5)))
    >>> block = ResidualBlock(pairs, first, second, mix)
    >>> s, v = torch.randn(7, 5), torch.randn(7, 2, 3)
    >>> mirror = torch.tensor([[-1.0, 0.0], [0.0, 1.0]])
    >>> torch.allclose(block(s, mirror @ v)[1], mirror @ block(s, v)[1], atol=1e-5)
    True
    """

    def __init__(
        self,
        pairs: nn.Module,
        first: nn.Module,
        second: nn.Module | None,
        mix: nn.Module | None,
        *,
        crosses: bool = False,
    ) -> None:
        super().__init__()
        self.pairs, self.first, self.second, self.mix, self.crosses = pairs, first, second, mix, crosses

    def forward(self, scalars: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Scalars `(…, n)` and vectors `(…, d, C)` after the step."""
        left, right = self.pairs(vectors).chunk(2, -1)
        right = bounded(right)
        hidden = self.first(torch.cat((scalars, inner(left, right)), -1))
        if self.mix is None:
            hidden = F.silu(hidden)
        else:
            mixed = torch.cat((vectors, cross(left, right)), -1) if self.crosses else vectors
            hidden, step = gate(hidden, self.mix(mixed))
            vectors = vectors + step
        return (scalars if self.second is None else scalars + self.second(hidden)), vectors
