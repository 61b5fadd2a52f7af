"""Losses and observables of latents, and whether they can tell the channels of one block apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from equiworld.analysis import is_exchange_invariant
from equiworld.benchmarks.suite.rows import Row
from equiworld.benchmarks.worlds.hidden_states import BLOCKS, KIND
from equiworld.symmetry import Features
from equiworld.training import BlockSIGReg, SIGReg, VICReg

__all__ = ["exchange_rows"]


def exchange_rows(seed: int) -> list[Row]:
    """Of functions whose answer is known, and of the losses of training."""

    def regularised(kind: type[SIGReg] | type[BlockSIGReg]) -> Callable[[Tensor], Tensor]:
        loss = kind(directions=32)
        return lambda z: loss.statistic(z, BLOCKS, np.random.default_rng(seed))

    def vicreg(z: Tensor) -> Tensor:
        return VICReg(spread=1.0)(Features.unflatten(torch.stack([z, z]), KIND), [], 1.0, True)

    losses: dict[str, Callable[[Tensor], Tensor]] = {
        "log det of each block's B": lambda z: torch.logdet(_gram(z)),
        "VICReg": vicreg,
        "fourth moment of a vector's length": lambda z: _vectors(z).square().sum(-1).square().mean(),
        "variance of the first vector": lambda z: _vectors(z)[:, 0].square().mean(),
        "Σ c · variance of vector c": lambda z: (
            _vectors(z).square().mean((0, 2)) @ torch.arange(1.0, 7.0, dtype=z.dtype)
        ),
        "SIGReg, fixed directions": regularised(SIGReg),
        "Block-SIGReg, fixed directions": regularised(BlockSIGReg),
    }
    rows = []
    for name, loss in losses.items():
        for exchanges in ("permutations", "isometries"):
            found = is_exchange_invariant(loss, BLOCKS, exchanges=exchanges, seed=seed)  # type: ignore[arg-type]
            row: Row = {"by": exchanges, "what": name, "invariant": str(found.invariant)}
            rows.append(row | {"largest": found.largest, "gradient": found.gradient})
    return rows


def _vectors(z: Tensor) -> Tensor:
    return z[:, KIND.scalars :].unflatten(-1, (KIND.vectors, KIND.dim))


def _gram(z: Tensor) -> Tensor:
    return torch.einsum("nid,njd->ij", _vectors(z), _vectors(z)) / len(z)
