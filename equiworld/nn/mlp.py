"""Plain perceptrons whose initial weights come from an explicit generator."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiworld.errors import ArgumentError

__all__ = ["MLP", "Periodic", "SeededLinear", "uniform_parameter"]


def uniform_parameter(
    shape: Sequence[int], fan_in: int, generator: torch.Generator, gain: float = 1.0
) -> nn.Parameter:
    """A float32 parameter drawn uniformly with standard deviation gain/√fan_in.

    Always float32, whatever torch's default dtype says, so that one seed means one set of bits.
    """
    if not isinstance(generator, torch.Generator):
        raise ArgumentError(
            "generator", generator, "a torch.Generator, such as torch.Generator().manual_seed(0)"
        )
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


class Periodic(nn.Module):
    """Learned sine features beside the inputs: x ↦ (x, sin(W x + b)).

    A perceptron learns sharp edges, such as contact, slowly from coordinates alone and fast from sines of
    them. Reference: Tancik et al., Fourier features let networks learn high frequency functions in low
    dimensional domains, NeurIPS 2020; here W is trained along.

    Args:
        inputs: size of the last axis that comes in, of order 1.
        count: sines to add.
        frequency: standard deviation of the initial weights [rad per unit of input].
        generator: a CPU generator, the only source of randomness.

    >>> import torch
    >>> Periodic(3, 8, generator=torch.Generator().manual_seed(0))(torch.zeros(5, 3)).shape
    torch.Size([5, 11])
    """

    def __init__(
        self, inputs: int, count: int, *, frequency: float = 3.0, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.weight = uniform_parameter((count, inputs), 1, generator, gain=frequency)
        phase = torch.empty(count, dtype=torch.float32)
        self.bias = nn.Parameter(phase.uniform_(-math.pi, math.pi, generator=generator))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map `(…, inputs)` to `(…, inputs + count)`."""
        return torch.cat((inputs, torch.sin(F.linear(inputs, self.weight, self.bias))), -1)


class MLP(nn.Module):
    """Linear layers with GELU between them; no symmetry.

    Args:
        inputs: size of the last axis that comes in.
        outputs: size of the last axis that goes out.
        hidden: sizes of the hidden layers; none makes it linear.
        periodic: sine features before the first layer; see `Periodic`.
        generator: a CPU generator, the only source of randomness.

    >>> import torch
    >>> network = MLP(5, 2, hidden=(16, 16), generator=torch.Generator().manual_seed(0))
    >>> network(torch.ones(3, 5)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        hidden: Sequence[int] = (256, 256),
        periodic: int = 0,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        sizes = (inputs + periodic, *hidden, outputs)
        if min(sizes) < 1:
            raise ArgumentError("sizes", sizes, "positive layer sizes")
        layers: list[nn.Module] = []
        if periodic:
            layers.append(Periodic(inputs, periodic, generator=generator))
        for index, (before, after) in enumerate(itertools.pairwise(sizes)):
            last = index == len(sizes) - 2
            # √2 keeps the signal's size through a GELU, which passes about half of it.
            gain = 1.0 if last else math.sqrt(2.0)
            layers.append(SeededLinear(before, after, gain=gain, generator=generator))
            if not last:
                layers.append(nn.GELU())
        self.layers = nn.Sequential(*layers)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map `(…, inputs)` to `(…, outputs)`."""
        return self.layers(inputs)

    def prepared(self) -> Callable[[Tensor], Tensor]:
        """`forward` for many calls in a row: looking up modules and weights costs more than small products do."""
        first = self.layers[0]
        wave_weights = (first.weight, first.bias) if isinstance(first, Periodic) else None
        weights = [(layer.weight, layer.bias) for layer in self.layers if isinstance(layer, SeededLinear)]
        hidden, last = weights[:-1], weights[-1]

        def run(values: Tensor) -> Tensor:
            if wave_weights is not None:
                values = torch.cat((values, torch.sin(F.linear(values, *wave_weights))), -1)
            for each in hidden:
                values = F.gelu(F.linear(values, *each))
            return F.linear(values, *last)

        return run
