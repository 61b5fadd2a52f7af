"""Groups that move labels, and a field of every kind that they move."""

from __future__ import annotations

import numpy as np

from equiworld.benchmarks.worlds.declarations import labelled_groups
from equiworld.groups import Group
from equiworld.symmetry import (
    Cloud,
    Concatenation,
    Field,
    Heading,
    Interleaved,
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
    Vector,
)

GROUPS: tuple[Group, ...] = tuple(group for group in labelled_groups() if group.labels.generators)


def regular_orders(group: Group) -> list[tuple[int, ...]]:
    """What generators do to the elements, by multiplication from the left: each to another place."""
    labels = group.labels
    return [tuple(np.argsort(labels.table[generator]).tolist()) for _, generator in labels.generators]


def signs_of(group: Group) -> list[tuple[int, ...]]:
    """−1 at every place where the generator reflects."""
    labels = group.labels
    return [(int(labels.determinants[generator]),) * labels.order for _, generator in labels.generators]


def fields(group: Group) -> dict[str, Field]:
    """A field of every kind that the group has."""
    dim, orders = group.dim, regular_orders(group)
    found: dict[str, Field] = {
        "mass": Scalar(2),
        "rate": Pseudoscalar(),
        "speed": Vector(2),
        "place": Point(2),
        "cloud": Cloud(3),
        "joints": SignedPermutation(orders, signs_of(group)),
        "contacts": SignedPermutation(orders),
        "bodies": Permuted(Concatenation((Point(), Vector(), Pseudoscalar())), orders),
        "mixed": Interleaved((Vector(), Scalar()), at=(tuple(range(1, dim + 1)), (0,))),
    }
    if dim == 3:
        found["spin"] = Pseudovector()
        found["axes"] = Rotation()
    else:
        found["way"] = Heading()
    if "body" in group.labels.natural:
        found["own"] = Rotation(form="wxyz", body=True) if dim == 3 else Heading(body=True)
    if "body" in group.labels.natural and dim == 3:
        found["tilt"] = Rotation(form="ZYX", body=True)
        found["frame"] = Rotation(body=True)
    if group.finite:
        turn = np.linalg.qr(np.random.default_rng(0).normal(size=(dim, dim)))[0]
        images = [turn @ group.section().matrix[place] @ turn.T for _, place in group.labels.generators]
        found["modes"] = Orthogonal(images)  # type: ignore[arg-type]
    if group.finite and dim == 3:
        found["inertia"] = SymmetricMatrix(2)
    for count in (2, 3):
        if f"Permutation({count})" in group.labels.natural:
            found["blocks"] = Objects(Concatenation((Point(), Heading() if dim == 2 else Vector())), count)
    return found
