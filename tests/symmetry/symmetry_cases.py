"""What the tests of this folder share: fields, groups, observers of a known world, and the two checkers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from equiworld.groups import (
    E2,
    E3,
    O2,
    O3,
    SE2,
    SE3,
    SO2,
    SO3,
    Cyclic,
    Dihedral,
    Group,
    GroupElement,
    Permutation,
)
from equiworld.symmetry import (
    Cloud,
    Concatenation,
    Field,
    Heading,
    Planes,
    Point,
    Pseudoscalar,
    Pseudovector,
    Rotation,
    Scalar,
    Segments,
    Vector,
)

GROUPS: dict[int, list[Group]] = {
    2: [SO2(), O2(), SE2(), E2(), Cyclic(4), Dihedral(3)],
    3: [SO3(), O3(), SE3(), E3(), Permutation(3)],
}
_BOTH: list[Field] = [
    Scalar(3),
    Pseudoscalar(2),
    Vector(2),
    Pseudovector(2),
    Point(3),
    Point(4, mirror=(2, 1, 0, 3)),
    Cloud(5),
]
FIELDS: dict[int, list[Field]] = {
    2: [
        *_BOTH,
        Heading(2),
        Heading(low=0.0, axis=0.7),
        Concatenation((Point(), Heading(), Scalar(2))),
        Segments(2),
        Planes(2),
    ],
    3: [
        *_BOTH,
        Rotation(2),
        Rotation(form="xyzw"),
        Rotation(2, form="wxyz"),
        Concatenation((Point(), Rotation(), Pseudovector())),
        Planes(2),
    ],
}
CENTRES = {2: np.array([1.5, -0.5]), 3: np.array([1.5, -0.5, 2.0])}


def has_mirror_image(field: Field) -> bool:
    """Whether reflections may act on the field."""
    return not (isinstance(field, Rotation) and field.form != "matrix")


CASES = [
    (field, group)
    for dim in (2, 3)
    for field in FIELDS[dim]
    for group in GROUPS[dim]
    if group.proper or has_mirror_image(field)
]
CASE_NAMES = [f"{field}-{group}" for field, group in CASES]


def random_array(field: Field, dim: int, rng: np.random.Generator, shape: tuple[int, ...] = ()) -> NDArray:
    """Valid numbers of a field, `(*shape, size)`."""
    if isinstance(field, Concatenation):
        return np.concatenate([random_array(part, dim, rng, shape) for part in field.parts], -1)
    if isinstance(field, Heading):
        return field.low + 2 * np.pi * rng.random((*shape, field.count))
    if isinstance(field, Rotation):
        turns = SO3().sample(rng, n=int(np.prod(shape, dtype=int)) * field.count).matrix
        turns = turns.reshape(*shape, field.count, 3, 3)
        return field.decode({"vectors": np.moveaxis(turns, -2, -3).reshape(*shape, 3, -1)}, np.zeros(3))
    return rng.normal(size=(*shape, field.size(dim)))


def difference(field: Field, dim: int, first: NDArray, second: NDArray) -> float:
    """The largest difference in meaning: headings and quaternions are compared as what they point at."""
    origin = np.zeros(dim)
    one, other = field.encode(first, origin), field.encode(second, origin)
    return max(float(np.abs(one[kind] - other[kind]).max()) for kind in one)


def homomorphism_error(field: Field, g: GroupElement, h: GroupElement, array: NDArray) -> float:
    """ρ(gh) against ρ(g) ρ(h), ρ(g⁻¹) ρ(g) and ρ(e) against nothing, about an odd centre."""
    dim = g.matrix.shape[-1]
    centre = CENTRES[dim]
    stepwise = field.transform(g, field.transform(h, array, centre), centre)
    undone = field.transform(g.inverse(), field.transform(g, array, centre), centre)
    return max(
        difference(field, dim, field.transform(g @ h, array, centre), stepwise),
        difference(field, dim, undone, array),
        difference(field, dim, field.transform(g.group.identity(), array, centre), array),
    )


def _spread(world: NDArray) -> float:
    """A number that turns its sign in the mirror: area or volume spanned by the points."""
    return float(np.linalg.det((world[1:] - world[0])[: world.shape[1]]))


def _gram_schmidt(world: NDArray) -> NDArray:
    """Three orthonormal columns that go with the points, into the mirror too."""
    columns: list[NDArray] = []
    for arrow in world[1:4] - world[0]:
        for earlier in columns:
            arrow = arrow - (arrow @ earlier) * earlier
        columns.append(arrow / np.linalg.norm(arrow))
    return np.stack(columns, -1).ravel()


Observer = Callable[[NDArray], NDArray]

# What can be read off a world of points `(4, d)`, and the field that it truly is.
OBSERVERS: dict[int, list[tuple[Field, Observer]]] = {
    2: [
        (Scalar(), lambda world: np.linalg.norm(world[1] - world[0], keepdims=True)),
        (Pseudoscalar(), lambda world: np.array([_spread(world)])),
        (Vector(), lambda world: world[1] - world[0]),
        (Pseudovector(), lambda world: _spread(world) * (world[1] - world[0])),
        (Point(), lambda world: world[2]),
        (Cloud(4), lambda world: world.ravel()),
        (Heading(), lambda world: np.arctan2(*(world[1] - world[0])[::-1, None])),
    ],
    3: [
        (Scalar(), lambda world: np.linalg.norm(world[1] - world[0], keepdims=True)),
        (Pseudoscalar(), lambda world: np.array([_spread(world)])),
        (Vector(), lambda world: world[1] - world[0]),
        (Pseudovector(), lambda world: np.cross(world[1] - world[0], world[2] - world[0])),
        (Point(), lambda world: world[2]),
        (Cloud(4), lambda world: world.ravel()),
        (Rotation(), _gram_schmidt),
    ],
}


def equivariance_error(field: Field, observe: Observer, g: GroupElement, world: NDArray) -> float:
    """What the declared field makes of an observation, against the observation of the moved world."""
    dim = g.matrix.shape[-1]
    centre = CENTRES[dim]
    moved = (world - centre) @ g.matrix.T + centre + g.translation
    return difference(field, dim, field.transform(g, observe(world), centre), observe(moved))
