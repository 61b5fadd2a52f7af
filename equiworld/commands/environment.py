"""Environments and policies as the command line names them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym

from equiworld.errors import ArgumentError
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy

__all__ = ["load_policy", "make_env", "parse_arguments"]


def parse_arguments(text: str) -> dict[str, Any]:
    """Arguments of `gym.make` from JSON.

    >>> parse_arguments('{"walls": false}')
    {'walls': False}
    """
    try:
        arguments = json.loads(text)
    except json.JSONDecodeError as error:
        raise ArgumentError(
            "--env-arguments", f"{text!r} ({error})", 'JSON such as {"walls": false}'
        ) from None
    if not isinstance(arguments, dict):
        raise ArgumentError("--env-arguments", repr(text), 'a JSON object such as {"walls": false}')
    return arguments


def make_env(env_id: str, arguments: str) -> gym.Env:
    """The environment.

    Raises:
        ArgumentError: Gymnasium does not know it, or it does not take the arguments.
    """
    try:
        return gym.make(env_id, disable_env_checker=True, **parse_arguments(arguments))
    except gym.error.Error as error:
        raise ArgumentError(
            "--env", f"{env_id!r} ({error})", "an environment that Gymnasium can make"
        ) from error
    except TypeError as error:
        expected = f"arguments that {env_id} takes"
        raise ArgumentError("--env-arguments", f"{arguments} ({error})", expected) from error


def load_policy(folder: Path, planner: CEM, dtype: Literal["float32", "float64"], seed: int) -> MPCPolicy:
    """The planner over the model in a folder.

    Raises:
        FileNotFoundError: no model there.
        CheckpointError: the file is damaged.
    """
    return MPCPolicy(WorldModel.load(folder), planner, dtype=dtype, seed=seed)
