"""Environments as the command line names them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from typing import Any

import gymnasium as gym

from equiworld.errors import ArgumentError
from equiworld.made_with import arguments_from_text
from equiworld.models import WorldModel
from equiworld.symmetry.registry import known_id
from equiworld.tasks import TASKS

__all__ = ["arguments_of", "make_env", "named_or_known", "parse_arguments", "symmetric_arguments"]


def parse_arguments(text: str) -> dict[str, Any]:
    """Arguments of `gym.make` from JSON.

    >>> parse_arguments('{"walls": false}')
    {'walls': False}
    """
    try:
        arguments = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ArgumentError(
            "--env-arguments", f"{text!r} ({error})", 'JSON such as {"walls": false}'
        ) from None
    if not isinstance(arguments, dict):
        raise ArgumentError("--env-arguments", repr(text), 'a JSON object such as {"walls": false}')
    return arguments


def make_env(env_id: str, arguments: str | Mapping[str, Any]) -> gym.Env:
    """The environment that the user names; "module:id" imports the module first.

    Args:
        env_id: its id.
        arguments: of `gym.make`, or JSON of them.

    Raises:
        ArgumentError: Gymnasium does not know it, or it does not take the arguments.
    """
    parsed = parse_arguments(arguments) if isinstance(arguments, str) else arguments
    try:
        return gym.make(env_id, disable_env_checker=True, **parsed)
    except ArgumentError:  # from the environment, which names its own arguments
        raise
    except (gym.error.Error, ImportError, ValueError) as error:
        raise ArgumentError(
            "--env", f"{env_id!r} ({error})", "an environment that Gymnasium can make"
        ) from error
    except TypeError as error:
        expected = f"arguments that {env_id} takes"
        raise ArgumentError("--env-arguments", f"{arguments} ({error})", expected) from error


def arguments_of(model: WorldModel, env_id: str) -> dict[str, Any]:
    """Those that the model's data, or the environment it was made for, had; none for another environment."""
    if env_id.rpartition(":")[2] != model.env_id:
        return {}
    return arguments_from_text("--env-arguments", model.env_arguments)


def symmetric_arguments(env_id: str) -> Mapping[str, Any]:
    """Those with which the environment's symmetry holds everywhere, as its task says; none if it has no task.

    Raises:
        ArgumentError: the module of a "module:id", which is imported, is not there.
    """
    module, _, name = env_id.rpartition(":")
    try:
        if module:
            importlib.import_module(module)
    except ImportError as error:
        raise ArgumentError("--env", f"{env_id!r} ({error})", "a module that can be imported") from error
    return TASKS[name].symmetric_arguments if name in TASKS else {}


def named_or_known(env: str | None, model: WorldModel) -> str:
    """The id that the user names, any; or the model's, which is a file's and so must be known already.

    Raises:
        ArgumentError: the model's is not known here; says how to name it.
    """
    return env if env is not None else known_id("--model", model.env_id)
