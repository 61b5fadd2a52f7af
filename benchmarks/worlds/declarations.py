"""Symmetries drawn at random, with or without labels that move, and observations of them that are special."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from equiworld import groups
from equiworld import symmetry as sym
from equiworld.symmetry.sampling import random_observation

__all__ = ["STATES", "drawn_observations", "drawn_symmetry", "labelled_groups"]

UP = (0.0, 0.0, 1.0)
STATES = ("generic", "at rest", "in one place", "round numbers", "nothing at all")
"""Kinds of observations."""

_MOST_JOINTS = 4


def _plain_groups(dim: int) -> tuple[groups.Group, ...]:
    if dim == 3:
        return groups.SO3(), groups.O3(), groups.SE3(), groups.SE3(), groups.E3()
    continuous = (groups.SO2(), groups.O2(), groups.SE2(), groups.SE2(), groups.E2())
    return (*continuous, groups.Cyclic(4), groups.Dihedral(3))


def labelled_groups() -> tuple[groups.Group, ...]:
    """About an axis; finite ones, from isometries; products with what moves labels."""
    quarter, mirror = groups.SO2(axis=UP).rotation(np.pi / 2).matrix, np.diag([1.0, -1.0, 1.0])
    return (
        groups.left_right(),
        groups.left_right((1.0, 0.0)),
        groups.Cyclic(3),
        groups.Dihedral(4),
        groups.Cyclic(4, axis=(0.0, 1.0, 0.0)),
        groups.Dihedral(3, axis=UP),
        groups.Isometries([np.diag([-1.0, 1.0, 1.0]), mirror]),
        groups.Isometries([np.eye(3), mirror], [quarter, mirror]),
        groups.SO2(axis=UP),
        groups.O2(axis=UP),
        groups.SE2(axis=UP),
        groups.E2(axis=(0.0, 3.0, 4.0)),
        groups.SE2(axis=(1.0, 2.0, 3.0), along=True),
        groups.E2(axis=UP, along=True),
        groups.Product(groups.SE2(), groups.Permutation(2)),
        groups.Product(groups.E2(), groups.Permutation(2)),
        groups.Product(groups.SE3(), groups.Permutation(3)),
        groups.Product(groups.SO2(axis=UP), groups.Permutation(2)),
        groups.Product(groups.SE2(), groups.Cyclic(4)),
        groups.Product(groups.E2(), groups.Dihedral(4), paired=True),
        groups.Product(groups.E2(axis=UP), groups.left_right(), paired=True),
        groups.Product(groups.O2(axis=UP), groups.Dihedral(4, axis=UP), paired=True),
    )


def drawn_symmetry(rng: np.random.Generator, labelled: bool) -> sym.Symmetry:
    """A declaration of a few fields, in the plane or in space.

    Args:
        rng: of everything drawn.
        labelled: whether it is one about an axis, of a finite group, or with fields that labels move; if not it may
            have a reference and a heading.
    """
    pool = labelled_groups() if labelled else _plain_groups(int(rng.integers(2, 4)))
    group = pool[rng.integers(len(pool))]
    way: sym.Field = sym.Heading() if group.dim == 2 else sym.Rotation()
    drawn = _labelled_fields(group, rng) if labelled else _plain_fields(way, rng)
    state = _some(drawn, rng) or {"place": sym.Point(), "speed": sym.Vector()}
    aims: dict[str, sym.Field] = {"goal": sym.Point(), "aim": sym.Vector()}
    aims = aims if labelled else {"goal": sym.Point(), "goal_speed": sym.Vector(), "goal_pose": way}
    goal = _some(((name, field, 0.2 if labelled else 0.35) for name, field in aims.items()), rng)
    action = _labelled_action(group, rng) if labelled else _plain_action(rng)
    further: dict[str, Any] = {}
    if not labelled:
        points = [name for name, field in state.items() if isinstance(field, sym.Point)]
        further["reference"] = str(rng.choice(points)) if points and rng.random() < 0.5 else None
        heads = group.dim == 2 and "pose" in state and rng.random() < 0.5
        further["heading"] = "pose" if heads else None
    further["centre"] = tuple(rng.choice([0.0, 1.5], group.dim))
    further["length_scale"] = float(rng.choice([0.1, 1.0, 100.0]))
    if labelled:
        further["flat"] = bool(rng.random() < 0.3)
    return sym.Symmetry(group, {**state, **goal}, action=action, goal=tuple(goal), **further)


Drawn = tuple[str, sym.Field, float]
"""A field's name, the field, and how often it is there."""


def _some(fields: Iterable[Drawn], rng: np.random.Generator) -> dict[str, sym.Field]:
    return {name: field for name, field, chance in fields if rng.random() < chance}


def _plain_fields(way: sym.Field, rng: np.random.Generator) -> list[Drawn]:
    return [
        ("place", sym.Point(), 0.7),
        ("corners", sym.Point(int(rng.integers(2, 4))), 0.3),
        ("speed", sym.Vector(), 0.6),
        ("forces", sym.Vector(2), 0.2),
        ("mass", sym.Scalar(), 0.4),
        ("pose", way, 0.4),
    ]


def _plain_action(rng: np.random.Generator) -> sym.Field:
    both = sym.Concatenation((sym.Vector(), sym.Scalar()))
    numbers = sym.Scalar(int(rng.integers(1, 4)))
    actions = (
        sym.Vector(),
        numbers,
        both,
        sym.Concatenation((sym.Scalar(), sym.Vector(2))),
        sym.Point(),
    )
    return actions[rng.choice(5, p=[0.4, 0.2, 0.2, 0.1, 0.1])]


