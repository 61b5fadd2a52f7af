"""How far a sample is from a standard normal law along random directions, and from the normal laws of a symmetry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from equiworld.groups import Block, Decomposition
from equiworld.settings import settle_integers, settle_numbers

__all__ = [
    "EppsPulley",
    "block_directions",
    "block_projections",
    "characteristic_sums",
    "directions",
    "over_ranks",
    "whitened",
]

_NUMBERS = 2**16  # looked at together where no gradient is asked for: what the caches hold


@dataclass(frozen=True)
class EppsPulley:
    """The weighted distance of an empirical characteristic function from that of the standard normal law.

    T = N ∫ |φ_N(t) − e^{−t²/2}|² e^{−t²/2} dt over −upto ≤ t ≤ upto by the trapezoidal rule, φ_N(t) = Σ e^{itx}/N.
    The factor N makes it a test statistic: under the standard normal law its mean, `floor`, knows no N, and under any
    other law it grows in proportion to N. Where torch.distributed runs, sums and N are over all ranks, and gradients
    are those of the whole sample's statistic once they are averaged over ranks, as DistributedDataParallel does.

    Reference: Epps and Pulley, A test for normality based on the empirical characteristic function, Biometrika 70
    (1983); Balestriero and LeCun, LeJEPA, arXiv 2511.08544, for its use along random directions.

    Attributes:
        knots: of the quadrature, from 0 to `upto`.
        upto: the largest t.

    >>> x = torch.randn(1000, 8, generator=torch.Generator().manual_seed(0))
    >>> test = EppsPulley()
    >>> bool(test(x).mean() < 2 * test.floor), bool(test(3 * x).mean() > 50 * test.floor)
    (True, True)
    """

    knots: int = 17
    upto: float = 3.0

    def __post_init__(self) -> None:
        settle_integers(self, "knots", least=2)
        settle_numbers(self, "upto", above=0.0)

    @property
    def floor(self) -> float:
        """Its mean for samples of the standard normal law, of any size."""
        wanted, weights = self._quadrature()
        return float((weights * (1 - np.square(wanted))).sum())

    def __call__(self, sample: Tensor) -> Tensor:
        """The statistic of each column `(K,)` of a sample `(N, K)`."""
        wanted, weights = (sample.new_tensor(each) for each in self._quadrature())
        sums = characteristic_sums(sample, self.knots, self.upto / (self.knots - 1))
        count = over_ranks(sample.new_tensor(float(len(sample))))
        real, imaginary = over_ranks(sums) / count
        apart = (real - wanted[:, None]).square() + imaginary.square()
        return count * (weights @ apart)

    def _quadrature(self) -> tuple[np.ndarray, np.ndarray]:
        """The normal law's characteristic function at the knots, and their weights on both sides of 0."""
        t = np.linspace(0.0, self.upto, self.knots)
        step = np.full(self.knots, 2 * self.upto / (self.knots - 1))
        step[[0, -1]] /= 2
        wanted = np.exp(-np.square(t) / 2)
        return wanted, step * wanted


def characteristic_sums(sample: Tensor, knots: int, step: float) -> Tensor:
    """Σ_n of cos tx_n and of sin tx_n at t = 0, h, 2h, …, `(2, knots, K)`.

    cos (k + 1)hx = 2 cos hx cos khx − cos (k − 1)hx, and likewise of the sine.

    Args:
        sample: `(N, K)`.
        knots: how many t; 2 or more.
        step: h.
    """
    parts = []
    for rows in _chunks(sample):
        angle = rows * step
        once = angle.cos()
        found = []
        for before, now in ((torch.ones_like(once), once), (torch.zeros_like(once), angle.sin())):
            sums = [before.sum(0), now.sum(0)]
            for _ in range(knots - 2):
                before, now = now, torch.addcmul(-before, once, now, value=2.0)
                sums.append(now.sum(0))
            found.append(torch.stack(sums))
        parts.append(torch.stack(found))
    return torch.stack(parts).sum(0)


