"""The equivariant policy for TD3 and DDPG of stable-baselines3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gymnasium import spaces
from stable_baselines3.common.torch_layers import create_mlp
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.td3.policies import Actor, TD3Policy
from torch import Tensor, nn

from equiworld.sb3.distributions import squashed
from equiworld.sb3.observation_form import ObservationForm
from equiworld.sb3.off_policy import OffPolicyParts
from equiworld.sb3.settled import Form
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

    Args:
        observation_space: that the symmetry declares.
        action_space: a Box whose scaling to [−1, 1] commutes with the group.
        lr_schedule: as stable-baselines3 gives it.
        symmetry: see `EquivariantActorCriticPolicy`.
        form: likewise.
        scales: likewise.
        kwargs: of stable-baselines3's policy.

    Raises:
        ArgumentError: as there; or an action space that does not turn with the world.

    >>> import gymnasium as gym
    >>> from stable_baselines3 import TD3
    >>> env = gym.make("Walker2d-v5")
    >>> kwargs = dict(symmetry="Walker2d-v5", form="steerable", net_arch=[16])
    >>> TD3(EquivariantTD3Policy, env, policy_kwargs=kwargs, device="cpu").predict(env.reset()[0])[0].shape
    (6,)
    """

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Box,
        lr_schedule: Schedule,
        *,
        symmetry: Any = None,
        form: Form = "canonical",
        scales: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        given = self.settled(observation_space, action_space, symmetry, form, scales, kwargs)
        super().__init__(observation_space, action_space, lr_schedule, **given)
        self.symmetry, self.form, self.scales = self.shared_form.symmetry, form, scales

    def make_actor(self, features_extractor: Any = None) -> _Actor:
        """The actor of the equivariant kind."""
        return _Actor(**self._update_features_extractor(self.actor_kwargs, features_extractor)).to(
            self.device
        )
