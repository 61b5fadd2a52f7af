"""Is a latent's law left alone by the group, whatever law it is? An exact randomisation test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from equiworld.arguments import instance, integer
from equiworld.groups import Group
from equiworld.nn.normality import block_directions, characteristic_sums, directions, whitened
from equiworld.symmetry import Features
from equiworld.symmetry.latent_blocks import latent_blocks

__all__ = ["InvarianceResult", "invariance_test"]

_KNOTS, _STEP = 6, 0.5  # frequencies 0.5, 1, …, 2.5
_TURNS = 4  # directions of one orbit that are compared


@dataclass(frozen=True)
class InvarianceResult:
    """What a test found.

    Attributes:
        over_null: the statistic over its mean for samples whose every example was moved by a random element.
        p: share of these, with the sample itself, whose statistic is as large.
    """

    over_null: float
    p: float


def invariance_test(
    latents: Features, group: Group, *, objects: int = 1, draws: int = 199, count: int = 16, seed: int = 0
) -> InvarianceResult:
    """Whether the group leaves a law alone, normal or not.

    T = N Σ_t Σ_u Var_j |φ_N(t ρ(g_j) u)|, the variance over some g_j of the empirical characteristic function: it is 0
    where directions of one orbit are alike. If the law is kept by the group, moving each example by an element of its
    own leaves the sample's law as it is, so the sample's T is one of equals among those of moved samples: the level is
    exact for every law and every N.

    Args:
        latents: `(N,)` independent examples; translations, which move points alone, are left out.
        group: of space.
        objects: how many interchangeable objects share the channels; their order is exchanged at random too.
        draws: moved samples.
        count: random directions for each block.
        seed: of directions and elements.

    >>> from equiworld.groups import SO2
    >>> angles = torch.linspace(0, 6.28, 400, dtype=torch.float64)
    >>> circle = torch.stack([angles.cos(), angles.sin()], -1)[..., None]
    >>> def law(vectors): return Features(torch.zeros(400, 0), vectors, torch.zeros(400, 2, 0))
    >>> invariance_test(law(circle), SO2()).p > 0.05, invariance_test(law(circle[:200].repeat(2, 1, 1)), SO2()).p
    (True, 0.005)
    """
    instance("latents", latents, Features)
    instance("group", group, Group)
    draws, count = integer("draws", draws, least=19), integer("count", count, least=1)
    rng, kind = np.random.default_rng(seed), latents.type
    decomposition = latent_blocks(kind, getattr(group, "space", group), objects)
    columns = []
    for block in decomposition.blocks:
        columns += [block.basis @ along for along in block_directions(block, count, rng).values()]
    columns.append(
        np.concatenate([b.basis for b in decomposition.blocks], 1)
        @ directions(sum(b.basis.shape[1] for b in decomposition.blocks), count, rng)
    )
    flat = latents.to(dtype=torch.float64).flatten()
    whole = torch.zeros_like(flat)
    for block in decomposition.blocks:
        basis = torch.as_tensor(block.basis)
        whole = whole + whitened(flat @ basis, block, 1e-9) @ basis.mT
    seen = Features.unflatten(torch.as_tensor(np.concatenate(columns, 1)).mT, kind)
    looked = torch.stack([_moved(seen, group, objects, rng, alike=True).flatten() for _ in range(_TURNS)])
    sample = Features.unflatten(whole, kind)
    found = _spread(whole, looked)
    null = np.array([_spread(_moved(sample, group, objects, rng).flatten(), looked) for _ in range(draws)])
    return InvarianceResult(found / float(null.mean()), (1 + int((null >= found).sum())) / (1 + draws))


def _moved(
    latents: Features, group: Group, objects: int, rng: np.random.Generator, alike: bool = False
) -> Features:
    """Each example by a random element of its own; or all by one."""
    count = 1 if alike else len(latents.scalars)
    turns = group.sample_matrices(rng, count)
    moved = latents.moved(torch.as_tensor(turns, dtype=latents.dtype))
    if objects == 1:
        return moved
    orders = rng.permuted(np.tile(np.arange(objects), (len(latents.scalars) if not alike else 1, 1)), axis=1)

    def exchanged(part: Tensor) -> Tensor:
        split = part.unflatten(-1, (objects, part.shape[-1] // objects)).movedim(-2, 1)
        order = torch.as_tensor(orders).expand(len(split), objects)
        return split[torch.arange(len(split))[:, None], order].movedim(1, -2).flatten(-2)

    return moved.map(exchanged)


def _spread(values: Tensor, looked: Tensor) -> float:
    """Σ over frequencies and directions of the variance over each orbit, times N."""
    sums = characteristic_sums((values @ looked.flatten(0, 1).mT).float(), _KNOTS, _STEP)[:, 1:]
    mean = sums.double().unflatten(-1, (len(looked), -1)) / len(values)
    return len(values) * float((mean - mean.mean(2, keepdim=True)).square().sum())