def _labelled_fields(group: groups.Group, rng: np.random.Generator) -> list[Drawn]:
    dim, turns_bodies = group.dim, "body" in group.labels.natural
    found: list[Drawn] = [
        ("place", sym.Point(), 0.6),
        ("speed", sym.Vector(), 0.5),
        ("mass", sym.Scalar(), 0.3),
        ("rate", sym.Pseudoscalar(), 0.3),
    ]
    if dim == 2:
        found.append(("pose", sym.Heading(body=turns_bodies), 0.4))
    else:
        form: Any = "wxyz" if turns_bodies else "matrix"
        found.append(("spin", sym.Pseudovector(), 0.3))
        found.append(("pose", sym.Rotation(form=form, body=turns_bodies), 0.4))
        found.append(("tilt", sym.Rotation(form="xyz", body=True), 0.2 if turns_bodies else 0.0))
        found.append(("inertia", sym.SymmetricMatrix(), 0.3 if group.finite else 0.0))
    if group.labels.generators:
        orders, _ = _monomial(_representation(group, rng, signs=False))
        both = (sym.Pseudovector(), sym.Vector())
        wrench: sym.Field = sym.Concatenation(both) if dim == 3 else sym.Point()
        found.append(("joints", _joints(group, rng), 0.5))
        found.append(("contacts", sym.SignedPermutation(orders), 0.3))
        found.append(("bodies", sym.Permuted(wrench, orders), 0.4))
        images = _representation(group, rng, signs=True)
        turn = np.linalg.qr(rng.normal(size=images[0].shape))[0]
        modes: Any = [turn @ image @ turn.T for image in images]
        found.append(("modes", sym.Orthogonal(modes), 0.2))
    for count in (2, 3):
        if f"Permutation({count})" in group.labels.natural:
            each = sym.Concatenation((sym.Point(), sym.Vector()))
            found.append(("blocks", sym.Objects(each, count), 0.8))
    return found


def _labelled_action(group: groups.Group, rng: np.random.Generator) -> sym.Field:
    both = sym.Concatenation((sym.Vector(), sym.Pseudoscalar()))
    actions: list[sym.Field] = [sym.Vector(), sym.Scalar(2), both, sym.Point()]
    if group.labels.generators:
        joints = _joints(group, rng)
        actions += [joints, joints, joints, sym.Concatenation((sym.Vector(), joints))]
    if group.dim == 3:
        actions.append(sym.Pseudovector())
    return actions[rng.integers(len(actions))]


def _joints(group: groups.Group, rng: np.random.Generator) -> sym.SignedPermutation:
    return sym.SignedPermutation(*_monomial(_representation(group, rng, signs=True)))


def _representation(group: groups.Group, rng: np.random.Generator, signs: bool) -> list[NDArray[Any]]:
    """Signed permutations of the generators: regular and one-dimensional parts, their numbers renamed at random."""
    labels, parts = group.labels, list[NDArray[Any]]()
    regular = np.zeros((labels.order,) * 3)
    for element in range(labels.order):
        regular[element, labels.table[element], np.arange(labels.order)] = 1.0
    least = int(rng.integers(1, _MOST_JOINTS + 1))
    while sum(part.shape[-1] for part in parts) < least:
        if labels.order <= 2 * _MOST_JOINTS and rng.random() < 0.6:
            parts.append(regular)
        else:
            sign = labels.determinants if signs and rng.random() < 0.5 else np.ones(labels.order)
            parts.append(sign[:, None, None] * np.ones((1, 1, 1)))
    size = sum(part.shape[-1] for part in parts)
    renamed = np.eye(size)[rng.permutation(size)]
    if signs:
        renamed = renamed * rng.choice([-1.0, 1.0], size)
    wholes = [block_diag(*(part[generator] for part in parts)) for _, generator in labels.generators]
    return [renamed @ whole @ renamed.T for whole in wholes]


def _monomial(images: list[NDArray[Any]]) -> tuple[list[Any], list[Any]]:
    """Orders and signs of signed permutation matrices."""
    orders = [np.abs(image).argmax(1).tolist() for image in images]
    return orders, [image.sum(1).astype(int).tolist() for image in images]


def drawn_observations(symmetry: sym.Symmetry, rng: np.random.Generator, kind: str, count: int) -> Any:
    """Observations `(count, size)` of a kind of `STATES`."""
    drawn = symmetry.observed(random_observation(symmetry, rng, count))
    still, placed = kind in ("at rest", "nothing at all"), kind in ("in one place", "nothing at all")
    for name, field in symmetry.observation.items():
        array = drawn[name]
        posed = isinstance(field, sym.Rotation | sym.Heading | sym.Objects)
        if still and isinstance(field, sym.Vector | sym.Pseudovector | sym.Pseudoscalar):
            drawn[name] = np.zeros_like(array)
        if kind == "nothing at all" and field.labelled and not posed:
            drawn[name] = np.zeros_like(array)
        if placed and isinstance(field, sym.Point):
            drawn[name] = np.tile(np.asarray(symmetry.centre), (count, field.count))
        rounds = isinstance(field, sym.Point | sym.Vector | sym.Scalar | sym.SignedPermutation)
        if kind == "round numbers" and rounds:
            drawn[name] = np.round(array / symmetry.length_scale) * symmetry.length_scale
    return symmetry.assembled(drawn)
