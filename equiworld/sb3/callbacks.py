"""What is logged of a policy while it trains: its distance from equivariance."""

from __future__ import annotations

from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from equiworld.arguments import integer
from equiworld.sb3.deviation import action_deviation
from equiworld.sb3.settled import symmetry_for

__all__ = ["EquivarianceCallback"]


class EquivarianceCallback(BaseCallback):
    """Logs "symmetry/deviation" of what a policy does at what it has just seen; see `action_deviation`.

    It changes nothing, so that it serves policies of every kind: those that are trained without a symmetry too.

    Args:
        symmetry: of the environment, or its id; what the observation space carries if None.
        every: environment steps between two measurements.
        samples: observations that it is measured at, the latest.
        seed: of the elements.
        verbose: as of every callback.

    Raises:
        ArgumentError: no symmetry; or, as learning begins, environments that scale each number by itself.

    >>> import gymnasium as gym
    >>> from stable_baselines3 import PPO
    >>> callback = EquivarianceCallback("Reacher-v5", every=32, samples=32)
    >>> model = PPO("MlpPolicy", gym.make("Reacher-v5"), n_steps=64, device="cpu", seed=0).learn(64, callback=callback)
    >>> callback.deviation > 0.1  # a plain policy is far away from it
    True
    """

    def __init__(
        self, symmetry: Any = None, every: int = 2048, samples: int = 256, seed: int = 0, verbose: int = 0
    ) -> None:
        super().__init__(verbose)
        self.every, self.samples = integer("every", every, least=1), integer("samples", samples, least=2)
        self.deviation = float("nan")
        self._given, self._rng = symmetry, np.random.default_rng(integer("seed", seed, least=0))
        self._seen: list[Any] = []
        self._next = self.every

    def _init_callback(self) -> None:
        space = self.model.observation_space
        self.symmetry = symmetry_for(space, self._given, self.training_env).sized(space)

    def _on_training_start(self) -> None:
        # Steps are counted anew unless stable-baselines3 is told to go on, and environments may be others.
        self._seen = []
        self._next = min(self._next, self.num_timesteps + self.every)

    def _on_step(self) -> bool:
        seen = self.locals.get("new_obs")
        if seen is not None:
            self._seen.append(
                {name: np.array(a) for name, a in seen.items()} if isinstance(seen, dict) else np.array(seen)
            )
            most = -(-self.samples // self.training_env.num_envs)
            self._seen = self._seen[-most:]
        if self.num_timesteps >= self._next and self._seen:
            self._next = self.num_timesteps + self.every
            training = self.model.policy.training
            self.deviation = action_deviation(self.model, self.symmetry, self._stacked(), self._rng)
            self.model.policy.set_training_mode(training)
            self.logger.record("symmetry/deviation", self.deviation)
        return True

    def _stacked(self) -> Any:
        if isinstance(self._seen[0], dict):
            return {name: np.concatenate([each[name] for each in self._seen]) for name in self._seen[0]}
        return np.concatenate(self._seen)
