"""The equivariant policy for RecurrentPPO of sb3-contrib."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gymnasium import spaces
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from equiworld.errors import ArgumentError
from equiworld.sb3.actor_critic import ActorCriticParts, SeesForm
from equiworld.sb3.settled import settled
from equiworld.sb3.sight import Sight

__all__ = ["EquivariantRecurrentPolicy"]


class _OnNumbers(nn.Module):
    """A layer on the numbers of a `Sight`."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, sight: Sight) -> Tensor:
        return self.layer(sight.numbers)


class EquivariantRecurrentPolicy(ActorCriticParts, RecurrentActorCriticPolicy, SeesForm):
    """The policy of RecurrentPPO, exactly equivariant: its memory holds what it saw in the frames of then.

    Every one of these is the same all over the orbit, and so is the memory; what is decided goes back by the frame of
    now. Of the two forms there is the canonical one alone. In float64, `predict` of sb3-contrib still keeps the memory
    from step to step in float32; calls of the policy itself keep it as it is.

    Args:
        observation_space: that the symmetry declares.
        action_space: a Box.
        lr_schedule: as sb3-contrib gives it.
        symmetry: see `EquivariantActorCriticPolicy`.
        form: "canonical".
        scales: see `EquivariantActorCriticPolicy`.
        kwargs: of sb3-contrib's policy.

    Raises:
        ArgumentError: the other form; or as there.

    >>> import gymnasium as gym
    >>> from sb3_contrib import RecurrentPPO
    >>> env = gym.make("Reacher-v5")
    >>> kwargs = dict(symmetry="Reacher-v5", lstm_hidden_size=8)
    >>> model = RecurrentPPO(EquivariantRecurrentPolicy, env, policy_kwargs=kwargs, seed=0, device="cpu")
    >>> action, memory = model.predict(env.reset(seed=0)[0], deterministic=True)
    >>> action.shape, memory[0].shape
    ((2,), (1, 1, 8))
    """

    algorithms = ("RecurrentPPO",)

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        lr_schedule: Schedule,
        *,
        symmetry: Any = None,
        form: str = "canonical",
        scales: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if form != "canonical":
            raise ArgumentError("form", form, "'canonical': no memory here is equivariant layer by layer")
        given = settled(observation_space, action_space, symmetry, form, scales, kwargs, nn.Tanh, 1e-5)
        super().__init__(observation_space, action_space, lr_schedule, **given)
        self._settle(symmetry, form, scales)
        if self.critic is not None:
            self.critic = _OnNumbers(self.critic)  # type: ignore[assignment]

    @staticmethod
    def _process_sequence(features: Any, lstm_states: Any, episode_starts: Tensor, lstm: nn.LSTM) -> Any:
        numbers = features.numbers
        memory = tuple(each.to(numbers.dtype) for each in lstm_states)  # sb3-contrib hands in float32
        found, states = RecurrentActorCriticPolicy._process_sequence(
            numbers,
            memory,
            episode_starts.to(numbers.dtype),
            lstm,  # type: ignore[arg-type]
        )
        return features.seen_as(found), states
