"""Normal distributions of actions that turn with the world: noise of one size wherever an element mixes numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from stable_baselines3.common.distributions import DiagGaussianDistribution
from torch import Tensor, nn

from equiworld.nn.constant import Constant
from equiworld.sb3.action_channels import ActionChannels, Block
from equiworld.sb3.sight import Sight

__all__ = ["EquivariantGaussian", "SquashedEquivariantGaussian", "WorldAction", "squashed"]


class WorldAction(nn.Module):
    """The last layer of an actor: from what it made of a `Sight` to actions in the world.

    Args:
        layer: gives the channels of an action.
        actions: these channels.
    """

    def __init__(self, layer: nn.Module, actions: ActionChannels) -> None:
        super().__init__()
        self.layer, self.actions = layer, actions

    def forward(self, sight: Sight) -> Tensor:
        return self.actions.back(sight.to_world(self.layer(sight.numbers)))


class EquivariantGaussian(DiagGaussianDistribution):
    """The distribution of PPO and A2C: the noise of numbers that some element exchanges or mixes has one size.

    Then the density of g·a at g·s is that of a at s, and samples with noise ρ(g) ε are ρ(g) times those with noise ε.

    Args:
        actions: the channels of actions.
    """

    def __init__(self, actions: ActionChannels) -> None:
        super().__init__(actions.size)
        self.actions = actions
        # As a product: the gradient of picking entries takes several times as long.
        self._orbit = Constant(_picking(actions.ordered(torch.tensor(actions.orbit))))
        self.orbits = max(actions.orbit, default=-1) + 1

    def proba_distribution_net(
        self, latent_dim: int, log_std_init: float = 0.0
    ) -> tuple[nn.Module, nn.Parameter]:
        """The last layer, and one log standard deviation for each orbit of numbers."""
        layer = WorldAction(nn.Linear(latent_dim, self.action_dim), self.actions)
        return layer, nn.Parameter(torch.full((self.orbits,), float(log_std_init)), requires_grad=True)

    def proba_distribution(self, mean_actions: Tensor, log_std: Tensor) -> EquivariantGaussian:
        """The distribution of means `(B, m)` and log standard deviations of orbits."""
        if self.orbits > 1:
            log_std = log_std @ self._orbit.like(log_std)
        super().proba_distribution(mean_actions, log_std)
        return self


class SquashedEquivariantGaussian(EquivariantGaussian):
    """The distribution of SAC: bounded by tanh number by number, of vectors by tanh of their length.

    u ↦ tanh(|u|) u/|u| of d numbers has the Jacobian (1 − tanh²|u|) (tanh|u|/|u|)^(d−1).

    Args:
        actions: the channels of actions.
    """

    def __init__(self, actions: ActionChannels) -> None:
        super().__init__(actions)
        self._block = Constant(_picking(torch.tensor(actions.block)))
        self._unbounded: Tensor | None = None

    def proba_distribution(self, mean_actions: Tensor, log_std: Tensor) -> SquashedEquivariantGaussian:
        """The distribution of means `(B, m)` and log standard deviations of blocks `(B, c)`, both by channels."""
        DiagGaussianDistribution.proba_distribution(self, mean_actions, log_std @ self._block.like(log_std))
        return self

    def sample(self) -> Tensor:
        self._unbounded = super().sample()
        return self._bounded(self._unbounded)

    def mode(self) -> Tensor:
        self._unbounded = super().mode()
        return self._bounded(self._unbounded)

    def entropy(self) -> None:
        """Not known in closed form."""
        return None

    def log_prob(self, actions: Tensor, unbounded: Tensor | None = None) -> Tensor:
        """The log density of actions `(B, m)`, and of what they were before they were bounded, if that is known."""
        if unbounded is None:
            unbounded = _opened(self.actions.of(actions), self.actions.blocks)
        found = super().log_prob(unbounded)
        return found - _log_jacobian(unbounded, self.actions.blocks)

    def log_prob_from_params(self, mean_actions: Tensor, log_std: Tensor) -> tuple[Tensor, Tensor]:
        """A sample and its log density."""
        action = self.actions_from_params(mean_actions, log_std)
        return action, self.log_prob(action, self._unbounded)

    def _bounded(self, row: Tensor) -> Tensor:
        return self.actions.back(squashed(row, self.actions.blocks))


def squashed(row: Tensor, blocks: Sequence[Block]) -> Tensor:
    """Channels `(B, m)` bounded to (−1, 1), those of vectors to the unit ball."""
    if not any(block.radial for block in blocks):
        return torch.tanh(row)
    parts = []
    for block in blocks:
        part = row[..., block.places[0] : block.places[-1] + 1]
        parts.append(part * _shrink(_length(part)) if block.radial else torch.tanh(part))
    return torch.cat(parts, -1)


def _opened(row: Tensor, blocks: Sequence[Block]) -> Tensor:
    """What `squashed` made these of."""
    parts = []
    most = 1.0 - torch.finfo(row.dtype).eps
    for block in blocks:
        part = row[..., block.places[0] : block.places[-1] + 1]
        length = _length(part).clamp(max=most) if block.radial else part.clamp(-most, most)
        parts.append(part * (torch.atanh(length) / length) if block.radial else torch.atanh(length))
    return torch.cat(parts, -1)


def _log_jacobian(row: Tensor, blocks: Sequence[Block]) -> Tensor:
    """The log of the Jacobian of `squashed`, `(B,)`."""
    total: Any = 0.0
    for block in blocks:
        part = row[..., block.places[0] : block.places[-1] + 1]
        length = _length(part) if block.radial else part
        # log(1 − tanh² u) = 2 (log 2 − u − softplus(−2 u))
        steep = (2.0 * (math.log(2.0) - length - F.softplus(-2.0 * length))).sum(-1)
        across = (len(block.places) - 1) * _shrink(length).log().sum(-1) if block.radial else 0.0
        total = total + steep + across
    return total


def _length(part: Tensor) -> Tensor:
    """The lengths `(…, 1)` of vectors, never 0, with gradients there."""
    return (part.square().sum(-1, keepdim=True) + torch.finfo(part.dtype).tiny ** 0.5).sqrt()


def _shrink(length: Tensor) -> Tensor:
    return torch.tanh(length) / length


def _picking(index: Tensor) -> Tensor:
    """The matrix `(c, m)` with x @ matrix = x[index]."""
    return F.one_hot(index).T.to(torch.float64)
