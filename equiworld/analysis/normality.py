"""Is a latent's law standard normal, or any normal law that the group leaves alone? As a test, with its level."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equiworld.arguments import instance, integer, number
from equiworld.errors import ArgumentError
from equiworld.groups import Decomposition
from equiworld.nn.normality import EppsPulley, block_projections, directions

__all__ = ["NormalityResult", "NormalityTest"]

Array = NDArray[np.float64]

_CONFIDENCE = 0.95  # that the level holds although the null law is simulated


@dataclass(frozen=True)
class NormalityResult:
    """What a test found.

    Attributes:
        over_floor: the statistic over its mean under the null hypothesis, 1 on average for laws that fulfil it. It is
            the root mean square of the parts: what one part sees the others dilute less than in a mean.
        p: share of simulated null statistics, with its own, that are as large.
        rejected: whether the null hypothesis is rejected.
        parts: the same ratio of the directions of each block, of those along space, and of those across blocks.
    """

    over_floor: float
    p: float
    rejected: bool
    parts: dict[str, float]


@dataclass(frozen=True, eq=False)
class NormalityTest:
    """A test of the hypothesis that a sample comes from a normal law of one of two kinds.

    "block": N(μ, Σ) with any covariance that commutes with the group and a mean that the group keeps; "standard":
    N(0, 1). The null law of the statistic is simulated. For "block" one table serves every such Σ, for what whitening
    leaves of a sample does not depend on it (`equiworld.nn.normality.whitened`). Beyond `simulated` examples the null
    law has settled, up to a share n/N, and is simulated with that many.

    Args:
        decomposition: of the latent space under the group.
        size: N, of the samples to be tested.
        kind: of the hypothesis.
        count: random directions for each block, and across blocks.
        draws: simulated null statistics.
        level: probability of rejecting what fulfils the hypothesis. The critical value is an upper confidence bound of
            the quantile, so that the level holds with 95 % confidence in spite of the simulation.
        simulated: the largest sample that is simulated.
        seed: of the null law.

    Raises:
        ArgumentError: a sample of fewer than twice as many examples as a block has numbers.

    >>> from equiworld.groups import SO3
    >>> from equiworld.symmetry import FeatureType
    >>> from equiworld.symmetry.latent_blocks import latent_blocks
    >>> test = NormalityTest(latent_blocks(FeatureType(3, 2, 2), SO3()), 300, draws=99, count=16)
    >>> x = np.random.default_rng(0).normal(size=(300, 8)) * np.repeat([5.0, 1.0, 0.1], [2, 3, 3])
    >>> test(x).rejected, test(x * np.array([1.0, 1, 3, 1, 1, 3, 1, 1])).rejected
    (False, True)
    """

    decomposition: Decomposition
    size: int
    kind: Literal["block", "standard"] = "block"
    count: int = 64
    draws: int = 999
    level: float = 0.05
    simulated: int = 4000
    seed: int = 0
    statistic: EppsPulley = EppsPulley()  # noqa: RUF009  frozen

    def __post_init__(self) -> None:
        instance("decomposition", self.decomposition, Decomposition)
        if self.kind not in ("block", "standard"):
            raise ArgumentError("kind", repr(self.kind), "a hypothesis", ("block", "standard"))
        least = 2 * max(block.basis.shape[1] for block in self.decomposition.blocks)
        object.__setattr__(self, "size", integer("size", self.size, least=least))
        object.__setattr__(self, "simulated", integer("simulated", self.simulated, least=least))
        object.__setattr__(self, "draws", integer("draws", self.draws, least=19))
        object.__setattr__(self, "level", number("level", self.level, above=0.0, below=1.0))

    def __call__(self, values: Array | Tensor, seed: int = 0) -> NormalityResult:
        """Test a sample.

        Args:
            values: `(N, n)`, latents as `Features.flatten()` gives them.
            seed: of the directions.
        """
        values = torch.as_tensor(values)
        if values.shape != (self.size, self.decomposition.size):
            raise ArgumentError("values", tuple(values.shape), f"({self.size}, {self.decomposition.size})")
        seen = self._parts(values, np.random.default_rng([seed, 1]))
        parts = dict(zip(seen, (np.array([*seen.values()]) / self.floors).tolist(), strict=True))
        found = float(_size(np.array([*parts.values()]))) / self._usual
        p = (1 + int((self._null >= found).sum())) / (1 + self.draws)
        return NormalityResult(found, p, found > self.critical, parts)

    @cached_property
    def floors(self) -> Array:
        """Means of the null statistics `(parts,)`."""
        means: Array = self._simulated.mean(0)
        return means

    @cached_property
    def critical(self) -> float:
        """Beyond which `over_floor` is rejected."""
        from scipy.stats import binom

        place = int(binom.ppf(_CONFIDENCE, self.draws, 1 - self.level))
        return float(np.sort(self._null)[min(place, self.draws - 1)])

    @cached_property
    def _usual(self) -> float:
        """The mean of the parts' size under the null hypothesis."""
        return float(_size(self._simulated / self.floors).mean())

    @cached_property
    def _null(self) -> Array:
        null: Array = _size(self._simulated / self.floors) / self._usual
        return null

    @cached_property
    def _simulated(self) -> Array:
        rng, size = np.random.default_rng([self.seed, 0]), min(self.size, self.simulated)
        drawn = (rng.normal(size=(size, self.decomposition.size)) for _ in range(self.draws))
        return np.stack([list(self._parts(torch.as_tensor(each), rng).values()) for each in drawn])

    @torch.no_grad()
    def _parts(self, values: Tensor, rng: np.random.Generator) -> dict[str, float]:
        """The statistic of each part, the mean over its directions."""
        if self.kind == "block":
            seen = block_projections(values, self.decomposition, self.count, rng)
        else:
            columns = np.concatenate([block.basis for block in self.decomposition.blocks], axis=1)
            along = columns @ directions(columns.shape[1], self.count, rng)
            seen = {"all together": values @ torch.as_tensor(along, dtype=values.dtype)}
        return {name: float(self.statistic(each.float()).mean()) for name, each in seen.items()}


def _size(parts: Array) -> Any:
    """The root mean square of parts `(…, n)`."""
    return np.sqrt(np.square(parts).mean(-1))
