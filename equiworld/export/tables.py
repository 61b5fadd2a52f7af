"""A finite symmetry as tables of joints: pairs (order, signs), and MorphoSymm's YAML."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from equiworld.arguments import instance
from equiworld.errors import ArgumentError
from equiworld.files import write_atomically
from equiworld.symmetry import Symmetry
from equiworld.verify.maps import SymmetryMap
from equiworld.verify.maps.morphosymm import generators_of_label

__all__ = ["morphosymm", "pairs"]

_LABELS = ("C2", "K4", "DH2", *(f"C{order}" for order in range(3, 13)))


def pairs(symmetry: Symmetry | SymmetryMap) -> dict[str, list[tuple[list[int], list[int]]]]:
    """By array, for each generator of the group, the pair (order, signs): x ↦ signs · x[order].

    Raises:
        ArgumentError: the group is not finite, or a field is moved by more than exchanges and signs.

    >>> from equiworld.groups import left_right
    >>> from equiworld.symmetry import SignedPermutation, Vector
    >>> hips = SignedPermutation([(1, 0)], [(-1, -1)])
    >>> pairs(Symmetry(left_right(), {"speed": Vector()}, action=hips))
    {'speed': [([0, 1, 2], [1, -1, 1])], 'action': [([1, 0], [-1, -1])]}
    """
    arrays = _map(symmetry).arrays
    return {name: [(list(order), list(signs)) for order, signs in each] for name, each in arrays.items()}


def morphosymm(
    symmetry: Symmetry | SymmetryMap,
    path: str | os.PathLike[str],
    *,
    name: str = "robot",
    representations: Mapping[str, str] | None = None,
    group_label: str | None = None,
) -> Path:
    """Write a table in MorphoSymm's form, whole or not at all.

    Args:
        symmetry: the declaration, or the map.
        path: the YAML file.
        name: of the robot.
        representations: by array ("action" is one), what its representation is called in the file; each by its own
            name unless given, that of the action TqQ_js.
        group_label: C2, K4, DH2 or Cn; told from the isometries if None.

    Raises:
        ArgumentError: the group is none of those, or a field is moved by more than exchanges and signs.
        OSError: it could not be written.
    """
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError("path", path, "the path of a YAML file")
    if representations is not None:
        instance("representations", representations, Mapping)
    instance("name", name, str)
    found = _map(symmetry)
    label = _label(np.asarray(found.isometries), group_label)
    called = {each: each for each in found.arrays} | {"action": "TqQ_js"} | dict(representations or {})
    unknown = [each for each in called if each not in found.arrays]
    if unknown:
        raise ArgumentError("representations", repr(unknown[0]), "arrays of the map", found.arrays)
    if any(re.fullmatch(r"\w+", str(each)) is None for each in called.values()):
        raise ArgumentError("representations", called, "names of letters, digits and _")
    if len(set(called.values())) < len(called):
        raise ArgumentError("representations", called, "another name for each array")
    table: dict[str, Any] = {"name": name, "group_label": label}
    for array, entries in found.arrays.items():
        table[f"permutation_{called[array]}"] = [list(each.order) for each in entries]
        table[f"reflection_{called[array]}"] = [list(each.signs) for each in entries]
    import yaml

    text = yaml.safe_dump(table, sort_keys=False, default_flow_style=None, width=1000)
    return write_atomically(path, lambda file: file.write(text.encode()))


def _map(symmetry: Symmetry | SymmetryMap) -> SymmetryMap:
    if isinstance(symmetry, SymmetryMap):
        return symmetry
    if not isinstance(symmetry, Symmetry):
        raise ArgumentError("symmetry", symmetry, "a Symmetry, or a SymmetryMap")
    return SymmetryMap.of(symmetry)


def _label(isometries: Any, given: str | None) -> str:
    """The label whose generators the isometries are."""
    for label in (given,) if given is not None else _LABELS:
        generators = np.stack(generators_of_label(label))
        if generators.shape == isometries.shape and np.abs(generators - isometries).max() < 1e-9:
            return str(label)
    expected = "a group that MorphoSymm's labels name: reflections of y, then x, then z; or one turn about z"
    raise ArgumentError("symmetry", f"one under {isometries.tolist()}", expected, _LABELS)
