"""Symmetries as JSON, so that a saved model says how its world transforms without that world."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from equiworld.errors import ArgumentError
from equiworld.groups import group_from_name
from equiworld.symmetry import fields as field_types
from equiworld.symmetry.concatenation import Concatenation
from equiworld.symmetry.field import Field
from equiworld.symmetry.symmetry import Symmetry

__all__ = ["symmetry_from_dict", "symmetry_to_dict"]


def _field_to_dict(field: Field) -> dict[str, Any]:
    if isinstance(field, Concatenation):
        return {"type": "Concatenation", "parts": [_field_to_dict(part) for part in field.parts]}
    return {"type": type(field).__name__} | {k: v for k, v in asdict(field).items() if v is not None}


def _field_from_dict(data: dict[str, Any]) -> Field:
    data = dict(data)
    name = data.pop("type")
    if name == "Concatenation":
        return Concatenation(tuple(_field_from_dict(part) for part in data["parts"]))
    if name not in field_types.__all__:
        raise ArgumentError("field", repr(name), "a field type", ["Concatenation", *field_types.__all__])
    return getattr(field_types, name)(**data)


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
    for name in ("observation", "info"):
        data[name] = {key: _field_to_dict(value) for key, value in data[name].items()}
    return data


def symmetry_from_dict(data: dict[str, Any]) -> Symmetry:
    """The symmetry that `symmetry_to_dict` described."""
    data = dict(data)
    data["group"] = group_from_name(data["group"])
    data["action"] = _field_from_dict(data["action"])
    for name in ("observation", "info"):
        data[name] = {key: _field_from_dict(value) for key, value in data[name].items()}
    for name in ("state", "goal", "centre"):
        data[name] = tuple(data[name])
    return Symmetry(**data)
