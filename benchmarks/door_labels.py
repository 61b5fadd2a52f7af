"""Declarations drawn at random about an axis, of finite groups, with joints, pseudo fields, bodies and objects."""

from __future__ import annotations

from typing import Any

import numpy as np

from equiworld.groups import (
    E2,
    O2,
    SE2,
    SE3,
    SO2,
    Cyclic,
    Dihedral,
    Group,
    Isometries,
    Permutation,
    Product,
    left_right,
)
from equiworld.groups.arrays import Array
from equiworld.symmetry import (
    Concatenation,
    Field,
    Heading,
    Objects,
    Orthogonal,
    Permuted,
    Point,
    Pseudoscalar,
    Pseudovector,
    Rotation,
    Scalar,
    SignedPermutation,
    SymmetricMatrix,
    Symmetry,
    Vector,
)

__all__ = ["labelled_groups", "labelled_symmetry"]

UP = (0.0, 0.0, 1.0)
_MOST_JOINTS = 4


def labelled_groups() -> tuple[Group, ...]:
    """About an axis; finite ones, from isometries; products with what moves labels."""
    quarter, mirror = SO2(axis=UP).rotation(np.pi / 2).matrix, np.diag([1.0, -1.0, 1.0])
    return (
        left_right(),
        left_right((1.0, 0.0)),
        Cyclic(3),
        Dihedral(4),
        Cyclic(4, axis=(0.0, 1.0, 0.0)),
        Dihedral(3, axis=UP),
        Isometries([np.diag([-1.0, 1.0, 1.0]), mirror]),
        Isometries([np.eye(3), mirror], [quarter, mirror]),
        SO2(axis=UP),
        O2(axis=UP),
        SE2(axis=UP),
        E2(axis=(0.0, 3.0, 4.0)),
        SE2(axis=(1.0, 2.0, 3.0), along=True),
        E2(axis=UP, along=True),
        Product(SE2(), Permutation(2)),
        Product(E2(), Permutation(2)),
        Product(SE3(), Permutation(3)),
        Product(SO2(axis=UP), Permutation(2)),
        Product(SE2(), Cyclic(4)),
        Product(E2(), Dihedral(4), paired=True),
        Product(E2(axis=UP), left_right(), paired=True),
        Product(O2(axis=UP), Dihedral(4, axis=UP), paired=True),
    )


def labelled_symmetry(rng: np.random.Generator) -> Symmetry:
    """A declaration of a few fields that labels, reflections and turns move."""
    groups = labelled_groups()
    group = groups[rng.integers(len(groups))]
    state = {name: field for name, field, chance in _fields(group, rng) if rng.random() < chance}
    if not state:
        state = {"place": Point(), "speed": Vector()}
    goal = {name: field for name, field in (("goal", Point()), ("aim", Vector())) if rng.random() < 0.2}
    actions: list[Field] = [Vector(), Scalar(2), Concatenation((Vector(), Pseudoscalar())), Point()]
    if group.labels.generators:
        joints = _joints(group, rng)
        actions += [joints, joints, joints, Concatenation((Vector(), joints))]
    if group.dim == 3:
        actions.append(Pseudovector())
    return Symmetry(
        group,
        {**state, **goal},
        action=actions[rng.integers(len(actions))],
        goal=tuple(goal),
        centre=tuple(rng.choice([0.0, 1.5], group.dim)),
        length_scale=float(rng.choice([0.1, 1.0, 100.0])),
        flat=bool(rng.random() < 0.3),
    )


def _fields(group: Group, rng: np.random.Generator) -> list[tuple[str, Field, float]]:
    """What may be observed, with how often."""
    dim, turns_bodies = group.dim, "body" in group.labels.natural
    found: list[tuple[str, Field, float]] = [
        ("place", Point(), 0.6),
        ("speed", Vector(), 0.5),
        ("mass", Scalar(), 0.3),
        ("rate", Pseudoscalar(), 0.3),
    ]
    if dim == 2:
        found.append(("pose", Heading(body=turns_bodies), 0.4))
    else:
        found.append(("spin", Pseudovector(), 0.3))
        found.append(("pose", Rotation(form="wxyz" if turns_bodies else "matrix", body=turns_bodies), 0.4))
        found.append(("tilt", Rotation(form="xyz", body=True), 0.2 if turns_bodies else 0.0))
        found.append(("inertia", SymmetricMatrix(), 0.3 if group.finite else 0.0))
    if group.labels.generators:
        orders, _ = _monomial(_representation(group, rng, signs=False))
        wrench: Field = Concatenation((Pseudovector(), Vector())) if dim == 3 else Point()
        found.append(("joints", _joints(group, rng), 0.5))
        found.append(("contacts", SignedPermutation(orders), 0.3))
        found.append(("bodies", Permuted(wrench, orders), 0.4))
        images = _representation(group, rng, signs=True)
        turn = np.linalg.qr(rng.normal(size=images[0].shape))[0]
        found.append(("modes", Orthogonal([turn @ image @ turn.T for image in images]), 0.2))  # type: ignore[arg-type]
    for count in (2, 3):
        if f"Permutation({count})" in group.labels.natural:
            found.append(("blocks", Objects(Concatenation((Point(), Vector())), count), 0.8))
    return found


def _joints(group: Group, rng: np.random.Generator) -> SignedPermutation:
    return SignedPermutation(*_monomial(_representation(group, rng, signs=True)))


def _representation(group: Group, rng: np.random.Generator, signs: bool) -> list[Array]:
    """Signed permutations of the generators: regular and one-dimensional parts, their numbers renamed at random."""
    labels, parts, size = group.labels, list[Array](), 0
    least = int(rng.integers(1, _MOST_JOINTS + 1))
    while size < least:
        if labels.order <= 2 * _MOST_JOINTS and rng.random() < 0.6:
            part = np.zeros((labels.order,) * 3)
            for element in range(labels.order):
                part[element, labels.table[element], np.arange(labels.order)] = 1.0
        else:
            sign = labels.determinants if signs and rng.random() < 0.5 else np.ones(labels.order)
            part = sign[:, None, None] * np.ones((1, 1, 1))
        parts.append(part)
        size += part.shape[-1]
    renamed = np.eye(size)[rng.permutation(size)]
    if signs:
        renamed = renamed * rng.choice([-1.0, 1.0], size)
    images = []
    for _, generator in labels.generators:
        whole, start = np.zeros((size, size)), 0
        for part in parts:
            stop = start + part.shape[-1]
            whole[start:stop, start:stop] = part[generator]
            start = stop
        images.append(renamed @ whole @ renamed.T)
    return images


def _monomial(images: list[Array]) -> tuple[list[Any], list[Any]]:
    """Orders and signs of signed permutation matrices."""
    orders = [np.abs(image).argmax(1).tolist() for image in images]
    signs = [
        [int(row[place]) for row, place in zip(image, order, strict=True)]
        for image, order in zip(images, orders, strict=True)
    ]
    return orders, signs
