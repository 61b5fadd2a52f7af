"""Calls of groups, their elements and their representations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import default_rng

import equiworld as ew
from equiworld.arguments import array_of
from equiworld.groups import (
    Group,
    GroupElement,
    Isometries,
    Product,
    Representation,
    common_group,
    group_from_name,
    left_right,
)

from .oracle import Call

__all__ = ["CALLS"]

GROUPS: list[Group] = [
    ew.SO2(),
    ew.O2(),
    ew.SE2(),
    ew.E2(),
    ew.SO3(),
    ew.O3(),
    ew.SE3(),
    ew.E3(),
    ew.Cyclic(3),
    ew.Dihedral(4),
    ew.Permutation(3),
    ew.SE2(axis=(0, 0, 1)),
    ew.E2(axis=(0, 1, 2), along=True),
    ew.Cyclic(4, axis=(1, 0, 0)),
    left_right(),
    Product(ew.SE2(), ew.Permutation(2)),
    Isometries([np.diag([1.0, -1.0, 1.0])]),
]


def _member(group: Group) -> Any:
    def check(given: dict[str, Any], g: GroupElement) -> None:
        assert group.contains(g), "in the group"
        assert g.matrix.dtype == g.translation.dtype == np.float64
        assert (g @ g.inverse()).is_close(
            group.identity(), 1e-6 * max(1.0, np.abs(g.translation).max(initial=0))
        )

    return check


def _sized(group: Group, most: int | None = None) -> Any:
    def check(given: dict[str, Any], g: GroupElement) -> None:
        _member(group)(given, g)
        n = given.get("n")
        assert g.batch_shape == (() if n is None else (int(n) if most is None else min(int(n), most),))

    return check


def _of_group(group: Group) -> list[Call]:
    name, d = repr(group), group.dim
    g, h = group.sample(default_rng(1)), group.sample(default_rng(2), 4)

    def moved(given: dict[str, Any], found: np.ndarray) -> None:
        points = array_of("points", given["points"]).astype(np.float64)
        back = g.inverse().act(found)
        assert np.allclose(back, points, rtol=1e-6, atol=1e-6 * max(1.0, np.abs(points).max(initial=0)))

    def turned(given: dict[str, Any], found: np.ndarray) -> None:
        vectors = array_of("vectors", given["vectors"]).astype(np.float64)
        assert np.allclose(np.linalg.norm(found, axis=-1), np.linalg.norm(vectors, axis=-1), rtol=1e-6)

    calls = [
        Call(
            f"{name}.sample",
            group.sample,
            lambda: {"rng": default_rng(0), "n": 3, "scale": 2.0},
            _member(group),
        ),
        Call(
            f"{name}.near_identity",
            group.near_identity,
            lambda: {"rng": default_rng(0), "n": 3, "scale": 0.1},
            _sized(group),
        ),
        Call(f"{name}.identity", group.identity, lambda: {"n": 3}, _sized(group)),
        Call(f"{name}.grid", group.grid, lambda: {"n": 5}, _member(group)),
        Call(
            f"{name}.element",
            group.element,
            lambda: {"matrix": g.matrix.copy(), "translation": g.translation.copy()},
            _member(group),
        ),
        Call(f"{name}.contains", group.contains, lambda: {"element": h, "atol": 1e-9}),
        Call(f"{name}.includes", group.includes, lambda: {"other": group}),
        Call(f"{name} act", g.act, lambda: {"points": np.arange(3.0 * d).reshape(3, d)}, moved),
        Call(f"{name} act of a batch", h.act, lambda: {"points": np.arange(4.0 * d).reshape(4, d)}),
        Call(f"{name} rotate", g.rotate, lambda: {"vectors": np.arange(1.0, d + 1)}, turned),
        Call(
            f"{name} is_close",
            g.is_close,
            lambda: {"other": g, "atol": 1e-9},
            lambda given, found: _is_bool(found),
        ),
        Call(f"{name} within", g.within, lambda: {"group": group}),
        Call(f"{name} stack", GroupElement.stack, lambda: {"elements": [g, g]}, _member(group)),
        Call(f"{name} from_dict", GroupElement.from_dict, lambda: {"data": g.to_dict()}, _same(g)),
        Call(
            f"{name} @",
            lambda other: g @ other,
            lambda: {"other": h},
            lambda given, found: _law(g, given["other"], found),
            allowed=(TypeError,),
        ),
        Call(
            f"{name}[]",
            lambda index: h[index],
            lambda: {"index": 2},
            allowed=(IndexError, TypeError, ValueError, OverflowError, RuntimeError),
            close=None,
            real=False,
        ),
        Call("common_group", common_group, lambda: {"first": group, "second": group}),
        Call(
            "group_from_name", group_from_name, lambda: {"name": group.name}, lambda given, found: repr(found)
        ),
        Call(f"{name}.stabiliser", group.stabiliser, lambda: {"direction": np.eye(d)[-1]}, allowed=()),
    ]
    if not hasattr(group, "exp") or group.stores_labels:
        return calls[:-1]
    still = group.exp(np.full(group.algebra_dim, 0.3))
    rotation = np.array(0.4) if group.rotation_dim == 1 else np.array([0.1, 0.2, 0.3])
    calls = calls[: -1 if d == 2 or group.axis is not None else None]
    return [
        *calls,
        Call(f"{name}.exp", group.exp, lambda: {"algebra": np.full(group.algebra_dim, 0.3)}, _member(group)),
        Call(
            f"{name}.log",
            group.log,
            lambda: {"element": still},
            lambda given, found: _member(group)(given, group.exp(found)),
        ),
        Call(f"{name}.rotation", group.rotation, lambda: {"rotation": rotation.copy()}, _member(group)),
        *(
            [
                Call(
                    f"{name}.translation",
                    group.translation,
                    lambda: {"shift": group.shifts(np.ones(d))},
                    _member(group),
                )
            ]
            if group.has_translations
            else []
        ),
        *(
            [
                Call(
                    f"{name}.reflection",
                    group.reflection,
                    lambda: {"mirror": rotation.copy()},
                    _member(group),
                )
            ]
            if not group.proper
            else []
        ),
    ]


def _is_bool(found: Any) -> None:
    assert type(found) is bool


def _same(g: GroupElement) -> Any:
    def check(given: dict[str, Any], found: GroupElement) -> None:
        if repr(given["data"]) == repr(g.to_dict()):
            assert found.is_close(g, 0.0)

    return check


def _law(g: GroupElement, h: Any, found: GroupElement) -> None:
    point = np.arange(1.0, g.dim + 1)
    assert np.allclose(found.act(point), g.act(h.act(point)), atol=1e-9)


def _constructors() -> list[Call]:
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    labels = ew.Dihedral(4).labels
    plane = Representation(labels, labels.natural["body"])

    def lawful(given: dict[str, Any], found: Representation) -> None:
        for a in range(found.labels.order):
            products = found.matrices[a] @ found.matrices
            assert np.allclose(products, found.matrices[found.labels.table[a]], atol=1e-9)

    def group(given: dict[str, Any], found: Group) -> None:
        assert group_from_name(found.name) == found
        _member(found)(given, found.sample(default_rng(0), 2))

    return [
        Call("Cyclic", ew.Cyclic, lambda: {"n": 4}, group),
        Call("Cyclic about an axis", ew.Cyclic, lambda: {"n": 4, "axis": np.array([0.0, 1.0, 1.0])}, group),
        Call("Dihedral", ew.Dihedral, lambda: {"n": 3}, group),
        Call("Permutation", ew.Permutation, lambda: {"n": 3}, group),
        Call("SE2", ew.SE2, lambda: {"axis": np.array([0.0, 0.0, 1.0]), "along": True}, group),
        Call("O2", ew.O2, lambda: {"axis": np.array([1.0, 0.0, 1.0])}, group),
        Call("Isometries", Isometries, lambda: {"generators": quarter[None].copy()}, group),
        Call("left_right", left_right, lambda: {"normal": np.array([0.0, 1.0, 0.0])}, group),
        Call(
            "Product",
            Product,
            lambda: {"space": ew.SE2(), "moving": ew.Permutation(2), "paired": False},
            group,
        ),
        Call(
            "Representation",
            Representation,
            lambda: {"labels": labels, "matrices": plane.matrices.copy()},
            lawful,
        ),
        Call(
            "Representation.of",
            Representation.of,
            lambda: {
                "labels": labels,
                "images": [np.eye(2) @ m for m in plane.matrices[[place for _, place in labels.generators]]],
            },
            lawful,
        ),
        Call("Representation.trivial", Representation.trivial, lambda: {"labels": labels, "n": 2}, lawful),
        Call("Representation.regular", Representation.regular, lambda: {"labels": labels}, lawful),
        Call(
            "Representation +",
            lambda other: plane + other,
            lambda: {"other": plane},
            lawful,
            allowed=(TypeError,),
        ),
        Call("Representation.tensor", plane.tensor, lambda: {"other": plane}, lawful),
        Call("intertwiners", plane.intertwiners, lambda: {"other": plane}),
        Call("Cyclic.turn", ew.Cyclic(5).turn, lambda: {"steps": np.array([0, 3])}, _member(ew.Cyclic(5))),
        Call(
            "Dihedral.mirror",
            ew.Dihedral(5).mirror,
            lambda: {"steps": np.array([0, 3])},
            _member(ew.Dihedral(5)),
        ),
    ]


CALLS = [*_constructors(), *(call for group in GROUPS for call in _of_group(group))]
