"""What equivariant policies of SAC, TD3 and DDPG share: critics, and one form of the observation for all networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy, ContinuousCritic
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor

from equiworld.sb3.makers import MadeByAlgorithms
from equiworld.sb3.observation_form import ObservationForm
from equiworld.sb3.settled import Form, check_scaled, settled
from equiworld.sb3.sight import Sight
from equiworld.sb3.steerable_form import SteerableForm
from equiworld.symmetry import Symmetry

__all__ = ["EquivariantCritic", "OffPolicyParts"]


class EquivariantCritic(ContinuousCritic):
    """Invariant critics Q(g·s, g·a) = Q(s, a): they see actions in the frame of the observation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        net_arch, activation_fn = kwargs["net_arch"], kwargs["activation_fn"]
        form = self.features_extractor
        if isinstance(form, SteerableForm):
            self.q_networks = [
                form.network(1, net_arch, activation_fn, with_action=True) for _ in self.q_networks
            ]
            for index, network in enumerate(self.q_networks):
                setattr(self, f"qf{index}", network)

    def forward(self, obs: Any, actions: Tensor) -> tuple[Tensor, ...]:
        row = self._row(obs, actions)
        return tuple(network(row) for network in self.q_networks)

    def q1_forward(self, obs: Any, actions: Tensor) -> Tensor:
        return self.q_networks[0](self._row(obs, actions))

    def _row(self, obs: Any, actions: Tensor) -> Tensor:
        form = self.features_extractor
        assert isinstance(form, ObservationForm)
        sight: Sight = form(obs)
        return torch.cat(
            (sight.numbers, sight.to_frame(form.actions.of(actions).to(sight.numbers.dtype))), -1
        )


class OffPolicyParts(MadeByAlgorithms, BasePolicy):
    """The constructor, and the form that actor and critics share, which computes one frame a sample.

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
    """

    actor_class: type[BasePolicy]
    blocks: ClassVar[tuple[int, ...]]
    shared_form: ObservationForm
    actor_kwargs: dict[str, Any]
    critic_kwargs: dict[str, Any]

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
        given = settled(observation_space, action_space, symmetry, form, scales, kwargs)
        found: Symmetry = given["features_extractor_kwargs"]["symmetry"]
        check_scaled(found, action_space)
        if form == "steerable" and not found.group.finite and given.get("net_arch") is None:
            given["net_arch"] = list(self.blocks)  # of equal sizes, as stable-baselines3's need not be
        super().__init__(observation_space, action_space, lr_schedule, **given)
        self.symmetry: Symmetry = self.shared_form.symmetry
        self.form, self.scales = form, scales

    @property
    def inexact(self) -> tuple[str, ...]:
        """Why what is decided is equal in law only, in words; empty as a rule."""
        return self.shared_form.inexact

    def make_features_extractor(self) -> Any:
        """The one form of the observation; it has no weights."""
        if not hasattr(self, "shared_form"):
            self.shared_form = super().make_features_extractor()  # type: ignore[assignment]
        return self.shared_form

    def make_critic(self, features_extractor: Any = None) -> EquivariantCritic:
        """Critics of the equivariant kind."""
        kwargs = self._update_features_extractor(self.critic_kwargs, features_extractor)
        return EquivariantCritic(**kwargs).to(self.device)

    def make_actor(self, features_extractor: Any = None) -> Any:
        """The actor of the equivariant kind."""
        kwargs = self._update_features_extractor(self.actor_kwargs, features_extractor)
        return self.actor_class(**kwargs).to(self.device)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        data = super()._get_constructor_parameters()
        del data["features_extractor_class"], data["features_extractor_kwargs"]
        return {**data, "symmetry": self.symmetry, "form": self.form, "scales": self.scales}
