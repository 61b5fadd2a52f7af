"""Environments that act themselves, since what workers would make of their spec is another or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym

from equiworld.errors import ArgumentError
from equiworld.rollout.edits import lost_edit

__all__ = ["Given", "acting_itself"]


@dataclass(frozen=True)
class Given:
    """An environment that acts itself, in this process alone.

    Attributes:
        env: it.
        edited: what was set by hand in it; None if it cannot be made again at all.
    """

    env: gym.Env
    edited: str | None = None


def acting_itself(env: gym.Env, workers: int | None, folder: Path | None) -> Given | None:
    """The environment, if it cannot be made again as it stands; None if it can, as workers will make it.

    Raises:
        ArgumentError: it cannot, and workers were asked for, or a folder, which tells data apart by the spec.
    """
    spec: Any = env.spec
    cause, edited = None, None
    try:
        edited = lost_edit(env, lambda: gym.make(spec, disable_env_checker=True))
    except Exception as error:  # whatever wrappers and constructors raise
        cause = error
    if cause is None and edited is None:
        return None
    if workers in (None, 1) and folder is None:
        return Given(env, edited)
    if cause is not None:
        got = f"{spec.id}: {type(cause).__name__}: {cause}"
        expected = (
            "an environment that can be made again from its spec, for workers and for a folder; a wrapper of yours can "
            "that derives from gymnasium.utils.RecordConstructorArgs and tells it its arguments"
        )
    else:
        got = f"{spec.id} whose {edited} was set by hand, which those that are made from its spec do not know"
        expected = (
            "an environment as its spec makes it, for workers and for a folder: one whose arguments of gym.make say "
            "all; or one process and no folder"
        )
    raise ArgumentError("env", got, expected) from cause
