"""The equivariant policy for TD3 and DDPG of stable-baselines3."""

from __future__ import annotations

from typing import Any

from stable_baselines3.common.torch_layers import create_mlp
from stable_baselines3.td3.policies import Actor, TD3Policy
from torch import Tensor, nn

from equiworld.sb3.distributions import squashed
from equiworld.sb3.observation_form import ObservationForm
from equiworld.sb3.off_policy import OffPolicyParts
from equiworld.sb3.steerable_form import SteerableForm

__all__ = ["EquivariantTD3Policy"]


class _Actor(Actor):
    """A deterministic actor that turns with the world."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        net_arch, activation_fn = kwargs["net_arch"], kwargs["activation_fn"]
        form = self.features_extractor
        assert isinstance(form, ObservationForm)
        if isinstance(form, SteerableForm):
            self.mu = nn.Sequential(form.network("action", net_arch, activation_fn))
        else:
            layers = create_mlp(self.features_dim, form.actions.size, net_arch, activation_fn)
            self.mu = nn.Sequential(*layers)

    def forward(self, obs: Any) -> Tensor:
        form = self.features_extractor
        assert isinstance(form, ObservationForm)
        sight, actions = form(obs), form.actions
        return actions.back(squashed(sight.to_world(self.mu(sight.numbers)), actions.blocks))


class EquivariantTD3Policy(OffPolicyParts, TD3Policy):
    """The policy of TD3 and DDPG, exactly equivariant, with invariant critics; bounds as those of SAC's.

    The noise that the algorithm adds itself, and clips coordinate by coordinate, is isotropic in law at best: it
    changes what is learned, and nothing of what is exact.

    >>> import gymnasium as gym
    >>> from stable_baselines3 import TD3
    >>> env = gym.make("Walker2d-v5")
    >>> kwargs = dict(symmetry="Walker2d-v5", form="steerable", net_arch=[16])
    >>> TD3(EquivariantTD3Policy, env, policy_kwargs=kwargs, device="cpu").predict(env.reset()[0])[0].shape
    (6,)
    """

    actor_class = _Actor
    algorithms = "TD3", "DDPG"
    blocks = 400, 400
