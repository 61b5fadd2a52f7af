"""Where data comes from: what is kept of it, and the environment made again from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gymnasium as gym

from equiworld.errors import ArgumentError
from equiworld.made_with import arguments_as_text, arguments_from_text
from equiworld.results import to_plain, versions
from equiworld.symmetry.registry import known_id

if TYPE_CHECKING:
    from equiworld.training.exploring import Chunk

__all__ = ["collected_by", "env_of", "provenance_of"]


def provenance_of(source: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is known of where recorded data comes from, JSON-able: found out now, not when it is saved.

    Raises:
        ArgumentError: something that JSON cannot hold; says where.

    >>> provenance_of("a log", {"robot": "mine"})["source"]
    'a log'
    """
    if given is not None and not isinstance(given, Mapping):
        raise ArgumentError("provenance", type(given).__name__, "a mapping")
    plain = to_plain(dict(given or {}), where="provenance")
    return {"source": source, "versions": versions(), **plain}


def collected_by(chunk: Chunk) -> Mapping[str, Any]:
    """Where collected data comes from: the environment, and all that decides what is collected."""
    exploration = {}
    if chunk.exploration is not None:  # the class too: another one with equal settings collects other data
        kind = type(chunk.exploration)
        exploration = {key: repr(value) for key, value in _attributes(chunk.exploration).items()}
        exploration["class"] = f"{kind.__module__}:{kind.__qualname__}"
    wrappers = [f"{each.entry_point}({each.kwargs or ''})" for each in chunk.spec.additional_wrappers]
    return {
        "environment": chunk.spec.id,
        "arguments": arguments_as_text(chunk.spec.kwargs),
        **({"wrappers": wrappers} if wrappers else {}),
        **({"set_by_hand": chunk.given.edited} if chunk.given is not None and chunk.given.edited else {}),
        "seed": chunk.seed,
        "exploration": exploration,
        "steps_per_start": chunk.steps_per_start,
        "versions": versions(),
    }


def env_of(
    provenance: Mapping[str, Any], env: str | None = None, arguments: Mapping[str, Any] | None = None
) -> gym.Env:
    """The environment that data was collected from, made again; see `Dataset.make_env`."""
    env_id = known_id("provenance", provenance.get("environment")) if env is None else env
    if env is None and "wrappers" in provenance:
        got = f"{env_id} in {provenance['wrappers']}"
        raise ArgumentError("provenance", got, "no wrappers; make the environment and wrap it yourself")
    if env is None and "set_by_hand" in provenance:
        got = f"{env_id} whose {provenance['set_by_hand']} was set by hand"
        raise ArgumentError(
            "provenance", got, "an environment as gym.make gives it; make it and set that yourself"
        )
    if arguments is None:
        arguments = arguments_from_text("provenance", provenance.get("arguments", {}))
    try:
        return gym.make(env_id, disable_env_checker=True, **arguments)
    except (ValueError, TypeError, ImportError, gym.error.Error) as error:
        got = f"environment {env_id!r} with {dict(arguments)} ({error})"
        where = "provenance" if env is None else "env"
        raise ArgumentError(where, got, "an environment that Gymnasium can make") from error


def _attributes(thing: Any) -> dict[str, Any]:
    """What an object holds, in a dict or in slots."""
    slots = (each for kind in type(thing).__mro__ for each in getattr(kind, "__slots__", ()))
    return {
        name: getattr(thing, name)
        for name in (*slots, *getattr(thing, "__dict__", ()))
        if hasattr(thing, name)
    }
