"""Actions as Features in torch, with their gradient."""

from __future__ import annotations

import torch

from equiworld.errors import ArgumentError
from equiworld.symmetry.concatenation import placed
from equiworld.symmetry.features import KINDS, Features, Kind
from equiworld.symmetry.fields import Heading
from equiworld.symmetry.symmetry import Symmetry

__all__ = ["features_of_action"]


def features_of_action(symmetry: Symmetry, action: torch.Tensor) -> Features:
    """`Symmetry.action_features` of a tensor `(…, size)`, with its dtype, device and gradient."""
    dim, size = symmetry.dim, symmetry.action.size(symmetry.dim)
    if action.shape[-1] != size:
        raise ArgumentError("action", f"shape {tuple(action.shape)}", f"shape (…, {size})")
    found: dict[Kind, list[torch.Tensor]] = {kind: [] for kind in KINDS}
    for leaf, where in placed(symmetry.action, dim):
        part = action[..., where]
        if isinstance(leaf, Heading):
            part = torch.stack((part.cos(), part.sin()), -2)
        elif leaf.kind != "scalars":
            part = part.unflatten(-1, (-1, dim)).mT
        if leaf.kind == "points":
            part = part - torch.tensor(symmetry.centre, dtype=action.dtype, device=action.device)[:, None]
        found[leaf.kind].append(part)

    def join(kind: Kind, *empty: int) -> torch.Tensor:
        parts = found[kind]
        if not parts:
            return action.new_empty(*action.shape[:-1], *empty)
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)

    return Features(join("scalars", 0), join("vectors", dim, 0), join("points", dim, 0))
