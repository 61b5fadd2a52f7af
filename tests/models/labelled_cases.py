"""Declarations whose labels move channels, data of them, and the check of exactness under all of the group."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch

from equiworld.groups import E2, O2, SE2, Dihedral, Permutation, Product, left_right
from equiworld.models import WorldModel
from equiworld.symmetry import (
    Concatenation,
    Heading,
    Objects,
    Permuted,
    Point,
    Pseudoscalar,
    Pseudovector,
    Rotation,
    Scalar,
    SignedPermutation,
    Symmetry,
    Vector,
)
from equiworld.symmetry.sampling import random_array, random_observation
from equiworld.training import Dataset

UP = (0.0, 0.0, 1.0)
LEGS = SignedPermutation([(1, 0, 3, 2)], [(-1, -1, 1, 1)])


def walker() -> Symmetry:
    """Left and right: four joints, a torso, forces on two feet."""
    fields = {
        "torso": Rotation(body=True),
        "height": Scalar(),
        "velocity": Vector(),
        "spin": Pseudovector(),
        "joints": LEGS,
        "rates": LEGS,
        "feet": Permuted(Concatenation((Pseudovector(), Vector())), [(1, 0)]),
    }
    return Symmetry(left_right(), fields, action=LEGS)


def ant() -> Symmetry:
    """Quarter turns and mirrors of the body, four joints that go round with it."""
    group = Dihedral(4, axis=UP)
    turn = np.argsort(group.labels.table[1])  # the regular representation
    mirror = np.argsort(group.labels.table[4])
    joints = SignedPermutation([turn.tolist(), mirror.tolist()], [[1] * 8, [-1] * 8])
    return Symmetry(group, {"torso": Rotation(body=True), "speed": Vector(), "joints": joints}, action=joints)


def plane() -> Symmetry:
    """Points seen from a reference, a heading of a square body, a signed rate."""
    fields = {
        "hand": Point(),
        "marks": Permuted(Point(), [(1, 2, 3, 0), (0, 3, 2, 1)]),
        "square": Heading(body=True),
        "rate": Pseudoscalar(),
    }
    return Symmetry(Dihedral(4), fields, action=Vector(), reference="hand", centre=(1.5, 0.5))


def blocks() -> Symmetry:
    """Two blocks that are alike, and a hand, in the plane with its mirror image."""
    block = Concatenation((Point(), Heading(), Vector(), Pseudoscalar()))
    fields = {"hand": Point(), "blocks": Objects(block, 2), "mass": Scalar()}
    return Symmetry(
        Product(E2(), Permutation(2)), fields, action=Vector(), reference="hand", centre=(0.5, 0.5)
    )


def gravity() -> Symmetry:
    """A body in space where up is up, and mirror images of it."""
    fields = {
        "place": Point(2),
        "pose": Rotation(),
        "speed": Vector(),
        "spin": Pseudovector(),
        "mass": Scalar(),
    }
    return Symmetry(E2(axis=UP), fields, action=Concatenation((Vector(), Pseudoscalar())), reference="place")


def falling(*, along: bool = False) -> Symmetry:
    """One body above the ground, seen from itself; `along` an axis that shifts too, it may be at any height."""
    group = SE2(axis=(0.0, 0.6, 0.8), along=along)  # an axis whose components are rounded
    return Symmetry(group, {"place": Point(), "speed": Vector()}, action=Vector(), reference="place")


def above() -> Symmetry:
    """Three bodies above the ground, two of them alike, and targets in space; seen from their mean."""
    fields = {"one": Point(), "others": Objects(Concatenation((Point(), Vector())), 2)}
    group = Product(E2(axis=UP), Permutation(2))
    return Symmetry(group, fields, action=Point(), reference=None, centre=(0.5, -1.0, 2.0))


def turning_ant() -> Symmetry:
    """The ant's body and joints, and the world turned about gravity as well."""
    legs = ant()
    group = Product(O2(axis=UP), Dihedral(4, axis=UP), paired=True)
    fields = dict(legs.observation) | {"velocity": Vector()}
    return Symmetry(group, fields, action=legs.action)


def joints_only() -> Symmetry:
    """Numbers that labels exchange, under a group of infinitely many elements: no vector at all."""
    pair = SignedPermutation([(1, 0)])
    return Symmetry(Product(SE2(), Permutation(2)), {"joints": pair}, action=pair)


DECLARED = {
    "walker": walker(),
    "ant": ant(),
    "plane": plane(),
    "blocks": blocks(),
    "gravity": gravity(),
    "falling": falling(),
    "above": above(),
    "turning ant": turning_ant(),
    "joints only": joints_only(),
}
FINITE = [name for name, symmetry in DECLARED.items() if symmetry.group.finite]


def data_of(symmetry: Symmetry, count: int = 200) -> Dataset:
    """Transitions of no particular world, a little apart, and all their images under the group."""
    rng, centre = np.random.default_rng(0), np.asarray(symmetry.centre)
    here = random_observation(symmetry, rng, count)
    step = {name: array + 0.05 * rng.normal(size=array.shape) for name, array in here.items()}
    for name, field in symmetry.observation.items():
        if isinstance(field, Rotation):
            columns = field.encode(step[name], centre)["vectors"]
            step[name] = field.decode({"vectors": np.linalg.qr(columns)[0]}, centre)
    action = random_array(symmetry.action, rng, (count,), centre)
    return Dataset(symmetry, here, action, step, np.arange(count) // 10)


def residual(model: WorldModel, dtype: torch.dtype) -> float:
    """encode + predict at g·(s, a) against ρ(g) of those at (s, a): the largest, relative, over all elements."""
    model, symmetry = copy.deepcopy(model).to(dtype), model.declared
    rng, centre = np.random.default_rng(7), np.asarray(symmetry.centre)
    seen = random_observation(symmetry, rng, 12)
    action = random_array(symmetry.action, rng, (12,), centre)

    def stepped(observation: Any, acted: np.ndarray) -> dict[str, np.ndarray]:
        with torch.no_grad():
            z = model.predict(model.encode(observation), torch.as_tensor(acted, dtype=dtype))
        return symmetry.observation_arrays(z)

    here, worst = stepped(seen, action), 0.0
    group = symmetry.group
    for g in group.elements() if group.finite else group.sample(rng, 24, scale=2.0):
        there = stepped(symmetry.transform_observation(g, seen), symmetry.transform_action(g, action))
        for name, field in symmetry.observation.items():
            expected = field.transform(g, here[name].astype(np.float64), centre)
            pair = (field.encode(x.astype(np.float64), centre) for x in (there[name], expected))
            for first, second in zip(*(each.values() for each in pair), strict=True):
                worst = max(
                    worst, float(np.abs(first - second).max()) / max(1.0, float(np.abs(second).max()))
                )
    return worst


def made(world: str, seed: int = 0) -> WorldModel:
    """A small model that carries all of the declaration."""
    symmetry = DECLARED[world]
    if world in FINITE:
        return WorldModel.for_symmetry(symmetry, "auto", env_id="toy", seed=seed, hidden=(32, 32))
    return WorldModel.for_symmetry(
        symmetry, "state-steerable", env_id="toy", seed=seed, scalars=16, vectors=8, depth=2
    )
