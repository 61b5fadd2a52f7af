"""What a loss of encoders is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from equiworld.groups import Group
from equiworld.symmetry import Features

__all__ = ["EncoderLoss"]


class EncoderLoss(ABC):
    """A loss of what an encoder finds in several views of one instant."""

    @abstractmethod
    def __call__(
        self,
        found: Features,
        guesses: Sequence[Tensor],
        length: float,
        equivariant: bool,
        rng: np.random.Generator | None = None,
        group: Group | None = None,
    ) -> Tensor:
        """The loss, a scalar.

        Args:
            found: of batch shape `(V, N)`: V views of N instants.
            guesses: of the points `(V, N, d, K)`, the encoder's earlier ones.
            length: the scene's length scale, which lengths are measured by.
            equivariant: whether the encoder commutes with the group. The baselines' latents have no orbit: their
                spread is that over the data.
            rng: of what a loss draws; one of a fixed seed if None.
            group: that the latent transforms under; all rotations if None.
        """
