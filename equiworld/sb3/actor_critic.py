"""Equivariant policies for PPO and A2C of stable-baselines3."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.torch_layers import MlpExtractor
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from equiworld.sb3.distributions import EquivariantGaussian, WorldAction
from equiworld.sb3.makers import MadeByAlgorithms
from equiworld.sb3.recording import Recorded
from equiworld.sb3.settled import Form, settled
from equiworld.sb3.sight import Sight
from equiworld.sb3.steerable_form import SteerableForm, orthogonal
from equiworld.symmetry import Symmetry
from equiworld.symmetry.limits import CUTS, Limits

__all__ = ["ActorCriticParts", "EquivariantActorCriticPolicy", "SeesForm"]


class SeesForm(BasePolicy):
    """What of a policy hands observations to its form as they are: float64 stays float64."""

    def extract_features(self, obs: Any, features_extractor: Any) -> Any:
        """The `Sight` of observations."""
        return features_extractor(obs)


class FramedExtractor(MlpExtractor):
    """The perceptrons of stable-baselines3 on the numbers of a `Sight`."""

    def forward(self, features: Any) -> Any:
        return self.forward_actor(features), self.forward_critic(features)

    def forward_actor(self, features: Any) -> Any:
        return features.seen_as(self.policy_net(features.numbers))

    def forward_critic(self, features: Any) -> Tensor:
        return self.value_net(features.numbers if isinstance(features, Sight) else features)


class SteerableExtractor(nn.Module):
    """Equivariant networks from observation to the channels of an action and to a value.

    Args:
        form: that makes them.
        net_arch: hidden sizes, or those of "pi" and "vf".
        activation: of tied layers.
    """

    def __init__(self, form: SteerableForm, net_arch: Any, activation: type[nn.Module]) -> None:
        super().__init__()
        arch = net_arch if isinstance(net_arch, dict) else {"pi": net_arch, "vf": net_arch}
        self.policy_net = form.network("action", arch.get("pi", []), activation)
        self.value_net = form.network(1, arch.get("vf", []), activation)
        self.latent_dim_pi, self.latent_dim_vf = form.actions.size, 1

    def forward(self, features: Sight) -> tuple[Sight, Tensor]:
        return self.forward_actor(features), self.forward_critic(features)

    def forward_actor(self, features: Sight) -> Sight:
        return features.seen_as(self.policy_net(features.numbers))

    def forward_critic(self, features: Sight) -> Tensor:
        return self.value_net(features.numbers)


class _Decision(nn.Module):
    """From noise and an observation's arrays to actions, values and the actions' log densities.

    Args:
        keys: of an observation that is a mapping.
        policy: that decides.
        dist: of actions.
    """

    def __init__(
        self, keys: tuple[str, ...] | None, policy: ActorCriticPolicy, dist: EquivariantGaussian
    ) -> None:
        super().__init__()
        self.keys, self.policy, self.dist = keys, policy, dist

    def forward(self, noise: Tensor, *arrays: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        policy = self.policy
        seen = arrays[0] if self.keys is None else dict(zip(self.keys, arrays, strict=True))
        latent_pi, latent_vf = policy.mlp_extractor(policy.features_extractor(seen))
        found = self.dist.proba_distribution(policy.action_net(latent_pi), policy.log_std)
        actions = found.distribution.mean + noise * found.distribution.stddev
        return actions, policy.value_net(latent_vf), found.log_prob(actions)


class ActorCriticParts(MadeByAlgorithms, ActorCriticPolicy):
    """What equivariant actor-critic policies share, with memory or without."""

    symmetry: Symmetry
    form: str
    scales: Mapping[str, float] | None
    limits: Limits

    @property
    def inexact(self) -> tuple[str, ...]:
        """Why what is decided is equal in law only, in words; empty as a rule."""
        cut = () if self._turning_limits else (CUTS,)
        return *self.features_extractor.inexact, *cut  # type: ignore[misc]

    def unscale_action(self, scaled_action: np.ndarray) -> np.ndarray:
        """Actions within the space, so that it turns: vectors are shortened, numbers clipped."""
        rows = scaled_action.reshape(len(scaled_action), int(np.prod(scaled_action.shape[1:])))
        return self.limits.keep(rows.astype(np.float64))[0].reshape(scaled_action.shape)

    def _settle(self, symmetry: Any, form: str, scales: Mapping[str, float] | None) -> None:
        """Called after the construction of stable-baselines3's part."""
        self.symmetry, self.form, self.scales = self.features_extractor.symmetry, form, scales  # type: ignore[assignment]
        self.limits = Limits.of_space(self.symmetry, self.action_space)
        self._turning_limits = self.limits.turns(self.symmetry)
        for why in (*(() if self._turning_limits else (CUTS,)), *self.limits.narrowing):
            warnings.warn(why, UserWarning, stacklevel=4)
        # What stable-baselines3 asks before it clips to the box: then it asks `unscale_action` instead.
        self._squash_output = not self.limits.is_box

    def _build_mlp_extractor(self) -> None:
        form = self.features_extractor
        if isinstance(form, SteerableForm):
            self.mlp_extractor = SteerableExtractor(form, self.net_arch, self.activation_fn).to(self.device)  # type: ignore[assignment]
            return
        size = getattr(self, "lstm_output_dim", self.features_dim)
        self.mlp_extractor = FramedExtractor(size, self.net_arch, self.activation_fn, self.device)

    def _build(self, lr_schedule: Schedule) -> None:
        actions = self.features_extractor.actions
        self.action_dist = EquivariantGaussian(actions)  # type: ignore[arg-type]
        super()._build(lr_schedule)
        if not isinstance(self.mlp_extractor, SteerableExtractor):
            return
        if self.ortho_init:
            orthogonal(self.mlp_extractor.policy_net, 0.01)
            orthogonal(self.mlp_extractor.value_net, 1.0)
        self.action_net, self.value_net = WorldAction(nn.Identity(), actions), nn.Identity()  # type: ignore[arg-type, assignment]
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)  # type: ignore[call-arg]

    def _get_constructor_parameters(self) -> dict[str, Any]:
        data = super()._get_constructor_parameters()
        del data["features_extractor_class"], data["features_extractor_kwargs"]
        return {**data, "symmetry": self.symmetry, "form": self.form, "scales": self.scales}


