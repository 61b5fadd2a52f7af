"""Latents as plain numbers: of models, functions and arrays, each block measured in its own unit."""

from __future__ import annotations

from typing import Any

import torch

from equiworld.arguments import reals
from equiworld.errors import ArgumentError
from equiworld.groups import Decomposition
from equiworld.groups.arrays import Array
from equiworld.models import WorldModel
from equiworld.symmetry import Features
from equiworld.symmetry.latent_blocks import latent_blocks

__all__ = ["blocks_of", "centred", "flat", "latents_of", "recorded"]


def blocks_of(model: Any, decomposition: Decomposition | None) -> Decomposition:
    """The decomposition that is given, or that of a world model's latents.

    Raises:
        ArgumentError: none is given, and this is no world model.
    """
    if decomposition is not None:
        if not isinstance(decomposition, Decomposition):
            raise ArgumentError("decomposition", decomposition, "a Decomposition")
        return decomposition
    if not isinstance(model, WorldModel):
        raise ArgumentError("decomposition", None, "a Decomposition, of what is no WorldModel")
    group = model.latent.group
    return latent_blocks(model.latent.feature_type(), getattr(group, "space", group))


def latents_of(model: Any, data: Any) -> Array:
    """The latents of data `(N, n)`, float64; lengths of a world model's in units of its scene's length scale.

    Args:
        model: a WorldModel; a function from data to Features or numbers; or the latents themselves.
        data: a `Dataset`, or observed Features, for a WorldModel; whatever a function takes.

    >>> import numpy as np
    >>> latents_of(lambda data: 2 * data, np.ones((1, 2)))
    array([[2., 2.]])
    """
    if isinstance(model, WorldModel):
        observed = data if isinstance(data, Features) else recorded(data).features(model.dtype)[0]
        with torch.no_grad():
            return flat(model.encode_features(observed.to(model.dtype, model.device)), model)
    found = model(data) if callable(model) else model
    if isinstance(found, Features):
        return flat(found)
    if isinstance(found, torch.Tensor):
        found = found.detach().cpu()
    given = reals("latents", found)
    if given.ndim != 2:
        raise ArgumentError("latents", f"shape {given.shape}", "(N, n)")
    return given


def recorded(data: Any) -> Any:
    """What holds transitions.

    Raises:
        ArgumentError: it is no Dataset.
    """
    if not callable(getattr(data, "features", None)):
        raise ArgumentError("data", f"a {type(data).__name__}", "a Dataset, as collect makes it")
    return data


def flat(z: Features, model: WorldModel | None = None) -> Array:
    """Features `(N,)` as numbers `(N, n)`; of a world model lengths in units of its scene's length scale."""
    unit = 1.0 if model is None else model.symmetry.length_scale
    z = z.to(dtype=torch.float64)
    found: Array = Features(z.scalars, z.vectors / unit, z.points / unit).flatten().detach().cpu().numpy()
    return found


def centred(values: Array, decomposition: Decomposition) -> Array:
    """Without the mean of trivial blocks: that of others is 0 over an orbit, and part of what is compared."""
    for block in decomposition.blocks:
        if block.trivial:
            values = values - values.mean(0) @ block.basis @ block.basis.T
    return values
