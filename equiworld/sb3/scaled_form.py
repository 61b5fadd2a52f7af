"""Observations in the units that equivariant policies see, in world axes: for plain policies beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor

from equiworld.sb3.steerable_form import SteerableForm

__all__ = ["ScaledForm"]


class ScaledForm(BaseFeaturesExtractor):
    """A features extractor for stable-baselines3's own policies: the numbers of form "steerable", nothing more.

    So a comparison with an equivariant policy does not measure in which units each sees its world.

    Args:
        observation_space: that the symmetry declares.
        symmetry: of observations.
        scales: see `EquivariantActorCriticPolicy`.

    >>> import gymnasium as gym, torch
    >>> from equiworld.symmetry import symmetry_of
    >>> env = gym.make("Reacher-v5")
    >>> ScaledForm(env.observation_space, symmetry_of(env))(torch.ones(1, 10))[0, 0]  # an angle's sine of 1
    tensor(1.)
    """

    def __init__(
        self, observation_space: spaces.Space, symmetry: Any, scales: Mapping[str, float] | None = None
    ) -> None:
        form = SteerableForm(observation_space, symmetry, scales)
        super().__init__(observation_space, form.features_dim)
        self.form = form

    def forward(self, observations: Any) -> Tensor:
        return self.form(observations).numbers
