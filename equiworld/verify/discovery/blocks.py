"""The numbers of keys as items that may turn, shift or stay, and what a small motion does to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from equiworld.groups.arrays import Array

__all__ = ["Block", "blocks_of", "generators_of"]

ACTION = ""
"""The key under which the action stands."""


@dataclass(frozen=True)
class Block:
    """Some consecutive numbers of a key: d that may be an arrow, or one that may be an angle.

    Attributes:
        key: of the observation; "" for the action.
        start: the first number.
        size: d or 1.
        scale: of its numbers.
        angle: whether it wraps.
    """

    key: str
    start: int
    size: int
    scale: float
    angle: bool = False

    def of(self, arrays: Mapping[str, Array]) -> Array:
        """Its numbers `(n, size)`."""
        return arrays[self.key][:, self.start : self.start + self.size]


def blocks_of(arrays: Mapping[str, Array], dim: int, angles: tuple[str, ...]) -> list[Block]:
    """Keys whose size is a multiple of d as arrows; the numbers of others one by one."""
    found = []
    for key, array in arrays.items():
        size = dim if array.shape[1] % dim == 0 else 1
        for start in range(0, array.shape[1], size):
            part = array[:, start : start + size]
            scale = float(np.sqrt(part.var(0).mean())) or 1.0
            found.append(Block(key, start, size, scale, key in angles))
    return found


def generators_of(dim: int) -> Array:
    """A basis of so(d), `(d(d − 1)/2, d, d)`: the quarter turn in the plane, turns about the axes in space."""
    if dim == 2:
        return np.array([[[0.0, -1.0], [1.0, 0.0]]])
    basis = np.zeros((3, 3, 3))
    for axis in range(3):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        basis[axis, i, j], basis[axis, j, i] = -1.0, 1.0
    return basis


def directions(block: Block, numbers: Array, dim: int) -> Iterator[tuple[str, int, Array]]:
    """How its numbers `(n, size)` move: by each turn, and by each shift. Yields (what, which, `(n, size)`)."""
    if block.size == dim:
        for which, basis in enumerate(generators_of(dim)):
            yield "turn", which, numbers @ basis.T
    for which in range(block.size):
        shift = np.zeros_like(numbers)
        shift[:, which] = block.scale if not block.angle else 1.0
        yield "shift", which, shift
