"""Copies of an environment as it stands, edits by hand included."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import gymnasium as gym

from equiworld.errors import ArgumentError
from equiworld.rollout.edits import lost_edit
from equiworld.symmetry.registry import make_env

__all__ = ["EnvLike", "close_copies", "env_copies"]

EnvLike = gym.Env | str | Callable[[], gym.Env]
"""An environment, its id, or a function that makes one."""


def env_copies(env: EnvLike, count: int) -> list[gym.Env]:
    """`count` environments alike; the one given, if it is an environment, is the first of them.

    A copy is a deep copy, which keeps changes made by hand. An environment that cannot be copied (as some engines
    cannot once they have simulated) is not made anew from its spec, which does not know of such changes: it takes
    a function.

    Raises:
        ArgumentError: not an environment, or one that cannot be copied.
    """
    if isinstance(env, gym.vector.VectorEnv):
        raise ArgumentError(
            "env", type(env).__name__, "a single environment; it is copied as often as is needed"
        )
    if isinstance(env, str):
        return [make_env(env) for _ in range(count)]
    if isinstance(env, gym.Env):
        copies = [_copy(env) for _ in range(count - 1)]
        if copies:
            _check_edits(env)
        return [env, *copies]
    if not callable(env):
        raise ArgumentError("env", type(env).__name__, "an environment, its id, or a function that makes one")
    try:
        made = [env() for _ in range(count)]
    except TypeError as error:  # a function of something
        raise ArgumentError("env", f"{env!r} ({error})", "a function () -> gym.Env") from error
    if not all(isinstance(one, gym.Env) for one in made):
        raise ArgumentError(
            "env", f"a function that returned {type(made[0]).__name__}", "a function -> gym.Env"
        )
    if len({id(one) for one in made}) < count:
        raise ArgumentError("env", "a function that returns one environment twice", "a new one at each call")
    return made


def close_copies(envs: Sequence[gym.Env], given: EnvLike) -> None:
    """Close the environments that `env_copies` made, but not the caller's own."""
    for env in envs:
        if env is not given:
            env.close()


def _copy(env: gym.Env) -> gym.Env:
    try:
        return copy.deepcopy(env)
    except Exception as error:  # whatever an engine's objects raise when they are copied
        raise ArgumentError(
            "env",
            f"{env} that cannot be copied ({error})",
            "a function that makes one, as in `lambda: gym.make(…)`; or one that can be copied, which some "
            "environments can until their first reset",
        ) from error


def _check_edits(env: gym.Env) -> None:
    """Refuse an environment that is copied by making it anew from its arguments, if something was set in it by hand."""
    if not isinstance(env.unwrapped, gym.utils.EzPickle):
        return
    lost = lost_edit(env.unwrapped, lambda: copy.deepcopy(env.unwrapped))
    if lost is not None:
        raise ArgumentError(
            "env",
            f"{env} whose {lost} was set by hand, which its copies do not know",
            "a function that makes one and sets it, as in `lambda: edited(gym.make(…))`",
        )
