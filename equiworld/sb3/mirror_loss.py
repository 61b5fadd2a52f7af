"""The mirror loss: a plain policy of stable-baselines3 that is drawn towards equivariance."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import CombinedExtractor
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor

from equiworld.arguments import number
from equiworld.errors import ArgumentError
from equiworld.sb3.makers import MadeByAlgorithms
from equiworld.sb3.settled import symmetry_for, warn_of_reward
from equiworld.symmetry.concatenation import leaves

__all__ = ["MirrorLossPolicy"]


class _WithLoss(torch.autograd.Function):
    """Hands values on as they are; in the backward pass a loss beside them receives a gradient of 1."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, loss: Tensor) -> Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,) = gradients
        return gradient, torch.ones((), dtype=gradient.dtype, device=gradient.device)


class MirrorLossPolicy(MadeByAlgorithms, ActorCriticPolicy):
    """The plain policy of PPO and A2C, with w · mean |μ(g·s) − ρ(g) μ(s)|² added to the loss, μ its mean action.

    One element is drawn for each sample. The algorithm is stable-baselines3's own: the loss joins its backward pass
    through `evaluate_actions`, and the clipping of gradients with it. TRPO, which takes its gradients otherwise, has no
    place for it.

    Args:
        observation_space: that the symmetry declares.
        action_space: a Box.
        lr_schedule: as stable-baselines3 gives it.
        symmetry: of the environment, or its id; what the observation space carries if None.
        mirror_weight: w.
        kwargs: of stable-baselines3's policy.

    Raises:
        ArgumentError: no symmetry, actions that are angles or quaternions, or another algorithm.

    Reference: Yu, Turk and Liu, Learning symmetric and low-energy locomotion, SIGGRAPH 2018.

    >>> import gymnasium as gym
    >>> from stable_baselines3 import PPO
    >>> kwargs = dict(symmetry="Reacher-v5", mirror_weight=4.0)
    >>> model = PPO(MirrorLossPolicy, gym.make("Reacher-v5"), policy_kwargs=kwargs, n_steps=64, device="cpu", seed=0)
    >>> model.learn(64).num_timesteps
    64
    """

    algorithms = "PPO", "A2C"

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        lr_schedule: Schedule,
        *,
        symmetry: Any = None,
        mirror_weight: float = 1.0,
        **kwargs: Any,
    ) -> None:
        self.symmetry = symmetry_for(observation_space, symmetry).sized(observation_space)
        if any(not leaf.affine for leaf in leaves(self.symmetry.action)):
            expected = (
                "actions that turn by a matrix, whose differences are lengths: no angles, no quaternions"
            )
            raise ArgumentError("symmetry", f"one with actions {self.symmetry.action!r}", expected)
        warn_of_reward(self.symmetry, stacklevel=3)
        self.mirror_weight = number("mirror_weight", mirror_weight, least=0)
        if isinstance(observation_space, spaces.Dict):
            kwargs.setdefault("features_extractor_class", CombinedExtractor)
        super().__init__(observation_space, action_space, lr_schedule, **kwargs)
        self._rng = np.random.default_rng(
            torch.initial_seed() % 2**63
        )  # that of torch, of which nothing is drawn

    def evaluate_actions(self, obs: Any, actions: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """As that of stable-baselines3; a loss rides on the values."""
        values, log_prob, entropy = super().evaluate_actions(obs, actions)
        if torch.is_grad_enabled() and self.mirror_weight:
            values = _WithLoss.apply(values, self.mirror_weight * self.mirror_loss(obs))
        return values, log_prob, entropy

    def mirror_loss(self, obs: Any) -> Tensor:
        """The mean of |μ(g·s) − ρ(g) μ(s)|² over observations `(B, …)`; a scalar."""
        arrays = (
            {name: each.cpu().numpy() for name, each in obs.items()}
            if isinstance(obs, dict)
            else obs.cpu().numpy()
        )
        count = len(next(iter(obs.values())) if isinstance(obs, dict) else obs)
        g = self.symmetry.group.sample(self._rng, count, scale=self.symmetry.length_scale)
        found = self.symmetry.transform_observation(g, arrays)
        turned: Any = (
            {name: torch.as_tensor(a, device=self.device) for name, a in found.items()}
            if isinstance(found, dict)
            else torch.as_tensor(found, device=self.device)
        )
        here, there = (self._mean(each) for each in (obs, turned))
        # The way of actions is affine: columns of ρ(g), once for the batch.
        size = here.shape[-1]
        nought = self.symmetry.transform_action(g, np.zeros((count, size)))
        columns = [
            self.symmetry.transform_action(g, np.tile(row, (count, 1))) - nought for row in np.eye(size)
        ]
        matrix = torch.as_tensor(np.stack(columns, -1)).to(here)
        image = (matrix @ here.unsqueeze(-1)).squeeze(-1) + torch.as_tensor(nought).to(here)
        return (there - image).square().sum(-1).mean()

    def _mean(self, obs: Any) -> Tensor:
        """The mean action, which turns; the sampled one does not."""
        return self.get_distribution(obs).mode()

    def _get_constructor_parameters(self) -> dict[str, Any]:
        data = super()._get_constructor_parameters()
        return {**data, "symmetry": self.symmetry, "mirror_weight": self.mirror_weight}
