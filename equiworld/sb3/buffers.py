"""Buffers of stable-baselines3 that turn what they hold: augmentation for policies that are not equivariant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.buffers import (
    BaseBuffer,
    DictReplayBuffer,
    DictRolloutBuffer,
    ReplayBuffer,
    RolloutBuffer,
)
from stable_baselines3.common.vec_env import VecNormalize
from stable_baselines3.her.her_replay_buffer import HerReplayBuffer

from equiworld.arguments import integer, number
from equiworld.errors import ArgumentError
from equiworld.sb3.settled import check_normalised, check_scaled, symmetry_for
from equiworld.symmetry import Symmetry
from equiworld.symmetry.spaces import check_observation_space

__all__ = [
    "AugmentedDictReplayBuffer",
    "AugmentedDictRolloutBuffer",
    "AugmentedHerReplayBuffer",
    "AugmentedReplayBuffer",
    "AugmentedRolloutBuffer",
]


class _Augmented(BaseBuffer):
    """A buffer each of whose samples is moved by a fresh element, all of it by the same.

    Args:
        args: of stable-baselines3's buffer, as are the keywords that are not named here.
        symmetry: of the environment, or its id; what the observation space carries if None.
        scale: the longest translation of elements; the symmetry's length scale if None.
        seed: of the elements; drawn from torch's generator, which stable-baselines3 seeds, if None.

    Raises:
        ArgumentError: no symmetry; one that the reward does not have, or actions whose scaling does not commute with
            it; on sampling, observations that are normalised number by number.
    """

    scaled = False

    def __init__(
        self,
        *args: Any,
        symmetry: Any = None,
        scale: float | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        seed = None if seed is None else integer("seed", seed, least=0)
        scale = None if scale is None else number("scale", scale, least=0)
        super().__init__(*args, **kwargs)
        self.symmetry: Symmetry = symmetry_for(self.observation_space, symmetry).sized(self.observation_space)
        if not self.symmetry.reward:
            expected = (
                "one that the reward has, for turned transitions keep theirs: the part that leaves the rewarded "
                "direction alone, such as a mirror along it, symmetry.restricted(group, reward=True); or the direction "
                "observed and declared"
            )
            raise ArgumentError("symmetry", f"{self.symmetry.group!r} with reward=False", expected)
        check_observation_space(self.symmetry, self.observation_space)
        self.scale = self.symmetry.length_scale if scale is None else scale
        self.generator = np.random.default_rng(int(torch.randint(2**31 - 1, (1,))) if seed is None else seed)
        if self.scaled:
            check_scaled(self.symmetry, self.action_space)  # type: ignore[arg-type]

    def _get_samples(self, batch_inds: np.ndarray, env: VecNormalize | None = None) -> Any:
        check_normalised(env)
        return self._turned(super()._get_samples(batch_inds, env))  # type: ignore[safe-super]  # of the other base

    def _turned(self, samples: Any) -> Any:
        """Samples, each moved by an element of its own."""
        g = self.symmetry.group.sample(self.generator, len(samples.actions), scale=self.scale)
        moved = {
            name: self._moved(g, getattr(samples, name))
            for name in ("observations", "next_observations")
            if hasattr(samples, name)
        }
        action = self.symmetry.transform_action(g, samples.actions.cpu().numpy())
        return samples._replace(actions=torch.as_tensor(action).to(samples.actions), **moved)

    def _moved(self, g: Any, observation: Any) -> Any:
        """The tensors of the transformed observations."""
        if isinstance(observation, Mapping):
            arrays = {name: each.cpu().numpy() for name, each in observation.items()}
            found = self.symmetry.transform_observation(g, arrays)
            return {name: torch.as_tensor(found[name]).to(each) for name, each in observation.items()}
        found = self.symmetry.transform_observation(g, observation.cpu().numpy())
        return torch.as_tensor(found).to(observation)


class AugmentedReplayBuffer(_Augmented, ReplayBuffer):
    """For SAC, TD3 and DDPG: observation, action, next observation and goal are turned together.

    Args:
        args: of `ReplayBuffer`, as are other keywords.
        symmetry: as `replay_buffer_kwargs=dict(symmetry=…)`; also `scale`, the longest translation, and `seed`.

    >>> import gymnasium as gym
    >>> from stable_baselines3 import SAC
    >>> kwargs = dict(replay_buffer_class=AugmentedReplayBuffer, replay_buffer_kwargs=dict(symmetry="Reacher-v5"))
    >>> model = SAC("MlpPolicy", gym.make("Reacher-v5"), device="cpu", seed=0, buffer_size=100, **kwargs).learn(20)
    >>> model.replay_buffer.sample(5).actions.shape
    torch.Size([5, 2])
    """

    scaled = True


class AugmentedDictReplayBuffer(_Augmented, DictReplayBuffer):
    """`AugmentedReplayBuffer` for observations that are mappings."""

    scaled = True


class AugmentedHerReplayBuffer(_Augmented, HerReplayBuffer):
    """`AugmentedDictReplayBuffer` whose goals are relabelled in hindsight first, and then turned with the rest.

    Rewards are those of the relabelled goal before it is turned, which is the same where the reward is invariant.

    Args:
        args: of `HerReplayBuffer`, as are other keywords.
        symmetry: as `replay_buffer_kwargs=dict(symmetry=…)`; also `scale`, the longest translation, and `seed`.
    """

    scaled = True

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> Any:
        """Transitions, of which some have goals that were reached later."""
        check_normalised(env)
        return self._turned(super().sample(batch_size, env))


class AugmentedRolloutBuffer(_Augmented, RolloutBuffer):
    """For PPO and A2C: observation and action are turned together; value, advantage and old density stay.

    The old density is that of the action as it was taken: of a policy that is nearly symmetric it is the same, and of
    others the ratio of PPO would otherwise measure how asymmetric they are.

    Args:
        args: of `RolloutBuffer`, as are other keywords.
        symmetry: as `rollout_buffer_kwargs=dict(symmetry=…)`; also `scale`, the longest translation, and `seed`.

    Reference: Mittal et al., Symmetry considerations for learning task symmetric robot policies, ICRA 2024.

    >>> import gymnasium as gym
    >>> from stable_baselines3 import PPO
    >>> kwargs = dict(rollout_buffer_class=AugmentedRolloutBuffer, rollout_buffer_kwargs=dict(symmetry="Reacher-v5"))
    >>> model = PPO("MlpPolicy", gym.make("Reacher-v5"), device="cpu", seed=0, n_steps=16, batch_size=16, **kwargs)
    >>> model.learn(16).num_timesteps
    16
    """


class AugmentedDictRolloutBuffer(_Augmented, DictRolloutBuffer):
    """`AugmentedRolloutBuffer` for observations that are mappings."""
