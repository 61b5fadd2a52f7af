"""Tables of joints in MorphoSymm's form: YAML with `permutation_NAME` and `reflection_NAME` for each generator."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equiworld.arguments import instance
from equiworld.errors import ArgumentError
from equiworld.groups.arrays import Array
from equiworld.verify.maps.symmetry_map import SignedOrder, SymmetryMap, signed_order

__all__ = ["generators_of_label", "read_morphosymm"]

_Y, _X, _Z = np.diag([1.0, -1.0, 1.0]), np.diag([-1.0, 1.0, 1.0]), np.diag([1.0, 1.0, -1.0])
_SPATIAL = ("R3", "R3_pseudo")
"""Vectors and pseudovectors in space, which every group has."""


def generators_of_label(label: Any) -> list[Array]:
    """What the generators of a `group_label` do to space: C2 is left and right, K4 front and back too.

    Raises:
        ArgumentError: the label is none of C2, Cn, K4 and DH2.

    >>> [matrix.diagonal().tolist() for matrix in generators_of_label("K4")]
    [[1.0, -1.0, 1.0], [-1.0, 1.0, 1.0]]
    """
    found = re.fullmatch(r"(C|K|DH)(\d+)", str(label))
    kind, order = (found[1], int(found[2])) if found else ("", 0)
    if (kind, order) == ("C", 2):
        return [_Y]
    if (kind, order) == ("K", 4):
        return [_Y, _X]
    if (kind, order) == ("DH", 2):
        return [_Y, _X, _Z]
    if kind == "C" and order > 2:
        angle = 2 * np.pi / order
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return [np.block([[turn, np.zeros((2, 1))], [np.zeros((1, 2)), np.ones((1, 1))]])]
    raise ArgumentError("group_label", repr(label), "a group that is known", ("C2", "C3", "C4", "K4", "DH2"))


def read_morphosymm(
    path: str | os.PathLike[str],
    observation: Mapping[str, Sequence[str]] | None = None,
    action: str | None = None,
) -> SymmetryMap:
    """The map of a robot's table.

    Args:
        path: the YAML file; others of the same folder that its `defaults` name are read first.
        observation: by key, the representations that follow one another in it, such as `("R3", "Q_js", "TqQ_js")`; R3
            and R3_pseudo are vectors and pseudovectors in space. If None, each representation of the file is a key.
        action: the representation of the action; TqQ_js unless given, or Q_js where there is none.

    Returns:
        The map under the generators of the group, as it stands in the file, right or wrong.

    Raises:
        ArgumentError: the file is not of this form, or names are not in it; says which.
    """
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError("path", path, "the path of a YAML file")
    if observation is not None:
        instance("observation", observation, Mapping)
    table = _merged(Path(path), set())
    generators = generators_of_label(table.get("group_label"))
    names = [key.removeprefix("permutation_") for key in table if str(key).startswith("permutation_")]
    if not names:
        raise ArgumentError("path", f"{path} without permutation_NAME", "a table in MorphoSymm's form")
    maps: dict[str, list[Any]] = {name: _representation(table, name, len(generators)) for name in names}
    signs = [float(np.sign(np.linalg.det(matrix))) for matrix in generators]
    maps["R3"] = [_spatial(matrix) for matrix in generators]
    maps["R3_pseudo"] = [_spatial(sign * matrix) for sign, matrix in zip(signs, generators, strict=True)]
    if action is None:
        action = "TqQ_js" if "TqQ_js" in names else "Q_js"
    layout = {name: (name,) for name in names} if observation is None else dict(observation)
    for name in (action, *(each for parts in layout.values() for each in parts)):
        if maps.get(name) is None or any(each is None for each in maps[name]):
            raise ArgumentError(
                "observation", repr(name), "representations of the table", (*names, *_SPATIAL)
            )
    arrays = {
        key: [_joined([maps[name][number] for name in parts]) for number in range(len(generators))]
        for key, parts in layout.items()
    }
    return SymmetryMap(arrays, maps[action], np.stack(generators))


def _merged(path: Path, read: set[Path]) -> dict[str, Any]:
    """The file over those that it names as its defaults."""
    import yaml

    try:
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ArgumentError("path", f"{path} ({error})", "a YAML file") from error
    if not isinstance(table, dict):
        raise ArgumentError("path", str(path), "a table in MorphoSymm's form")
    read.add(path)
    below: dict[str, Any] = {}
    for name in table.get("defaults") or ():
        other = path.with_name(f"{name}.yaml")
        named = isinstance(name, str) and re.fullmatch(r"[\w-]+", name)
        if named and name != "_self_" and other.is_file() and other not in read:
            below |= _merged(other, read)
    return below | {key: value for key, value in table.items() if key != "defaults"}


def _representation(table: Mapping[str, Any], name: str, count: int) -> list[Any]:
    """The signed orders of one representation under the generators."""
    orders: Any = table[f"permutation_{name}"]
    signs: Any = table.get(f"reflection_{name}")
    try:
        orders = [[int(each) for each in order] for order in orders]
        signs = [[1] * len(order) for order in orders] if signs is None else signs
        signs = [[int(each) for each in told] for told in signs]
        alike = [len(order) for order in orders] == [len(told) for told in signs]
    except (TypeError, ValueError):
        alike = False
    if not alike or len(orders) < count:
        expected = f"{count} lists of places and of signs, one for each generator"
        raise ArgumentError(f"permutation_{name}, reflection_{name}", f"{orders}, {signs}", expected)
    pairs = zip(orders[:count], signs[:count], strict=True)
    return [SignedOrder(tuple(order), tuple(told)) for order, told in pairs]


def _spatial(matrix: Array) -> SignedOrder | None:
    """None where the matrix is more than exchanges and signs, as turns by 60° are."""
    try:
        return signed_order("R3", matrix)
    except ArgumentError:
        return None


def _joined(parts: Sequence[SignedOrder]) -> SignedOrder:
    """One behind the other."""
    order, signs = list[int](), list[int]()
    for part in parts:
        order += [len(signs) + each for each in part.order]
        signs += part.signs
    return SignedOrder(tuple(order), tuple(signs))
