"""A world whose hidden state is known: scalars and vectors that relax at rates of their own, seen through a mixture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from equiworld.groups import SO3, Decomposition
from equiworld.groups.arrays import Array
from equiworld.nn import EquivariantLinear, SeededLinear, SteerableNetwork
from equiworld.symmetry import Features, FeatureType
from equiworld.symmetry.latent_blocks import latent_blocks
from equiworld.training import BlockSIGReg, SIGReg

__all__ = ["BLOCKS", "KIND", "RATES", "HiddenStates", "Learned", "bent", "in_slice", "learned"]

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
        bend: how far what is seen is from linear: x ↦ x + bend·f(x), f a map without weights that commutes with the
            group. See `bent`.
        half_width: [°] of the slice that pairs come from: the first vector of h points at most so far from the world's
            first axis. 180 for the whole orbit.
    """

    mixing: Array
    stretch: float = 1.0
    bend: float = 0.0
    half_width: float = 180.0

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
        hidden, noise = self.hidden(n, rng), rng.normal(size=(n, KIND.size))
        noise[:, KIND.scalars :: KIND.dim] *= self.stretch
        after = RATES * hidden + np.sqrt(1 - RATES**2) * noise
        return self.seen(hidden), self.seen(after)

    def hidden(self, n: int, rng: np.random.Generator) -> Array:
        """h `(n, 22)`."""
        parts, found = list[Array](), 0
        while found < n:
            drawn = rng.normal(size=(n, KIND.size))
            drawn[:, KIND.scalars :: KIND.dim] *= self.stretch
            parts.append(drawn[in_slice(drawn, self.half_width)])
            found += len(parts[-1])
        return np.concatenate(parts)[:n]

    def seen(self, hidden: Array) -> Array:
        """x of h, `(n, 22)`."""
        return bent(hidden @ self.mixing.T, self.bend)


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
    width: int = 0,
    turned: bool = False,
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
        width: hidden channels of the encoder, which is not linear then; 0 for a linear one.
        turned: whether the regulariser looks at latents each turned by an element of its own.
        favour: weight of |x_1 − z_1|², which asks the first vector of the latent to be the first that is seen: a loss
            that can tell labels apart.
    """
    rng, generator = np.random.default_rng([seed, 1]), torch.Generator().manual_seed(seed)
    encoder, dynamics = _networks(equivariant, generator, width)
    statistic = LOSSES[regulariser](weight, directions=32)
    parameters = [*encoder.parameters(), *dynamics.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    loss = torch.zeros(())
    for _ in range(steps):
        x, after = (torch.as_tensor(each).float() for each in world.pairs(batch, rng))
        z, target = _call(encoder, x), _call(encoder, after)
        apart = (_call(dynamics, z) - target).square().sum(-1).mean() / KIND.size
        asked = statistic.statistic(_turned(z, rng) if turned else z, BLOCKS, rng)
        loss = (1 - weight) * apart + weight * asked
        if favour is not None:
            named = slice(KIND.scalars, KIND.scalars + KIND.dim)
            loss = loss + favour * (x[:, named] - z[:, named]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return Learned(_numbers(encoder), _numbers(dynamics), float(loss.detach()))


def in_slice(hidden: Array, half_width: float) -> NDArray[np.bool_]:
    """Of which h `(n, 22)` the first vector points at most `half_width` [°] from the world's first axis."""
    first = hidden[:, KIND.scalars : KIND.scalars + KIND.dim]
    found: NDArray[np.bool_] = first[:, 0] >= np.cos(np.radians(half_width)) * np.linalg.norm(first, axis=1)
    return found


def bent(values: Array, bend: float) -> Array:
    """x + bend·f(x) `(n, 22)`: f has the tanh of its scalars, and vectors times the tanh of their products with the
    next."""
    if not bend:
        return values
    scalars, vectors = np.split(values, [KIND.scalars], axis=1)
    vectors = vectors.reshape(-1, KIND.vectors, KIND.dim)
    gates = np.tanh((vectors * np.roll(vectors, 1, 1)).sum(-1, keepdims=True))
    found = [scalars + bend * np.tanh(scalars), (vectors * (1 + bend * gates)).reshape(len(values), -1)]
    return np.concatenate(found, axis=1)


def _turned(values: Tensor, rng: np.random.Generator) -> Tensor:
    turns = torch.as_tensor(SO3().sample_matrices(rng, len(values)), dtype=values.dtype)
    return Features.unflatten(values, KIND).moved(turns).flatten()


def _networks(equivariant: bool, generator: torch.Generator, width: int) -> tuple[nn.Module, nn.Module]:
    if not equivariant:
        plain = [SeededLinear(KIND.size, KIND.size, generator=generator) for _ in range(2)]
        return plain[0], plain[1]
    encoder: nn.Module
    if width:
        sizes = {"scalars": width, "vectors": width, "depth": 1}
        encoder = SteerableNetwork(KIND, KIND, SO3(), generator=generator, **sizes)
    else:
        encoder = EquivariantLinear(KIND, KIND, SO3(), generator=generator)
    return encoder, EquivariantLinear(KIND, KIND, SO3(), generator=generator)


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
