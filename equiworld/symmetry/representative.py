"""One element of several, chosen by what turns with the world: the representative of an orbit of a finite group."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from equiworld.symmetry.constants import made_once

__all__ = ["MARGIN", "Representative", "irrational", "representative"]

MARGIN = 64 * 2.0**-22
"""From this size on a number counts, in units of its scale: 64 steps of the door's grid."""


class Representative(NamedTuple):
    """One of several elements, and what stands for it where several tie.

    Attributes:
        element: `(…, d, d)`, the first of the best.
        mean: `(…, d, d)` of those that tie: it projects on what no element of the stabiliser moves.
        axial: `(…, d, d)`, the mean of det(h) h, for pseudovectors.
        handedness: `(…,)`, the mean of det(h), for pseudoscalars.
        fixed: `(…,)` bool, whether one alone is best.
        gap: `(…,)` in [0, 1], by how much; 0 where several tie.
    """

    element: Tensor
    mean: Tensor
    axial: Tensor
    handedness: Tensor
    fixed: Tensor
    gap: Tensor


def representative(
    elements: Tensor, arrows: Tensor, pseudoscalars: Tensor | None = None, pseudovectors: Tensor | None = None
) -> Representative:
    """The element h of several under which h⁻¹·(what there is) comes nearest to a fixed direction of no symmetry.

    Args:
        elements: `(k, d, d)`.
        arrows: `(…, d, n)`, in units of their scales.
        pseudoscalars: `(…, m)`, likewise.
        pseudovectors: `(…, d, m)`, likewise.
    """
    dim, dtype = arrows.shape[-2], arrows.dtype
    determinants = (
        torch.linalg.det(elements.float()).sign().to(dtype)
    )  # ±1 in any dtype, and not all have float64
    parts = [(elements, arrows, 0)]
    if pseudovectors is not None:
        parts.append((determinants[:, None, None] * elements, pseudovectors, arrows.shape[-1]))
    score = arrows.new_zeros((*arrows.shape[:-2], len(elements)))
    for matrices, each, start in parts:
        weights = irrational(dim * (start + each.shape[-1]), dtype, arrows.device)[dim * start :]
        if each.shape[-1]:
            turned = matrices @ weights.unflatten(-1, (-1, dim)).mT
            score = score + torch.einsum("kda,...da->...k", turned, each)
    if pseudoscalars is not None and pseudoscalars.shape[-1]:
        told = pseudoscalars @ irrational(pseudoscalars.shape[-1], dtype, arrows.device)
        score = score + told.unsqueeze(-1) * determinants
    score = score.nan_to_num()
    best = score.amax(-1, keepdim=True)
    tied = (score >= best - MARGIN).to(dtype)
    share = tied / tied.sum(-1, keepdim=True)
    gap = best[..., 0] - torch.where(tied > 0, -math.inf, score).amax(-1)
    fixed = tied.sum(-1) == 1
    axial = determinants[:, None, None] * elements
    return Representative(
        elements[score.argmax(-1)],
        torch.einsum("...k,kij->...ij", share, elements),
        torch.einsum("...k,kij->...ij", share, axial),
        share @ determinants,
        fixed,
        torch.where(fixed, gap.clamp(max=1.0), 0.0),
    )


@made_once
def irrational(count: int, dtype: torch.dtype = torch.float64, device: torch.device | None = None) -> Tensor:
    """Numbers between 1/2 and 3/2 that no symmetry relates, the same on every device; not to be written to."""
    roots = torch.arange(1, count + 1, dtype=torch.float64, device="cpu").sqrt()
    return (0.5 + roots.mul(math.sqrt(2)).frac()).to(dtype).to(device=device)
