"""What was set by hand in an environment, which the same made again does not know."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import PassiveEnvChecker
from numpy.typing import NDArray

__all__ = ["lost_edit"]

Held = dict[str, NDArray[Any]]

_EPISODES, _STEPS, _LONGEST = 8, 8, 2000
_APART = ("_cached_spec", "_saved_kwargs", "env", "exploration", "spec", "symmetry")
"""What an environment is made again of, and what is told beside it."""

_DRAWING = ("render", "viewer")  # in the names of what shows an environment and moves nothing


def lost_edit(env: gym.Env, make: Callable[[], gym.Env]) -> str | None:
    """The name of something that was set by hand in an environment and is otherwise in one made again; None of nothing.

    Compared are numbers, text and methods of the environment, of its wrappers, of what they are made of in Python, and
    of its simulator's model. What episodes change is no edit, nor what differs between any two that are made.

    Args:
        env: left as it is.
        make: makes the same again; where something differs, episodes are played in what it makes.
    """
    with closing(make()) as made:
        ours, theirs = _held(env), _held(made)
        edited = {name: _apart(ours.get(name), theirs.get(name)) for name in ours.keys() | theirs.keys()}
        edited = {name: where for name, where in edited.items() if where.any()}
        for other in _unedited(made, make) if edited else ():
            for name in edited:
                edited[name] = edited[name] & ~_apart(other.get(name), theirs.get(name))
    return min((name for name, where in edited.items() if where.any()), default=None)


def _model_numbers(env: Any) -> dict[str, Any]:
    """The numbers and arrays of numbers of a simulator's model and its options, by name; none without a model."""
    model = getattr(env, "model", None)
    parts = {"model": model, "model.opt": getattr(model, "opt", None)}
    return {
        f"{part}.{name}": value for part, thing in parts.items() for name, value in _numbers(thing).items()
    }


def _numbers(part: Any) -> dict[str, Any]:
    values = ((name, getattr(part, name, None)) for name in dir(part) if not name.startswith("_"))
    kinds = (int, float, np.ndarray)
    return {
        name: value
        for name, value in values
        if isinstance(value, kinds) and np.asarray(value).dtype.kind in "fiub"
    }


def _unedited(made: gym.Env, make: Callable[[], gym.Env]) -> Iterator[Held]:
    """What is held by another one that is made, and by one in short episodes and a long one, until something fails."""
    with closing(make()) as another:
        yield _held(another)
    with suppress(Exception):
        made.action_space.seed(0)
        for seed in range(_EPISODES):
            made.reset(seed=seed)
            yield _held(made)
            for step in range(_STEPS if seed else _LONGEST):
                _, _, terminated, truncated, _ = made.step(made.action_space.sample())
                if step < _STEPS or terminated or truncated:
                    yield _held(made)
                if terminated or truncated:
                    break


def _held(env: gym.Env) -> Held:
    """The numbers and text of an environment and its wrappers, by where they are."""
    found: Held = {}
    places, layer = set[str](), env
    while isinstance(layer, gym.Wrapper):
        place = f"{type(layer).__name__}."
        while place in places:
            place = f"inner {place}"
        if not isinstance(layer, PassiveEnvChecker):  # who makes an environment says whether it is checked
            places.add(place)
            _gather(found, place, _attributes(layer), type(layer).__module__, {id(layer)})
        layer = layer.env
    _gather(found, "", _attributes(layer), type(layer).__module__, {id(layer)})
    return found | {name: np.array(value) for name, value in _model_numbers(layer).items()}


def _attributes(thing: Any) -> dict[str, Any]:
    """What an object holds, what its class holds for it, and the names of methods that are its own."""
    found: dict[str, Any] = {}
    for kind in reversed(type(thing).__mro__):
        found |= vars(kind)
    own = {name for name in vars(thing) if callable(found.get(name))}
    return found | vars(thing) | dict.fromkeys(own, "a method of its own")


def _gather(found: Held, where: str, values: Mapping[Any, Any], home: str, seen: set[int]) -> None:
    """Add what is held, of containers and of objects of the same package all that they hold."""
    for name, value in values.items():
        text = str(name)
        if text.startswith("__") or text in _APART or any(word in text for word in _DRAWING):
            continue
        here = f"{where}{text}"
        if isinstance(value, bool | int | float | str | np.generic | np.ndarray):
            if np.asarray(value).dtype.kind in "fiubU":
                found[here] = np.array(value)
            continue
        if id(value) in seen:
            continue
        if not isinstance(value, tuple):  # constants, which many names may share
            seen.add(id(value))
        if isinstance(value, list | tuple):
            _gather(found, f"{here}.", dict(enumerate(value)), home, seen)
        elif isinstance(value, Mapping):
            _gather(found, f"{here}.", value, home, seen)
        elif _is_own(value, home):
            _gather(found, f"{here}.", _attributes(value), home, seen)


def _is_own(value: Any, home: str) -> bool:
    plain = dataclasses.is_dataclass(value) or isinstance(value, SimpleNamespace | gym.Space)
    alike = type(value).__module__.partition(".")[0] == home.partition(".")[0]
    return (
        hasattr(value, "__dict__")
        and not isinstance(value, type)
        and not callable(value)
        and (plain or alike)
    )


def _apart(one: NDArray[Any] | None, other: NDArray[Any] | None) -> NDArray[np.bool_]:
    """Where two values differ, number by number; everywhere if they are of different shapes or kinds."""
    if (
        one is None
        or other is None
        or one.shape != other.shape
        or (one.dtype.kind == "U") != (other.dtype.kind == "U")
    ):
        return np.array(one is not other)
    return np.asarray((one != other) & ((one == one) | (other == other)))
