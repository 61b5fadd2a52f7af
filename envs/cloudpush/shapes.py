"""The bodies that CloudPush offers, and random ones by seed."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from equiworld.arguments import integer
from equiworld.envs.arguments import check_choice
from equiworld.envs.cloudpush.boxes import BoxSurface
from equiworld.envs.cloudpush.revolution import StackSurface
from equiworld.envs.cloudpush.surface import Array, Surface

__all__ = ["SHAPES", "Shape", "make_shape"]

SHAPES = ("bracket", "zed", "bottle", "random")
POINTS = 256
"""Points of a body over which distances to its goal are averaged."""

_LEAST_ASYMMETRY = 0.005  # [m] random bodies closer than this to having a symmetry are drawn again
_HALF_TURNS = 2.0 * np.eye(3)[:, :, None] * np.eye(3)[:, None, :] - np.eye(3)


class Shape:
    """A rigid body: its surface, and the turns that leave it as it is.

    Attributes:
        name: one of `SHAPES`, with the seed of a random one.
        surface: in body axes about the centre of mass.
        fold: the order of its turns about the body's z axis: 1 for none, 2 for half a turn, 0 for every angle.
        points: `(256, 3)` [m] laid evenly over the surface.

    >>> make_shape("bracket").fold, make_shape("zed").fold, make_shape("bottle").fold
    (1, 2, 0)
    """

    def __init__(self, name: str, surface: Surface, fold: int) -> None:
        self.name, self.surface, self.fold = name, surface, fold
        self.points = surface.spread(POINTS)
        self.points.setflags(write=False)

    def __repr__(self) -> str:
        return f"Shape({self.name!r})"


def make_shape(name: str, seed: int = 0) -> Shape:
    """A body by name.

    - "bracket": a bar of 16 cm with an arm and a peg. No rotation and no reflection leaves it as it is.
    - "zed": a flat Z of 14 cm, unchanged by half a turn about its z axis.
    - "bottle": 16 cm, a body of revolution about its z axis.
    - "random": boxes stuck together at random, 12 to 18 cm, without any symmetry.

    Args:
        name: one of them.
        seed: of the random one; the others do not depend on it.

    Raises:
        ArgumentError: another name, or a seed that is no integer of at least 0.
    """
    check_choice("shape", name, "a body", SHAPES)
    seed = integer("shape_seed", seed, least=0)
    return _make(name, seed if name == "random" else 0)


@lru_cache(maxsize=64)
def _make(name: str, seed: int) -> Shape:
    if name == "bracket":
        boxes = [
            ((0.00, 0.00, 0.00), (0.16, 0.04, 0.03)),
            ((0.00, 0.04, 0.00), (0.03, 0.12, 0.03)),
            ((0.10, 0.00, 0.03), (0.14, 0.04, 0.11)),
        ]
        return Shape(name, BoxSurface(boxes), 1)
    if name == "zed":
        boxes = [
            ((-0.07, -0.02, -0.02), (0.07, 0.02, 0.02)),
            ((-0.07, -0.07, -0.02), (-0.03, -0.02, 0.02)),
            ((0.03, 0.02, -0.02), (0.07, 0.07, 0.02)),
        ]
        return Shape(name, BoxSurface(boxes), 2)
    if name == "bottle":
        return Shape(name, StackSurface([(0.035, 0.10), (0.015, 0.06)]), 0)
    return Shape(f"random {seed}", _random_boxes(np.random.default_rng(seed)), 1)


def _random_boxes(rng: np.random.Generator) -> BoxSurface:
    """Four to six cells of an uneven 3 × 3 × 3 lattice that hang together and have no symmetry."""
    while True:
        ticks = np.cumsum(np.concatenate([np.zeros((3, 1)), rng.uniform(0.03, 0.07, (3, 3))], 1), 1)
        cells = _grow(rng, int(rng.integers(4, 7)))
        low, high = (
            np.stack([ticks[axis, cells[:, axis] + side] for axis in range(3)], -1) for side in (0, 1)
        )
        surface = BoxSurface(np.stack([low, high], 1))
        size = np.ptp(surface.corners, axis=0).max()
        if 0.12 <= size <= 0.18 and asymmetry(surface) >= _LEAST_ASYMMETRY:
            return surface


def _grow(rng: np.random.Generator, count: int) -> NDArray[np.intp]:
    """Cells `(count, 3)` of a 3 × 3 × 3 lattice, each with a neighbour among those before it."""
    cells = [tuple(rng.integers(3, size=3).tolist())]
    while len(cells) < count:
        x, y, z = cells[rng.integers(len(cells))]
        axis, step = int(rng.integers(3)), int(rng.choice((-1, 1)))
        neighbour = [x, y, z]
        neighbour[axis] += step
        if 0 <= neighbour[axis] < 3 and tuple(neighbour) not in cells:
            cells.append((neighbour[0], neighbour[1], neighbour[2]))
    return np.array(cells)


def asymmetry(surface: Surface) -> float:
    """How far a body is from having a symmetry [m].

    A rotation or reflection that leaves a body as it is leaves its moments of inertia as they are. Where these
    differ from each other, only the half turns about the principal axes, the reflections in the principal planes
    and in the centre do so. This is the least mean distance between the surface and what any of them makes of it;
    0 where two moments nearly agree.
    """
    moments, axes = np.linalg.eigh(surface.inertia)
    if np.diff(moments).min() < 0.05 * moments[-1]:
        return 0.0
    points = surface.spread(POINTS)
    half_turns: Array = axes @ _HALF_TURNS @ axes.T
    candidates = [*half_turns, *-half_turns, -np.eye(3)]
    return min(float(np.abs(surface.distance(points @ one.T)).mean()) for one in candidates)
