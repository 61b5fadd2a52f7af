"""Two vectors that make a third, and polynomials of bounded degree in them."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np

from equiworld.groups.arrays import Array

__all__ = ["accelerations", "plain_polynomials", "slice_of", "vector_polynomials"]

_HALF_WIDTH = np.pi / 8  # of the slice of headings about the third axis


def slice_of(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Positions and velocities `(count, 3)` of length at most 1, positions within a slice about the first axis."""
    lengths, heights = rng.uniform(0.2, 1.0, count), rng.uniform(-0.3, 0.3, count)
    angles = rng.uniform(-_HALF_WIDTH, _HALF_WIDTH, count)
    across = np.sqrt(1 - heights**2)
    x = lengths[:, None] * np.stack([across * np.cos(angles), across * np.sin(angles), heights], -1)
    v = rng.normal(size=(count, 3))
    v *= (rng.uniform(size=count) ** (1 / 3) / np.linalg.norm(v, axis=1))[:, None]
    return x, v


def accelerations(x: Array, v: Array) -> Array:
    """−x/(|x|² + 1/2)^{3/2} − v √(1/4 + |v|²) + (x × v)/(1 + |x|²), `(N, 3)`: softened gravity, drag and a magnet."""
    squared = np.square(x).sum(-1, keepdims=True)
    gravity = -x / (squared + 0.5) ** 1.5
    drag = -v * np.sqrt(0.25 + np.square(v).sum(-1, keepdims=True))
    found: Array = gravity + drag + np.cross(x, v) / (1 + squared)
    return found


def vector_polynomials(x: Array, v: Array, degree: int) -> Array:
    """All vectors of two vectors that SO(3) commutes with, of at most that degree, `(N, 3, count)`.

    They are p x + q v + r (x × v), p, q and r polynomials of |x|², x·v and |v|²: there are no others.
    """
    invariants = [np.square(x).sum(-1), (x * v).sum(-1), np.square(v).sum(-1)]
    columns = []
    for vector, own in ((x, 1), (v, 1), (np.cross(x, v), 2)):
        columns += [vector * each[:, None] for each in _monomials(invariants, (degree - own) // 2)]
    return np.stack(columns, -1)


def plain_polynomials(x: Array, v: Array, degree: int) -> Array:
    """All monomials of the six coordinates of at most that degree, `(N, 1, count)`; each axis has its own weights."""
    return np.stack(_monomials(list(np.hstack([x, v]).T), degree), -1)[:, None]


def _monomials(numbers: list[Array], degree: int) -> list[Array]:
    """Products of at most so many of the numbers, with repetition; none if the degree is negative."""
    found = []
    for count in range(degree + 1):
        for chosen in combinations_with_replacement(range(len(numbers)), count):
            product = np.ones_like(numbers[0])
            for index in chosen:
                product = product * numbers[index]
            found.append(product)
    return found
