"""Small policies of many seeds, trained by PPO where that takes seconds."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from equiworld.groups.arrays import Array

__all__ = ["TrainedPolicy", "trained_policy"]

_ENV = "CartPole-v1"


class TrainedPolicy:
    """A perceptron that balances a pole; called, it gives its last hidden layer.

    Args:
        model: of stable-baselines3's PPO, trained.
        seed: that it was trained with.
    """

    def __init__(self, model: Any, seed: int) -> None:
        self.model, self.policy, self.seed = model, model.policy, seed

    @property
    def width(self) -> int:
        """Of the last hidden layer of the actor."""
        return int(self.policy.mlp_extractor.latent_dim_pi)

    @torch.no_grad()
    def __call__(self, inputs: Array) -> Array:
        """Hidden units `(N, width)` of the actor's last layer for observations `(N, 4)`."""
        features = self.policy.extract_features(torch.as_tensor(inputs).float())
        found: Array = self.policy.mlp_extractor.forward_actor(features).double().numpy()
        return found

    @torch.no_grad()
    def logits(self, inputs: Array, policy: Any = None) -> Array:
        """Of its actions `(N, 2)`; or of another policy."""
        chosen = self.policy if policy is None else policy
        found: Array = (
            chosen.get_distribution(torch.as_tensor(inputs).float()).distribution.logits.double().numpy()
        )
        return found

    def value(self, policy: Any = None) -> float:
        """The mean return of 10 episodes; or of another policy in its place."""
        from stable_baselines3.common.env_util import make_vec_env
        from stable_baselines3.common.evaluation import evaluate_policy

        chosen = self.policy if policy is None else policy
        mean, _ = evaluate_policy(chosen, make_vec_env(_ENV, 1, seed=1000), 10)
        return float(np.mean(mean))

    def untrained(self) -> Any:
        """A policy of the same shape with the weights of another seed, untrained."""
        return trained_policy(self.seed + 10_000, 0).policy


def trained_policy(seed: int, steps: int) -> TrainedPolicy:
    """PPO's `MlpPolicy` after so many steps of CartPole-v1; 0 for its initial weights."""
    from stable_baselines3 import PPO

    model = PPO("MlpPolicy", _ENV, seed=seed, n_steps=max(2, min(512, steps)), device="cpu")
    return TrainedPolicy(model.learn(steps) if steps else model, seed)
