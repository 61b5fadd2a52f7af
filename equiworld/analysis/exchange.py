"""Can a loss or an observable tell the channels of one block from each other?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from equiworld.analysis.gauge import polar
from equiworld.arguments import integer, number
from equiworld.errors import ArgumentError
from equiworld.groups import Block, Decomposition
from equiworld.groups.arrays import Array
from equiworld.groups.decomposition import projected

__all__ = ["Counterexample", "ExchangeReport", "is_exchange_invariant"]


@dataclass(frozen=True)
class Counterexample:
    """An exchange that changes the value.

    Attributes:
        block: whose channels were exchanged.
        matrix: `(m·d, m·d)`, of the exchange.
        before: the value.
        after: the value of the same sample with channels exchanged.
    """

    block: str
    matrix: Array
    before: float
    after: float


@dataclass(frozen=True)
class ExchangeReport:
    """What was found.

    Attributes:
        invariant: whether no exchange changed the value by more than the tolerance.
        largest: |after − before| over the larger of |before| and the value's deviation over samples.
        gradient: likewise, of the gradient, which has to be exchanged as the channels are; None of what has no
            gradient.
        counterexample: the exchange that changed it most, if it is not invariant.
        trials: exchanges that were tried.
    """

    invariant: bool
    largest: float
    gradient: float | None
    counterexample: Counterexample | None
    trials: int

    def __bool__(self) -> bool:
        return self.invariant


def is_exchange_invariant(
    loss: Callable[[Tensor], Any],
    decomposition: Decomposition,
    *,
    exchanges: Literal["permutations", "isometries"] = "permutations",
    n: int = 128,
    trials: int = 20,
    tolerance: float = 1e-9,
    seed: int = 0,
) -> ExchangeReport:
    """Whether a function of a sample of latents is blind to which channel of a block is which.

    What factors through statistics of unlabelled channels, such as the eigenvalues of each block's B, is invariant, and
    then no training by it prefers one allocation of channels to another. One counterexample proves that it is not; that
    none was found in random trials is evidence for analytic functions, whose differences vanish on no open set.

    Args:
        loss: from `(N, n)` float64, with or without a gradient, to one number. What it draws it must draw from a
            generator of a fixed seed; random directions make a loss invariant in law alone, and that is reported as not
            invariant.
        decomposition: of R^n.
        exchanges: permutations of a block's copies, or all isometries that commute with the group.
        n: examples of a sample, drawn from a normal law whose channels all differ.
        trials: exchanges, each of another sample.
        tolerance: of `largest`.
        seed: of samples and exchanges.

    >>> from equiworld.groups import SO3
    >>> from equiworld.symmetry import FeatureType
    >>> from equiworld.symmetry.latent_blocks import latent_blocks
    >>> blocks = latent_blocks(FeatureType(3, 4, 6), SO3())
    >>> bool(is_exchange_invariant(lambda z: z.square().mean(), blocks))
    True
    >>> report = is_exchange_invariant(lambda z: z[:, 0].square().mean(), blocks)
    >>> bool(report), report.counterexample.block
    (False, 'scalars')
    """
    if not isinstance(decomposition, Decomposition) or exchanges not in ("permutations", "isometries"):
        raise ArgumentError("exchanges", repr(exchanges), "exchanges", ("permutations", "isometries"))
    n, trials = integer("n", n, least=2), integer("trials", trials, least=1)
    tolerance, rng = number("tolerance", tolerance, least=0.0), np.random.default_rng(seed)
    several = [block for block in decomposition.blocks if block.multiplicity > 1]
    if not several:
        return ExchangeReport(True, 0.0, None, None, 0)
    tried = [
        _trial(loss, decomposition, several[trial % len(several)], exchanges, n, rng)
        for trial in range(trials)
    ]
    examples = [example for example, _ in tried]
    values = [example.before for example in examples]
    changes = [abs(example.after - example.before) for example in examples]
    scale = max(float(np.abs(values).max()), float(np.std(values)), 1e-300)
    largest, worst = max(changes) / scale, examples[int(np.argmax(changes))]
    invariant = largest <= tolerance
    gradient = max((slope for _, slope in tried if slope is not None), default=None)
    return ExchangeReport(invariant, largest, gradient, None if invariant else worst, trials)


def _trial(
    loss: Callable[[Tensor], Any],
    decomposition: Decomposition,
    block: Block,
    exchanges: str,
    n: int,
    rng: np.random.Generator,
) -> tuple[Counterexample, float | None]:
    """The value of a sample before and after an exchange, and how far its gradient is from the exchanged one."""
    inner = _exchange(block, exchanges, rng)
    inside = block.basis @ block.basis.T
    whole = np.eye(decomposition.size) - inside + block.basis @ inner @ block.basis.T
    sample = _sample(decomposition, n, rng)
    before, slope = _value(loss, sample)
    after, moved = _value(loss, sample @ whole.T)
    apart = None
    if slope is not None and moved is not None:
        apart = float(np.abs(moved - slope @ whole.T).max()) / max(float(np.abs(slope).max()), 1e-300)
    return Counterexample(block.name, inner, before, after), apart


def _exchange(block: Block, exchanges: str, rng: np.random.Generator) -> Array:
    m, d = block.multiplicity, block.dimension
    if exchanges == "permutations":
        order = rng.permutation(m)
        while (order == np.arange(m)).all():
            order = rng.permutation(m)
        permuted: Array = np.kron(np.eye(m)[order], np.eye(d)).astype(np.float64)
        return permuted
    return polar(projected(rng.normal(size=(m * d, m * d)), block))


def _sample(decomposition: Decomposition, n: int, rng: np.random.Generator) -> Array:
    """Of a normal law that the group leaves alone, each channel of its own variance, all of them correlated."""
    found = np.zeros((n, decomposition.size))
    for block in decomposition.blocks:
        m, d = block.multiplicity, block.dimension
        mixing = np.diag(np.exp(0.5 * rng.normal(size=m))) + 0.3 * rng.normal(size=(m, m))
        found += rng.normal(size=(n, m * d)) @ np.kron(mixing, np.eye(d)).T @ block.basis.T
    return found


def _value(loss: Callable[[Tensor], Any], sample: Array) -> tuple[float, Array | None]:
    given = torch.tensor(sample, requires_grad=True)
    with torch.enable_grad():
        value = loss(given)
        slope = None
        if isinstance(value, Tensor) and value.requires_grad:
            (slope,) = torch.autograd.grad(value, given, allow_unused=True)
    number_of = value.detach() if isinstance(value, Tensor) else value
    return float(number_of), None if slope is None else slope.numpy()
