"""Environments whose observation space carries their symmetry, so that a policy knows it from its spaces."""

from __future__ import annotations

import copy
from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from equiworld.symmetry import Symmetry, symmetry_of

__all__ = ["with_symmetry"]


class _WithSymmetry(gym.Wrapper, RecordConstructorArgs):
    """See `with_symmetry`."""

    def __init__(self, env: gym.Env, symmetry: Symmetry) -> None:
        RecordConstructorArgs.__init__(self, symmetry=symmetry)
        super().__init__(env)
        self.symmetry = symmetry
        self.observation_space = copy.deepcopy(env.observation_space)
        self.observation_space.symmetry = symmetry  # type: ignore[attr-defined]


def with_symmetry(env: gym.Env, symmetry: Any = None) -> gym.Env:
    """The environment with a symmetry that its observation space carries to whoever is made of its spaces.

    stable-baselines3 makes policies of spaces alone, so that this is where `EquivariantActorCriticPolicy` and its kin
    look if `policy_kwargs` name no symmetry. Wrappers that make a new space, such as those that stack frames, go
    inside; so do those that change what is observed, or change actions otherwise than they turn, which are refused by
    name where a policy, a buffer or a callback meets them outside. Those in other processes, of `SubprocVecEnv`, go
    unseen.

    Args:
        env: one environment.
        symmetry: of it, or its id; that which `symmetry_of` finds if None.

    Raises:
        ArgumentError: no symmetry is found, or a wrapper is in its way.

    >>> import gymnasium as gym
    >>> with_symmetry(gym.make("Reacher-v5")).observation_space.symmetry.group
    O2()
    """
    return _WithSymmetry(env, symmetry_of(env if symmetry is None else symmetry))
