"""What equivariant policies of SAC, TD3 and DDPG share: critics, and one form of the observation for all networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from stable_baselines3.common.policies import BasePolicy, ContinuousCritic
from torch import Tensor

from equiworld.sb3.observation_form import ObservationForm
from equiworld.sb3.settled import check_scaled, settled
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


class OffPolicyParts(BasePolicy):
    """The constructor's part, and the form that actor and critics share, which computes one frame a sample."""

    symmetry: Symmetry
    form: str
    scales: Mapping[str, float] | None
    shared_form: ObservationForm
    critic_kwargs: dict[str, Any]

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

    @staticmethod
    def settled(
        observation_space: Any, action_space: Any, symmetry: Any, form: str, scales: Any, kwargs: Any
    ) -> dict[str, Any]:
        """See `equiworld.sb3.settled.settled`; the scaling of actions has to commute too."""
        given = settled(observation_space, action_space, symmetry, form, scales, kwargs)
        check_scaled(given["features_extractor_kwargs"]["symmetry"], action_space)
        return given

    def _get_constructor_parameters(self) -> dict[str, Any]:
        data = super()._get_constructor_parameters()
        del data["features_extractor_class"], data["features_extractor_kwargs"]
        return {**data, "symmetry": self.symmetry, "form": self.form, "scales": self.scales}
