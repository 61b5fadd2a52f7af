"""How the free weights of a map that commutes with a finite group lie in its dense matrix."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from equiworld.groups.arrays import Array
from equiworld.groups.representation import Representation
from equiworld.nn.constant import Constant

__all__ = ["BasisLayout", "OrbitLayout", "layout_of"]


class OrbitLayout:
    """W for signed permutations on both sides: each entry is a free weight, its negative, or zero.

    Attributes:
        count: free weights for each pair of copies, c.
        scales: `(c,)`, standard deviations of these at which outputs are of the size of the inputs: 1/√n for sums of n.

    Args:
        source: ρ, of which copies come in.
        target: ρ', of which copies go out.
        inputs: copies that come in.
        outputs: copies that go out.

    >>> from equiworld.groups import Permutation
    >>> labels = Permutation(3).labels
    >>> slots = Representation(labels, labels.natural["Permutation(3)"])
    >>> OrbitLayout(slots, slots, 1, 1).dense(torch.tensor([[[5.0, 7.0]]]))
    tensor([[5., 7., 7.],
            [7., 5., 7.],
            [7., 7., 5.]])
    """

    def __init__(self, source: Representation, target: Representation, inputs: int, outputs: int) -> None:
        index, signs = source.ties(target)
        self.count = int(index.max(initial=-1)) + 1
        entries = (index >= 0).sum(axis=1)  # that are not zero, by row: what an output is a sum of
        rows = [int(np.argmax((index == orbit).any(axis=1))) for orbit in range(self.count)]
        self.scales = 1 / np.sqrt(inputs * entries[rows].astype(np.float64))
        self.source, self.target = source.dim, target.dim
        self.shape = (outputs * target.dim, inputs * source.dim)
        pairs = np.arange(outputs * inputs).reshape(outputs, 1, inputs, 1) * self.count
        places = (pairs + np.maximum(index, 0)[None, :, None, :]).reshape(-1)
        self._places = Constant(torch.from_numpy(places).to(torch.int32))
        tiled = torch.from_numpy(np.tile(signs, (outputs, inputs))).to(torch.int8)
        self._signs = Constant(tiled) if (signs != 1).any() else None

    def dense(self, free: Tensor) -> Tensor:
        """`(outputs · n, inputs · m)` from `(outputs, inputs, c)`, in its dtype, where it lies."""
        if not self.count:
            return free.new_zeros(self.shape)
        # As one row of numbers: over a last axis alone this takes three times as long.
        weight = free.reshape(-1).index_select(0, self._places.like(free)).view(self.shape)
        return weight if self._signs is None else weight * self._signs.like(free)

    def free(self, dense: Tensor) -> Tensor:
        """Of the weights `(outputs, inputs, c)` those whose `dense` comes nearest to a matrix."""
        signed = torch.ones_like(dense) if self._signs is None else self._signs.like(dense).to(dense.dtype)
        places = self._places.like(dense).long()
        size = self.shape[0] // self.target * (self.shape[1] // self.source) * self.count
        total = dense.new_zeros(2, size).index_add_(
            1, places, torch.stack((dense * signed, signed.abs())).flatten(1)
        )
        return (total[0] / total[1]).view(self.shape[0] // self.target, -1, self.count)


class BasisLayout:
    """W = Σ θ_b B_b for each pair of copies, for any orthogonal matrices.

    Attributes:
        count: free weights for each pair of copies, c.
        scales: `(c,)`, as those of `OrbitLayout`, for a basis with Σ_b ‖row of B_b‖² = m.

    Args:
        basis: B, `(c, n, m)` float64.
        inputs: copies that come in.

    >>> BasisLayout(np.eye(2)[None], 1).dense(torch.tensor([[[5.0]], [[7.0]]]))
    tensor([[5., 0.],
            [0., 5.],
            [7., 0.],
            [0., 7.]])
    """

    def __init__(self, basis: Array, inputs: int) -> None:
        self.count, self._rows, self._columns = basis.shape
        self.scales = np.full(self.count, 1 / math.sqrt(inputs * max(self._columns, 1)))
        self._basis = Constant(torch.from_numpy(basis.reshape(self.count, self._rows * self._columns).copy()))

    def dense(self, free: Tensor) -> Tensor:
        """`(outputs · n, inputs · m)` from `(outputs, inputs, c)`, in its dtype, where it lies."""
        outputs, inputs, count = free.shape
        blocks = free.reshape(outputs * inputs, count) @ self._basis.like(free)
        blocks = blocks.view(outputs, inputs, self._rows, self._columns).transpose(1, 2)
        return blocks.reshape(outputs * self._rows, inputs * self._columns)

    def free(self, dense: Tensor) -> Tensor:
        """Of the weights `(outputs, inputs, c)` those whose `dense` comes nearest to a matrix."""
        blocks = dense.view(-1, self._rows, dense.shape[1] // self._columns, self._columns).transpose(1, 2)
        return blocks.flatten(2) @ torch.linalg.pinv(self._basis.like(dense))


def layout_of(
    source: Representation, target: Representation, inputs: int, outputs: int
) -> OrbitLayout | BasisLayout:
    """All W with W ρ(h) = ρ'(h) W, each once, from as few numbers as there can be.

    Args:
        source: ρ, of which copies come in.
        target: ρ', of which copies go out.
        inputs: copies that come in.
        outputs: copies that go out.
    """
    if source.is_monomial and target.is_monomial:
        return OrbitLayout(source, target, inputs, outputs)
    if target.is_regular:  # row h is w ρ(h)ᵀ
        return BasisLayout(source.matrices.transpose(2, 0, 1), inputs)
    if source.is_regular:  # column h is ρ'(h) u
        return BasisLayout(target.matrices.transpose(2, 1, 0), inputs)
    basis = source.intertwiners(target)
    # Σ B Bᵀ is a number on each isotypic block. It is made the same on all that can be reached, so that outputs start
    # with the same variance in each direction.
    values, vectors = np.linalg.eigh(np.einsum("brs,bts->rt", basis, basis))
    reached = values > 1e-9
    factors = np.sqrt(source.dim / values[reached])
    return BasisLayout((vectors[:, reached] * factors) @ vectors[:, reached].T @ basis, inputs)
