"""Episodes that are held out of training, to judge it by."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from equiworld.arguments import number
from equiworld.training.transitions import Transitions

__all__ = ["hold_out"]

T = TypeVar("T", bound=Transitions)


def hold_out(data: T, share: float, rng: np.random.Generator) -> tuple[T, T]:
    """Split transitions by episode: those to train on, and those held out.

    Neighbouring transitions of an episode are nearly the same, so whole episodes are held out: drawn at random, as
    many as fit into the share. An episode that is longer than that by itself is never held out.

    Args:
        data: N transitions.
        share: of the transitions to hold out, at most; from 0 to below 1.
        rng: draws the episodes.

    Returns:
        Both parts, in the order of `data`; the second is empty where no episode fits.

    Raises:
        ArgumentError: no such share.

    >>> import equiworld as ew
    >>> data = ew.collect("equiworld/PushT-v0", transitions=60, seed=0, workers=1)
    >>> seen, held_out = hold_out(data, 0.2, np.random.default_rng(0))
    >>> len(seen), len(held_out), set(seen.episode) & set(held_out.episode)
    (48, 12, set())
    """
    budget = number("share", share, least=0, below=1) * len(data)
    which, sizes = np.unique(data.episode, return_inverse=True, return_counts=True)[1:]
    order = rng.permutation(len(sizes))
    order = order[sizes[order] <= budget]
    drawn = order[np.cumsum(sizes[order]) <= budget]
    held_out = np.isin(which, drawn)
    return data.select(~held_out), data.select(held_out)