class EquivariantActorCriticPolicy(ActorCriticParts, ActorCriticPolicy, SeesForm):
    """The policy of PPO, A2C and TRPO, exactly equivariant: π(g·a | g·s) = π(a | s) and V(g·s) = V(s).

    Actions sampled at g·s with noise ρ(g) ε are ρ(g) times those sampled at s with noise ε. The action space cuts off
    vectors by their length. What else `policy_kwargs` of stable-baselines3's own policy may hold, it may hold here;
    gSDE and other features extractors are refused.

    Args:
        observation_space: that the symmetry declares.
        action_space: a Box.
        lr_schedule: as stable-baselines3 gives it.
        symmetry: of the environment, or its id; what the observation space carries if None (see `with_symmetry`).
        form: "canonical", plain perceptrons in the frame of each observation; or "steerable", equivariant layers:
            weights tied along orbits for finite groups.
        scales: by field, a typical size of its numbers; the declaration's and the space's otherwise.
        kwargs: of stable-baselines3's policy.

    Raises:
        ArgumentError: no symmetry, what does not turn with the world, or another algorithm.

    >>> import gymnasium as gym, equiworld as ew
    >>> from stable_baselines3 import PPO
    >>> env = gym.make("Reacher-v5")
    >>> symmetry = ew.symmetry_of(env)
    >>> model = PPO(EquivariantActorCriticPolicy, env, policy_kwargs=dict(symmetry=symmetry), seed=0, device="cpu")
    >>> observation, _ = env.reset(seed=0)
    >>> g = symmetry.group.reflection(0.3)
    >>> action, _ = model.predict(observation, deterministic=True)
    >>> turned, _ = model.predict(symmetry.transform_observation(g, observation), deterministic=True)
    >>> bool(abs(symmetry.transform_action(g, action) - turned).max() < 1e-6)
    True
    """

    algorithms = "PPO", "A2C", "TRPO"

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        lr_schedule: Schedule,
        *,
        symmetry: Any = None,
        form: Form = "canonical",
        scales: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        given = settled(observation_space, action_space, symmetry, form, scales, kwargs, nn.Tanh, 1e-5)
        super().__init__(observation_space, action_space, lr_schedule, **given)
        self._settle(symmetry, form, scales)
        self._recorded: tuple[Any, Any] = None, None  # what a record is for, and the record

    def forward(self, obs: Any, deterministic: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """As that of stable-baselines3; where no gradient is asked for, in one recorded call."""
        keys, dist = tuple(obs) if isinstance(obs, Mapping) else None, self.action_dist
        if torch.is_grad_enabled() or type(dist) is not EquivariantGaussian or self._overridden():
            return super().forward(obs, deterministic)
        if self._recorded[0] != (keys, dist):
            self._recorded = (keys, dist), Recorded(_Decision(keys, self, dist))
        arrays = tuple(obs.values()) if isinstance(obs, Mapping) else (obs,)
        draw = torch.zeros if deterministic else torch.randn
        noise = draw(len(arrays[0]), dist.action_dim, dtype=self.log_std.dtype, device=self.device)
        found: Any = self._recorded[1](noise, *arrays)
        actions, values, log_prob = found
        if not log_prob.isfinite().all():
            return super().forward(obs, deterministic)  # which says what is not
        return actions.reshape((-1, *self.action_space.shape)), values, log_prob  # type: ignore[misc]

    def _overridden(self) -> bool:
        """Whether a subclass or this instance has steps of its own in what `forward` of stable-baselines3 does."""
        return any(
            getattr(getattr(self, name), "__func__", None) is not getattr(EquivariantActorCriticPolicy, name)
            for name in ("extract_features", "_get_action_dist_from_latent")
        )
