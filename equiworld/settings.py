"""Frozen settings dataclasses, by name: what a registry, a JSON file and the command line have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any, TypeVar

from equiworld.arguments import integer, number, unmasked
from equiworld.errors import ArgumentError, UnknownNameError

__all__ = [
    "name_of",
    "settings_from_dict",
    "settings_to_dict",
    "settle_integers",
    "settle_numbers",
    "settle_sizes",
]

Kind = TypeVar("Kind")


def name_of(argument: str, settings: Any, registry: Mapping[str, type[Any]]) -> str:
    """The name that the class of some settings is registered under.

    Raises:
        ArgumentError: it is not.
    """
    for name, kind in registry.items():
        if type(settings) is kind:
            return name
    known = [f"{kind.__name__}(…)" for kind in registry.values()]
    got = f"{type(settings).__name__}(…)" if is_dataclass(type(settings)) else settings
    raise ArgumentError(argument, got, "settings of a registered kind", known)


def settings_to_dict(argument: str, settings: Any, registry: Mapping[str, type[Any]]) -> dict[str, Any]:
    """The name and the values of some settings, JSON-able.

    Raises:
        ArgumentError: their class is not registered.
    """
    plain = {
        name: list(value) if isinstance(value, tuple) else value for name, value in asdict(settings).items()
    }
    return {"name": name_of(argument, settings, registry), **plain}


def settings_from_dict(argument: str, data: Any, registry: Mapping[str, type[Kind]], how_to_add: str) -> Kind:
    """The settings that `settings_to_dict` described.

    Args:
        argument: what they are settings of, for messages.
        data: their name and values; values that are missing are the defaults.
        registry: the classes there are; a file chooses among them and imports nothing.
        how_to_add: how to register another.

    Raises:
        UnknownNameError: no class of that name.
        ArgumentError: a value that it does not have.
    """
    if not isinstance(data, Mapping):
        raise ArgumentError(argument, data, "a mapping with a name")
    given = dict(data)
    name = given.pop("name", None)
    if not isinstance(name, str) or name not in registry:
        raise UnknownNameError(argument, str(name), registry, how_to_add)
    known = [field.name for field in fields(registry[name])]  # type: ignore[arg-type]
    for each in given:
        if each not in known:
            raise ArgumentError(argument, repr(each), f"settings of {name}", known)
    return registry[name](**given)


def settle_integers(settings: Any, *names: str, least: int) -> None:
    """Make values plain integers in `__post_init__`, or refuse them; None stays where it is the default."""
    for name in names:
        if getattr(settings, name) is not None or getattr(type(settings), name) is not None:
            plain = integer(name, unmasked(name, getattr(settings, name)), least=least)
            object.__setattr__(settings, name, plain)


def settle_numbers(settings: Any, *names: str, **limits: float) -> None:
    """Make values plain numbers in `__post_init__`, or refuse them; None stays where it is the default."""
    for name in names:
        if getattr(settings, name) is not None or getattr(type(settings), name) is not None:
            object.__setattr__(settings, name, number(name, getattr(settings, name), **limits))


def settle_sizes(settings: Any, *names: str) -> None:
    """Make values tuples of positive integers in `__post_init__`, or refuse them."""
    for name in names:
        value = unmasked(name, getattr(settings, name))
        try:
            plain = tuple(integer(name, each, least=1) for each in value)
        except (ArgumentError, TypeError) as error:
            raise ArgumentError(name, value, "positive layer sizes, one after another") from error
        object.__setattr__(settings, name, plain)
