"""Symmetries as JSON, so that a saved model says how its world transforms without that world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from equiworld.errors import ArgumentError
from equiworld.groups import group_from_name
from equiworld.symmetry import bodies, labelled, surfaces
from equiworld.symmetry import fields as field_types
from equiworld.symmetry.concatenation import Concatenation, Interleaved
from equiworld.symmetry.field import Field
from equiworld.symmetry.parts import Parts
from equiworld.symmetry.symmetry import Symmetry

__all__ = ["symmetry_from_dict", "symmetry_to_dict"]


_LATER = ("body", "unit", "outline")
"""Settings that files of before do not have: written where they say something."""

_TYPES: dict[str, type[Field]] = {
    **{name: getattr(field_types, name) for name in field_types.__all__ if name != "Field"},
    **{name: getattr(module, name) for module in (labelled, bodies) for name in module.__all__},
    **{name: getattr(surfaces, name) for name in ("Planes", "Segments")},
    "Concatenation": Concatenation,
    "Interleaved": Interleaved,
    "Parts": Parts,
}


def _field_to_dict(field: Field) -> dict[str, Any]:
    """The settings of a field that are not the default; fields among them likewise."""
    data: dict[str, Any] = {"type": type(field).__name__}
    for setting in fields(field):
        value = getattr(field, setting.name)
        if not setting.init or value is None or (setting.name in _LATER and value == setting.default):
            continue
        if isinstance(value, Field):
            value = _field_to_dict(value)
        elif setting.name == "fields":
            value = {name: _field_to_dict(part) for name, part in value.items()}
        elif setting.name == "parts":
            value = [_field_to_dict(part) for part in value]
        data[setting.name] = value
    return data


def _field_from_dict(data: Any) -> Field:
    if not isinstance(data, Mapping) or data.get("type") not in _TYPES:
        got = data.get("type") if isinstance(data, Mapping) else data
        raise ArgumentError("field", repr(got), "a field type", _TYPES)
    settings = {name: value for name, value in data.items() if name != "type"}
    if "field" in settings:
        settings["field"] = _field_from_dict(settings["field"])
    if "fields" in settings:
        settings["fields"] = {name: _field_from_dict(part) for name, part in settings["fields"].items()}
    if "parts" in settings:
        settings["parts"] = tuple(_field_from_dict(part) for part in settings["parts"])
    return _TYPES[data["type"]](**settings)


def symmetry_to_dict(symmetry: Symmetry) -> dict[str, Any]:
    """A symmetry as JSON-able values; `symmetry_from_dict` gives an equal one.

    >>> from equiworld.symmetry import symmetry_of
    >>> symmetry = symmetry_of("equiworld/PushT-v0")
    >>> symmetry_from_dict(symmetry_to_dict(symmetry)) == symmetry
    True
    """
    data = {field.name: getattr(symmetry, field.name) for field in fields(symmetry)}
    data["group"] = repr(symmetry.group)
    data["action"] = _field_to_dict(symmetry.action)
    if not any(data["goal"].values()):
        data["goal"] = tuple(data["goal"])  # as before there were pairs
    for name in ("observation", "info"):
        data[name] = {key: _field_to_dict(value) for key, value in data[name].items()}
    return data


def symmetry_from_dict(data: dict[str, Any]) -> Symmetry:
    """The symmetry that `symmetry_to_dict` described.

    Raises:
        ArgumentError: it describes none.
    """
    if not isinstance(data, dict):
        raise ArgumentError("symmetry", data, "a mapping, as symmetry_to_dict gives")
    try:
        return _symmetry(dict(data))
    except ArgumentError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        got = f"{type(error).__name__}: {error}"
        raise ArgumentError("symmetry", got, "a mapping, as symmetry_to_dict gives") from error


def _symmetry(data: dict[str, Any]) -> Symmetry:
    data["group"] = group_from_name(data["group"])
    data["action"] = _field_from_dict(data["action"])
    for name in ("observation", "info"):
        data[name] = {key: _field_from_dict(value) for key, value in data[name].items()}
    for name in ("state", "centre"):
        data[name] = tuple(data[name])
    return Symmetry(**data)
