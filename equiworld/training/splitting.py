"""Datasets split into parts that share no episode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from equiworld.arguments import integer, number
from equiworld.errors import ArgumentError
from equiworld.training.held_out import hold_out
from equiworld.training.transitions import Transitions

__all__ = ["split_episodes"]

T = TypeVar("T", bound=Transitions)

_ROUNDING = 1e-9
"""Relative: what a share may be exceeded by, so that rounding costs no episode that just fits."""


def split_episodes(data: T, shares: Sequence[float], seed: int = 0) -> tuple[T, ...]:
    """Disjoint parts of whole episodes; see `Dataset.split`.

    >>> import equiworld as ew
    >>> data = ew.collect("equiworld/PushT-v0", transitions=60, seed=0, workers=1)
    >>> [len(part) for part in split_episodes(data, (0.6, 0.2, 0.2))]
    [36, 12, 12]
    """
    rng = np.random.default_rng(integer("seed", seed, least=0))
    try:
        wanted = [number("shares", share, above=0, below=1) for share in shares]
    except TypeError:
        raise ArgumentError("shares", shares, "several numbers, such as (0.9, 0.1)") from None
    if abs(sum(wanted) - 1) > _ROUNDING:
        raise ArgumentError("shares", shares, "positive numbers that add up to 1")
    rest, parts = data, list[T]()
    for share in wanted[:0:-1]:
        left = share * len(data) / max(len(rest), 1) * (1 + _ROUNDING)
        rest, part = hold_out(rest, min(left, 1 - _ROUNDING), rng)
        parts.append(part)
        if not len(part) or not len(rest):
            got = f"{share:g} of {len(data)} transitions in {len(np.unique(data.episode))} episodes"
            raise ArgumentError("shares", got, "shares into each of which a whole episode fits")
    return (rest, *reversed(parts))
