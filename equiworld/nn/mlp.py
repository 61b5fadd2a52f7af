"""Plain perceptrons whose initial weights come from an explicit generator."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiworld.errors import ArgumentError

__all__ = ["MLP", "SeededLinear", "uniform_parameter"]


def uniform_parameter(
    shape: Sequence[int], fan_in: int, generator: torch.Generator, gain: float = 1.0
) -> nn.Parameter:
    """A float32 parameter drawn uniformly with standard deviation gain/√fan_in.

    Always float32, whatever torch's default dtype says, so that one seed means one set of bits.
    """
    bound = gain * math.sqrt(3.0 / max(fan_in, 1))
    values = torch.empty(*shape, dtype=torch.float32)
    return nn.Parameter(values.uniform_(-bound, bound, generator=generator))


class SeededLinear(nn.Module):
    """`nn.Linear` with kaiming-type weights and a zero bias from an explicit generator.

    `nn.Linear` itself always draws from the global generator.

    Args:
        inputs: size of the last axis that comes in; 0 leaves the bias.
        outputs: size of the last axis that goes out.
        bias: add a bias.
        gain: standard deviation of the outputs over that of the inputs.
        generator: a CPU generator, the only source of randomness.

    >>> import torch
    >>> SeededLinear(3, 2, generator=torch.Generator().manual_seed(0))(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """

    bias: nn.Parameter | None

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        bias: bool = True,
        gain: float = 1.0,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.weight = uniform_parameter((outputs, inputs), inputs, generator, gain)
        self.bias = nn.Parameter(torch.zeros(outputs, dtype=torch.float32)) if bias else None

    def forward(self, inputs: Tensor) -> Tensor:
        """Map `(…, inputs)` to `(…, outputs)`."""
        return F.linear(inputs, self.weight, self.bias)


class MLP(nn.Module):
    """Linear layers with SiLU between them; no symmetry.

    Args:
        inputs: size of the last axis that comes in.
        outputs: size of the last axis that goes out.
        hidden: sizes of the hidden layers; none makes it linear.
        generator: a CPU generator, the only source of randomness.

    >>> import torch
    >>> network = MLP(5, 2, hidden=(16, 16), generator=torch.Generator().manual_seed(0))
    >>> network(torch.ones(3, 5)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self, inputs: int, outputs: int, *, hidden: Sequence[int] = (256, 256), generator: torch.Generator
    ) -> None:
        super().__init__()
        sizes = (inputs, *hidden, outputs)
        if min(sizes) < 1:
            raise ArgumentError("sizes", sizes, "positive layer sizes")
        layers: list[nn.Module] = []
        for index, (before, after) in enumerate(itertools.pairwise(sizes)):
            last = index == len(sizes) - 2
            # √2 keeps the signal's size through a SiLU, which passes about half of it.
            gain = 1.0 if last else math.sqrt(2.0)
            layers.append(SeededLinear(before, after, gain=gain, generator=generator))
            if not last:
                layers.append(nn.SiLU())
        self.layers = nn.Sequential(*layers)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map `(…, inputs)` to `(…, outputs)`."""
        return self.layers(inputs)