def whitened(values: Tensor, block: Block, jitter: float = 0.0) -> Tensor:
    """A sample of a block's coordinates `(N, m·d)` with the covariance that commutes with the group made 1.

    y = L⁻¹ x with L Lᵀ = Σ_c B_c ⊗ D_c, the nearest covariance to the sample's that any law kept by the group has, and
    L Cholesky's factor, which commutes with the group too. Of a normal law with any such covariance S Sᵀ the result
    does not depend on S: L of x = S z is S times L of z. So what is measured of y has one law for all of them. The
    trivial block is centred first; of all others a mean that is not 0 breaks the symmetry, and stays.

    Args:
        values: at least m·d examples, or S has no inverse.
        block: whose coordinates they are.
        jitter: share of the mean variance added to all.
    """
    m, d = block.multiplicity, block.dimension
    count = over_ranks(values.new_tensor(float(len(values))))
    if block.trivial:
        values = values - over_ranks(values.sum(0)) / count
    algebra = torch.as_tensor(block.algebra, dtype=values.dtype, device=values.device)
    split = values.unflatten(-1, (m, d))
    turned = torch.einsum("cij,nbj->cnbi", algebra, split).flatten(2)  # D_c x
    shape = (len(values), m, d)
    parts = [
        split.transpose(1, 2).reshape(-1, m).mT @ each.reshape(shape).mT.reshape(-1, m) for each in turned
    ]
    moments = over_ranks(torch.stack(parts)) / (count * d)
    covariance = torch.einsum("cab,cij->aibj", moments, algebra).reshape(m * d, m * d)
    if jitter:
        covariance = covariance + jitter * covariance.diagonal().mean() * torch.eye(m * d).to(covariance)
    factor = torch.linalg.cholesky(covariance)
    return torch.linalg.solve_triangular(factor, values.mT, upper=False).mT


def directions(size: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors in columns `(size, count)`, uniform on the sphere."""
    drawn = rng.normal(size=(size, count))
    return drawn / np.linalg.norm(drawn, axis=0)


def block_directions(block: Block, count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Unit vectors in columns `(m·d, count / 2)`: uniform on the block's sphere, and Σ_c a_c ⊗ D_c e, "along space".

    The latter look along one direction e of the space in which ρ_i acts, where a law that prefers directions of that
    space shows it undiluted; the mean over e of what a uniform direction sees would hide most of it. Where no space is
    left, in a block of scalars say, all `count` are uniform.
    """
    m, d = block.multiplicity, block.dimension
    if d == len(block.algebra):
        return {block.name: directions(m * d, count, rng)}
    half = max(count // 2, 1)
    return {
        block.name: directions(m * d, half, rng),
        f"{block.name} along space": _along_space(block, half, rng),
    }


def _along_space(block: Block, count: int, rng: np.random.Generator) -> np.ndarray:
    along = directions(block.dimension, count, rng)
    mixing = rng.normal(size=(len(block.algebra), block.multiplicity, count))
    found = np.einsum("cak,cij,jk->aik", mixing, block.algebra, along).reshape(-1, count)
    return found / np.linalg.norm(found, axis=0)


def block_projections(
    values: Tensor, decomposition: Decomposition, count: int, rng: np.random.Generator, jitter: float = 0.0
) -> dict[str, Tensor]:
    """Whitened samples along random directions `(N, …)`, by part: see `block_directions`, and across blocks.

    Directions across blocks are uniform on the sphere of all together, or one along space of each block, which sees a
    correlation of two blocks less diluted.

    Args:
        values: `(N, n)`.
        decomposition: of R^n.
        count: directions for each block, and across.
        rng: that draws them; on all ranks the same.
        jitter: see `whitened`.
    """
    found, parts, blocks = dict[str, Tensor](), list[Tensor](), decomposition.blocks
    for block in blocks:
        basis = torch.as_tensor(block.basis, dtype=values.dtype, device=values.device)
        parts.append(whitened(values @ basis, block, jitter))
        for name, along in block_directions(block, count, rng).items():
            found[name] = parts[-1] @ _tensor(along, values)
    if len(parts) > 1:
        whole, half = torch.cat(parts, -1), max(count // 2, 1)
        across = np.concatenate([_along_space(block, half, rng) for block in blocks])
        found["all together"] = whole @ _tensor(directions(whole.shape[-1], half, rng), values)
        found["across blocks"] = whole @ _tensor(across / len(parts) ** 0.5, values)
    return found


def over_ranks(total: Tensor) -> Tensor:
    """A sum over all ranks, with a gradient; as it is where torch.distributed does not run."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return total
    from torch.distributed.nn.functional import all_reduce

    return all_reduce(total)


def _tensor(array: np.ndarray, like: Tensor) -> Tensor:
    return torch.as_tensor(array, dtype=like.dtype, device=like.device)


def _chunks(sample: Tensor) -> Iterator[Tensor]:
    if sample.requires_grad and torch.is_grad_enabled():
        yield sample
    else:
        yield from sample.split(max(_NUMBERS // max(sample.shape[1], 1), 1))
