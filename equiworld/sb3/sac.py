"""The equivariant policy for SAC of stable-baselines3."""

from __future__ import annotations

from typing import Any

import torch
from stable_baselines3.sac.policies import LOG_STD_MAX, LOG_STD_MIN, Actor, SACPolicy
from torch import Tensor, nn

from equiworld.sb3.distributions import SquashedEquivariantGaussian
from equiworld.sb3.observation_form import ObservationForm
from equiworld.sb3.off_policy import OffPolicyParts
from equiworld.sb3.steerable_form import SteerableForm

__all__ = ["EquivariantSACPolicy"]


class _Actor(Actor):
    """An actor whose distribution turns with the world."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        net_arch, activation_fn = kwargs["net_arch"], kwargs["activation_fn"]
        form = self._form
        form.noisy = True
        self.action_dist = SquashedEquivariantGaussian(form.actions)  # type: ignore[assignment]
        if isinstance(form, SteerableForm):
            self.latent_pi = form.network("noisy action", net_arch, activation_fn)  # type: ignore[assignment]
            self.mu, self.log_std = nn.Identity(), nn.Identity()  # type: ignore[assignment]
        else:
            width = net_arch[-1] if net_arch else self.features_dim
            self.log_std = nn.Linear(width, len(form.actions.blocks))  # type: ignore[assignment]

    @property
    def _form(self) -> ObservationForm:
        assert isinstance(self.features_extractor, ObservationForm)
        return self.features_extractor

    def get_action_dist_params(self, obs: Any) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """The mean by channels `(B, m)`, the log standard deviation by blocks `(B, c)`, both in the world."""
        form = self._form
        sight = form(obs)
        found = self.latent_pi(sight.numbers)
        if isinstance(form, SteerableForm):
            mean, spread = form.split(found)
        else:
            mean, spread = self.mu(found), self.log_std(found)  # type: ignore[operator]
        spread = torch.clamp(sight.noise(spread), LOG_STD_MIN, LOG_STD_MAX)
        return sight.to_world(mean), spread, {}


class EquivariantSACPolicy(OffPolicyParts, SACPolicy):
    """The policy of SAC, exactly equivariant, with invariant critics.

    Numbers are bounded by tanh as always; vectors by tanh of their length, so that they fill the ball and not the box.
    Noise is of one size for the coordinates of a vector, and trades places with the joints that do.

    >>> import gymnasium as gym, torch
    >>> from stable_baselines3 import SAC
    >>> env = gym.make("Reacher-v5")
    >>> model = SAC(EquivariantSACPolicy, env, policy_kwargs=dict(symmetry="Reacher-v5", net_arch=[16]), device="cpu")
    >>> obs, action = torch.randn(3, 10), torch.rand(3, 2)
    >>> mirrored = obs * torch.tensor([1.0, 1, -1, -1, 1, -1, -1, -1, 1, -1])
    >>> bool((model.critic(obs, action)[0] - model.critic(mirrored, -action)[0]).abs().max() < 1e-6)
    True
    """

    actor_class = _Actor
    algorithms = ("SAC",)
    blocks = 256, 256
