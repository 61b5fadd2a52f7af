"""The part of a dataset that splitting it and comparing it with others need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Transitions"]


class Transitions(Protocol):
    """N transitions (s, a, s′) in episodes, as `Dataset` holds them."""

    @property
    def observation(self) -> Mapping[str, NDArray[np.floating]]:
        """The state fields at s, each `(N, size)`."""

    @property
    def action(self) -> NDArray[np.floating]:
        """`(N, size)`."""

    @property
    def next_observation(self) -> Mapping[str, NDArray[np.floating]]:
        """The state fields at s′."""

    @property
    def episode(self) -> NDArray[np.int64]:
        """The number of each one's episode, `(N,)`."""

    def __len__(self) -> int: ...

    def select(self, which: NDArray[Any]) -> Self:
        """The transitions that a mask picks."""
