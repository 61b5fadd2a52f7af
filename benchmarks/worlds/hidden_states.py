"""A world whose hidden state is known: scalars and vectors that relax at rates of their own, seen through a mixture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from equiworld.groups import SO3, Decomposition
from equiworld.groups.arrays import Array
from equiworld.nn import EquivariantLinear, SeededLinear
from equiworld.symmetry import Features, FeatureType
from equiworld.symmetry.latent_blocks import latent_blocks
from equiworld.training import BlockSIGReg, SIGReg

__all__ = ["BLOCKS", "KIND", "RATES", "HiddenStates", "Learned", "learned"]

KIND = FeatureType(3, scalars=4, vectors=6)
BLOCKS: Decomposition = latent_blocks(KIND, SO3())
RATES = np.repeat([0.2, 0.9], [KIND.scalars, 3 * KIND.vectors])
LOSSES = {"sigreg": SIGReg, "block-sigreg": BlockSIGReg}


@dataclass(frozen=True, eq=False)
class HiddenStates:
    """Pairs (x, x′): x = M h, h′ = A h + √(1 − A²) ε, h standard normal, M any matrix that commutes with the group.

    Attributes:
        mixing: M `(22, 22)`.
        stretch: of the law of h along the world's first axis; 1 is kept by the group.
    """

    mixing: Array
    stretch: float = 1.0

    @staticmethod
    def drawn(rng: np.random.Generator, stretch: float = 1.0) -> HiddenStates:
        """With a random mixture, of condition about 10."""
        mixing = np.zeros((KIND.size, KIND.size))
        for block in BLOCKS.blocks:
            m = block.multiplicity
            own = rng.normal(size=(m, m)) / m**0.5 + np.eye(m)
            mixing += block.basis @ np.kron(own, np.eye(block.dimension)) @ block.basis.T
        return HiddenStates(mixing, stretch)

    def pairs(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """x and x′, `(n, 22)` each."""
        hidden, noise = rng.normal(size=(2, n, KIND.size))
        for each in (hidden, noise):
            each[:, KIND.scalars :: KIND.dim] *= self.stretch
        after = RATES * hidden + np.sqrt(1 - RATES**2) * noise
        return hidden @ self.mixing.T, after @ self.mixing.T


@dataclass(frozen=True, eq=False)
class Learned:
    """A trained encoder and the linear dynamics of its latents.

    Attributes:
        encode: from x `(n, 22)` to latents `(n, 22)`.
        predict: from latents to the ones that follow.
        loss: at the end of training.
    """

    encode: Callable[[Array], Array]
    predict: Callable[[Array], Array]
    loss: float

    def error(self, x: Array, after: Array) -> float:
        """relMSE of one step, in latents."""
        z, target = self.encode(x), self.encode(after)
        return float(np.square(self.predict(z) - target).sum() / np.square(target - z).sum())


def learned(
    world: HiddenStates,
    regulariser: str,
    seed: int,
    *,
    equivariant: bool = True,
    steps: int = 300,
    batch: int = 256,
    weight: float = 0.5,
    favour: float | None = None,
) -> Learned:
    """Train an encoder and its dynamics by prediction of the next latent and a regulariser.

    Args:
        world: that pairs are drawn from, anew at each step.
        regulariser: "sigreg" or "block-sigreg".
        seed: of weights, pairs and directions.
        equivariant: whether encoder and dynamics, linear maps both, commute with the group. A network with products
            could make scalars of vectors, which have rates of their own.
        steps: of Adam, its rate from 1e-2 to 0 along a cosine.
        batch: pairs at each.
        weight: λ of the regulariser.
        favour: weight of |x_1 − z_1|², which asks the first vector of the latent to be the first that is seen: a loss
            that can tell labels apart.
    """
    rng, generator = np.random.default_rng([seed, 1]), torch.Generator().manual_seed(seed)
    encoder, dynamics = _networks(equivariant, generator)
    statistic = LOSSES[regulariser](weight, directions=32)
    parameters = [*encoder.parameters(), *dynamics.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    loss = torch.zeros(())
    for _ in range(steps):
        x, after = (torch.as_tensor(each).float() for each in world.pairs(batch, rng))
        z, target = _call(encoder, x), _call(encoder, after)
        apart = (_call(dynamics, z) - target).square().sum(-1).mean() / KIND.size
        asked = statistic.statistic(z, BLOCKS, rng)
        loss = (1 - weight) * apart + weight * asked
        if favour is not None:
            named = slice(KIND.scalars, KIND.scalars + KIND.dim)
            loss = loss + favour * (x[:, named] - z[:, named]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return Learned(_numbers(encoder), _numbers(dynamics), float(loss.detach()))


def _networks(equivariant: bool, generator: torch.Generator) -> tuple[nn.Module, nn.Module]:
    if not equivariant:
        plain = [SeededLinear(KIND.size, KIND.size, generator=generator) for _ in range(2)]
        return plain[0], plain[1]
    exact = [EquivariantLinear(KIND, KIND, SO3(), generator=generator) for _ in range(2)]
    return exact[0], exact[1]


def _call(network: nn.Module, values: Tensor) -> Tensor:
    if isinstance(network, SeededLinear):
        found: Tensor = network(values)
        return found
    z: Features = network(Features.unflatten(values, KIND))
    return z.flatten()


def _numbers(network: nn.Module) -> Callable[[Array], Array]:
    network = network.double()

    @torch.no_grad()
    def found(values: Array) -> Array:
        numbers: Array = _call(network, torch.as_tensor(values)).numpy()
        return numbers

    return found
