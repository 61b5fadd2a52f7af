"""The base classes of encoders of observations: settings that build a module, and that module."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from equiworld.symmetry import Features, Symmetry

__all__ = ["Encoder", "LearnedEncoder", "ObservationEncoder"]


class ObservationEncoder(nn.Module, ABC):
    """The map from observations to latent states and goals.

    Attributes:
        symmetry: of observations.
        latent: what the channels of latent states and goals are called, and how they transform.
    """

    symmetry: Symmetry
    latent: Symmetry

    def seen_in(self, dtype: torch.dtype) -> torch.dtype:
        """The dtype that observations are to come in, of a model in `dtype`."""
        return dtype

    @abstractmethod
    def observed(self, obs: Any, dtype: torch.dtype, goal: bool = False) -> Features:
        """The observed state, or goal, as Features of the observation's leading shape `(…)`: nothing learned.

        Args:
            obs: NumPy's arrays or torch's.
            dtype: of the model.
            goal: of the goal instead; of no channels if none is shown.
        """

    @abstractmethod
    def forward(self, observed: Features, goal: bool = False) -> Features:
        """The latent state of what `observed` or `Dataset.features` give; or the latent goal."""


class LearnedEncoder(ObservationEncoder):
    """An encoder with weights, which training has stages of their own for.

    Attributes:
        network: its weights; `rounds(views)` are what it finds in each of several views, and its earlier guesses.
    """

    network: nn.Module

    @abstractmethod
    def forward(self, observed: Features, goal: bool = False, network: Any = None) -> Features:
        """As of every encoder, or by another network of the same kind, an average of past ones say."""

    @abstractmethod
    def views(self, observed: Features, rng: np.random.Generator, count: int) -> list[Tensor]:
        """Views of the same instants, each `(N, …)`."""

    @abstractmethod
    def join(self, found: Features, observed: Features) -> Features:
        """The latent state of what was found in a view of what was observed."""

    @abstractmethod
    def subsampled(self, observed: Features, rng: np.random.Generator) -> Features:
        """The observation as one of its views shows it."""


class Encoder(ABC):
    """Settings of an encoder. Concrete ones are frozen dataclasses of plain numbers, as a `Network` is.

    Attributes:
        of_clouds: whether it is for states with a cloud of points.
        learns: whether it has weights, which training has stages of their own for.
    """

    of_clouds: ClassVar[bool] = False
    learns: ClassVar[bool] = False

    @abstractmethod
    def build(
        self, symmetry: Symmetry, equivariant: bool, centred: bool, generator: torch.Generator
    ) -> ObservationEncoder:
        """The module.

        Args:
            symmetry: of observations.
            equivariant: whether it commutes with the group; else the baseline, in the world's axes.
            centred: whether it sees points from a point of its own.
            generator: of the initial weights.

        Raises:
            ArgumentError: a state that it cannot see.
        """
