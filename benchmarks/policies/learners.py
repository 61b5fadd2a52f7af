"""Learners of stable-baselines3, an arm each: the same networks and settings, and one thing that differs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import gymnasium as gym
import torch
from torch import Tensor

from equiworld.benchmarks.worlds.locomotion import Robot
from equiworld.symmetry import Symmetry

__all__ = ["LEARNERS", "OFFLINE", "SAC_SETTINGS", "Learner", "Learning", "symmetrised"]

Learner = Literal["ppo", "sac", "offline"]
LEARNERS: tuple[Learner, ...] = ("ppo", "sac", "offline")

NET = [64, 64]
SAC_SETTINGS: Mapping[str, Any] = {"learning_rate": 1e-3, "batch_size": 128, "learning_starts": 500}
_STATISTICS = "observed."
OFFLINE = 10_000
"""Transitions that an offline learner is given, of actions drawn evenly from the action space."""


class Learning:
    """A model in training.

    - "ppo".
    - "sac": a step of the optimiser each step of the environment.
    - "offline": SAC on a fixed set of transitions, of actions drawn evenly; its steps are those of the optimiser.

    Args:
        kind: of learner.
        arm: "canonical", "steerable", "augmented", "mirror loss" (of PPO alone) or "plain".
        robot: the world.
        half_width: of the slice that goals lie in [rad].
        symmetry: of the world.
        seed: of all.
        mirror_weight: of the mirror loss.
    """

    def __init__(
        self,
        kind: Learner,
        arm: str,
        robot: Robot,
        half_width: float,
        symmetry: Symmetry,
        seed: int,
        mirror_weight: float = 1.0,
    ) -> None:
        from stable_baselines3.common.vec_env import DummyVecEnv

        from equiworld.sb3 import VecNormalizeEquivariant

        self.kind, self.arm, self.symmetry = kind, arm, symmetry
        self.steps = 0
        make = partial(robot.make, half_width, True)
        envs: Any = DummyVecEnv([make] * (robot.envs if kind == "ppo" else 1))
        self._spread: Any = None
        if kind == "ppo" and (robot.normalised or robot.spread):
            envs = VecNormalizeEquivariant(
                envs, symmetry, norm_obs=robot.spread, norm_reward=robot.normalised
            )
            if robot.spread:
                self._spread, self.symmetry = envs, envs.symmetry
        build = self._ppo if kind == "ppo" else self._sac
        self.model = build(envs, robot, seed, mirror_weight)

    @property
    def policy(self) -> Any:
        """What was learned, for observations as the environment shows them."""
        return self.model if self._spread is None else _Spread(self.model, self._spread)

    def weights(self) -> dict[str, Tensor]:
        """Of the policy, and the statistics of observations, copied."""
        found = {name: each.clone() for name, each in self.model.policy.state_dict().items()}
        if self._spread is not None:
            known = self._spread.obs_rms
            found |= {_STATISTICS + name: torch.tensor(getattr(known, name)) for name in ("mean", "var")}
        return found

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Go back to what `weights` gave."""
        own = {name: each for name, each in weights.items() if not name.startswith(_STATISTICS)}
        self.model.policy.load_state_dict(own)
        for name in set(weights) - set(own):
            setattr(self._spread.obs_rms, name.removeprefix(_STATISTICS), weights[name].numpy().copy())

    def train(self, steps: int) -> float:
        """Go on until that many steps are done; seconds that it took."""
        began, first = time.perf_counter(), self.steps == 0
        if self.kind == "offline":
            if first:
                self.model.learn(OFFLINE)  # all before learning starts
            self.model.train(steps - self.steps, SAC_SETTINGS["batch_size"])
            self.steps = steps
        else:
            self.model.learn(steps - self.steps, reset_num_timesteps=first)
            self.steps = self.model.num_timesteps
        return time.perf_counter() - began

    @property
    def _shown(self) -> dict[str, Any]:
        """Policies that are not equivariant see the same numbers in the same units."""
        from equiworld.sb3.scaled_form import ScaledForm

        return {
            "net_arch": NET,
            "features_extractor_class": ScaledForm,
            "features_extractor_kwargs": {"symmetry": self.symmetry},
        }

    @property
    def _exact(self) -> dict[str, Any]:
        return {"net_arch": NET, "symmetry": self.symmetry, "form": self.arm}

    def _ppo(self, envs: Any, robot: Robot, seed: int, mirror_weight: float) -> Any:
        from stable_baselines3 import PPO

        from equiworld.sb3 import AugmentedRolloutBuffer, EquivariantActorCriticPolicy, MirrorLossPolicy

        policy: Any = "MlpPolicy"
        kwargs, more = self._shown, dict[str, Any]()
        if self.arm in ("canonical", "steerable"):
            policy, kwargs = EquivariantActorCriticPolicy, self._exact
        elif self.arm == "mirror loss":
            policy = MirrorLossPolicy
            kwargs = {**kwargs, "symmetry": self.symmetry, "mirror_weight": mirror_weight}
        elif self.arm == "augmented":
            more["rollout_buffer_class"] = AugmentedRolloutBuffer
            more["rollout_buffer_kwargs"] = {"symmetry": self.symmetry}
        kwargs["log_std_init"] = robot.log_std
        return PPO(policy, envs, policy_kwargs=kwargs, seed=seed, device="cpu", **robot.settings, **more)

    def _sac(self, envs: Any, robot: Robot, seed: int, mirror_weight: float) -> Any:
        from stable_baselines3 import SAC

        from equiworld.sb3 import AugmentedReplayBuffer, EquivariantSACPolicy

        policy: Any = "MlpPolicy"
        kwargs, more = self._shown, {**SAC_SETTINGS, **robot.sac}
        if self.arm in ("canonical", "steerable"):
            policy, kwargs = EquivariantSACPolicy, self._exact
        elif self.arm == "augmented":
            more["replay_buffer_class"] = AugmentedReplayBuffer
            more["replay_buffer_kwargs"] = {"symmetry": self.symmetry}
        if self.kind == "offline":
            more["learning_starts"] = OFFLINE
        size = OFFLINE if self.kind == "offline" else 100_000
        return SAC(policy, envs, policy_kwargs=kwargs, seed=seed, device="cpu", buffer_size=size, **more)


class _Spread:
    """A policy that was shown observations over their spread, asked about those of the environment."""

    def __init__(self, model: Any, spread: Any) -> None:
        self._model, self._spread = model, spread

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[Any, Any]:
        """As that of stable-baselines3."""
        return self._model.predict(
            self._spread.normalize_obs(observation), state, episode_start, deterministic
        )


def symmetrised(model: Any, env: gym.Env) -> Any:
    """A plain policy, symmetrised after it was trained."""
    import warnings

    from equiworld.sb3 import symmetrise

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # walkers have no goal: their task is their reward
        return symmetrise(model, env)
