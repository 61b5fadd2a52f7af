"""Checks of the arguments that the groups take."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.arguments import array_of, integer, number
from equiworld.errors import ArgumentError
from equiworld.groups.arrays import Array

__all__ = ["LARGEST", "as_floats", "as_integers", "checked_count", "checked_generator", "checked_scale"]

LARGEST = 1e150
"""Of numbers whose squares have to be finite."""


def as_floats(argument: str, value: ArrayLike) -> Array:
    """The value as a float64 array, finite or not."""
    array = array_of(argument, value)
    if array.dtype.kind not in "iuf":
        raise ArgumentError(argument, f"dtype {array.dtype}", "real numbers")
    with np.errstate(all="ignore"):
        return array.astype(np.float64)


def as_integers(argument: str, value: ArrayLike) -> NDArray[np.int64]:
    """The value as an integer array; 1.0 is refused, and so is True."""
    array = array_of(argument, value)
    if array.dtype.kind not in "iu":
        raise ArgumentError(argument, value, "whole numbers")
    return array.astype(np.int64)


def checked_count(n: int) -> int:
    """A whole number of at least 1."""
    return integer("n", n, least=1, most=2**31 - 1)


def checked_scale(scale: float) -> float:
    """A length of at least 0, whose square is finite too."""
    return number("scale", scale, least=0, most=LARGEST)


def checked_generator(rng: np.random.Generator) -> np.random.Generator:
    """A numpy Generator: not a seed, not the global state."""
    if not isinstance(rng, np.random.Generator):
        raise ArgumentError("rng", rng, "a numpy.random.Generator, such as numpy.random.default_rng(0)")
    return rng
