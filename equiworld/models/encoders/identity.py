"""Latents that are the observed state itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from equiworld.models.encoders.encoder import Encoder, ObservationEncoder
from equiworld.symmetry import Features, Symmetry

__all__ = ["Identity"]


@dataclass(frozen=True)
class Identity(Encoder):
    """The latent is the state as it is observed."""

    def build(
        self, symmetry: Symmetry, equivariant: bool, centred: bool, generator: torch.Generator
    ) -> ObservationEncoder:
        return _Observed(symmetry)


class _Observed(ObservationEncoder):
    def __init__(self, symmetry: Symmetry) -> None:
        super().__init__()
        self.symmetry = self.latent = symmetry

    def observed(self, obs: Any, dtype: torch.dtype, goal: bool = False) -> Features:
        return self.symmetry.to_features(obs, self.symmetry.goal if goal else None, dtype=dtype)

    def forward(self, observed: Features, goal: bool = False) -> Features:
        return observed
