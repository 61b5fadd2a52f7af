"""The families of world models, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import torch

from equiworld.arguments import integer, unmasked
from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.groups import Group
from equiworld.models.world_model import WorldModel
from equiworld.symmetry import Cloud, Field, Rotation, Symmetry
from equiworld.symmetry.cosets import kernel_symmetry, needs_cosets

__all__ = ["FAMILIES", "build", "register_family"]

Family = TypeVar("Family", bound=WorldModel)

_MANY_TRANSITIONS = 10_000

FAMILIES: dict[str, type[WorldModel]] = {}


def register_family(family: type[Family]) -> type[Family]:
    """Add a WorldModel class under its `family` name; it is built as `cls(symmetry, env_id, **settings)`."""
    FAMILIES[family.family] = family
    return family


def best_family(symmetry: Symmetry, transitions: int | None = None) -> str:
    """The family for a declaration: of clouds, in the frame of a body that has one, or equivariant layer by layer.

    From few transitions, as far as is known how many there will be, the last plans better in PushT although it takes
    longer to decide (docs/results.md).
    """
    fields = [(name, symmetry.observation[name]) for name in symmetry.state]
    if any(isinstance(field, Cloud) for _, field in fields):
        return "latent"
    posed = any(isinstance(field, Rotation) or name == symmetry.heading for name, field in fields)
    if symmetry.group.finite and needs_cosets(symmetry):
        return "state-regular"
    if symmetry.group.axis is not None:  # vectors in space know no up
        return "state"
    if posed and (transitions is None or transitions >= _MANY_TRANSITIONS):
        return "state"
    return "state-steerable"


def carried(symmetry: Symmetry) -> Symmetry:
    """The declaration as the families carry it: where reflections or labels mix channels, of what moves none."""
    if needs_cosets(symmetry):
        return kernel_symmetry(symmetry)
    fields = [*(symmetry.observation[name] for name in symmetry.state), symmetry.action]
    if symmetry.group.proper or not any(_mixes(field, symmetry.group) for field in fields):
        return symmetry
    return replace(symmetry, group=symmetry.group.rotations())


def _mixes(field: Field, group: Group) -> bool:
    """Whether labels of the group do more to a field's channels than R does."""
    return any((images != images[0]).any() for images in field.label_images(group).values())


def _plain(value: Any) -> Any:
    """A setting with Python's own numbers, which files can hold."""
    value = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return value.item() if isinstance(value, np.generic) else value


def build(
    family: str, symmetry: Symmetry, env_id: str, settings: dict[str, Any], transitions: int | None = None
) -> WorldModel:
    """A fresh model of a family; of "auto" the best for the declaration and so many transitions.

    Raises:
        UnknownNameError: no such family.
        ArgumentError: a setting that the family does not take.
    """
    import inspect

    if not isinstance(symmetry, Symmetry):
        raise ArgumentError("symmetry", symmetry, "a Symmetry, such as `ew.symmetry_of(env)` gives")
    if not isinstance(family, str):
        raise ArgumentError("family", family, "the name of a family", ["auto", *FAMILIES])
    if transitions is not None:
        transitions = integer("transitions", transitions, least=0)
    declared, symmetry = symmetry, carried(symmetry)
    family = best_family(declared, transitions) if family == "auto" else family
    if family not in FAMILIES:
        raise UnknownNameError(
            "family", family, ["auto", *FAMILIES], "add one with equiworld.models.register_family"
        )
    options = list(inspect.signature(FAMILIES[family]).parameters)[2:]
    for name in settings:
        if name not in options:
            raise ArgumentError("settings", repr(name), f"settings of the family {family!r}", options)
    plain = {name: _plain(unmasked(name, value)) for name, value in settings.items()}
    if "seed" in plain:
        plain["seed"] = integer("seed", plain["seed"], least=0, most=2**63 - 1)
    with torch.inference_mode(False):  # whose tensors could never be trained
        model = FAMILIES[family](
            declared if FAMILIES[family].carries(declared) else symmetry, env_id, **plain
        )
    model.declared = declared
    return model
