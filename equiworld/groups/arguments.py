"""Checks of the arguments that the groups take."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.arguments import integer, number, unmasked
from equiworld.errors import ArgumentError
from equiworld.groups.element import Array

__all__ = ["as_floats", "as_integers", "checked_count", "checked_generator", "checked_scale"]


def as_floats(argument: str, value: ArrayLike) -> Array:
    """The value as a float64 array, finite or not."""
    value = unmasked(argument, value)
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "iuf":
            raise TypeError
        return array.astype(np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(argument, value, "an array of real numbers") from None


def as_integers(argument: str, value: ArrayLike) -> NDArray[np.int64]:
    """The value as an integer array; 1.0 is refused, and so is True."""
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise ArgumentError(argument, value, "whole numbers")
    return array.astype(np.int64)


def checked_count(n: int) -> int:
    """A whole number of at least 1."""
    return integer("n", n, least=1)


def checked_scale(scale: float) -> float:
    """A finite length of at least 0."""
    return number("scale", scale, least=0)


def checked_generator(rng: np.random.Generator) -> np.random.Generator:
    """A numpy Generator: not a seed, not the global state."""
    if not isinstance(rng, np.random.Generator):
        raise ArgumentError("rng", rng, "a numpy.random.Generator, such as numpy.random.default_rng(0)")
    return rng
