"""One observation, or several of them stacked: either way a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.arguments import array_of
from equiworld.errors import ArgumentError
from equiworld.symmetry.observing import Apart
from equiworld.symmetry.symmetry import Symmetry
from equiworld.symmetry.validation import check_leading

__all__ = ["as_batch", "each_row", "is_rounded", "rows_of"]


def as_batch(symmetry: Symmetry, observation: Any) -> tuple[Any, bool]:
    """Arrays with a leading axis, all of one length and finite, and whether they had one.

    Args:
        symmetry: of the observation.
        observation: a mapping of arrays `(size,)` or `(B, size)`, or one such array if the symmetry is flat.

    Raises:
        ArgumentError: a field is missing or undeclared, arrays differ in length, or one is not finite; names it, and
            the rows.
    """
    shown = {"observation": observation} if symmetry.flat else symmetry.observed(observation)
    first = next(iter(shown if symmetry.flat else symmetry.observation))
    arrays = {name: array_of(name, value) for name, value in shown.items()}
    axes = len(symmetry.shapes.get("observation", ())) if symmetry.flat else 1
    batched = arrays[first].ndim > max(axes, 1)
    arrays = arrays if batched else {name: array[None] for name, array in arrays.items()}
    if not symmetry.flat:
        arrays = Apart(arrays)
        check_leading(arrays)
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu":
            raise ArgumentError(name, f"dtype {array.dtype}", "real numbers (a floating or integer dtype)")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            rows = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(1)).tolist()
            raise ArgumentError(name, f"NaN or infinity in row(s) {rows[:8]}", "finite numbers")
    return arrays["observation"] if symmetry.flat else arrays, batched


def is_rounded(symmetry: Symmetry, observation: Any, names: Sequence[str]) -> bool:
    """Whether any array of an observation that holds one of these fields is of floating numbers below float64."""
    if isinstance(observation, Mapping):
        keys = {key for name in names for key in (name, symmetry.places.get(name, (name,))[0])}
        arrays = [observation[key] for key in keys if key in observation]
    else:
        arrays = [observation]
    dtypes = [array_of("observation", array).dtype for array in arrays]
    return any(dtype.kind == "f" and dtype.itemsize < 8 for dtype in dtypes)


def rows_of(observation: Any, which: int | NDArray[np.int64]) -> Any:
    """Some rows of a batch, or one."""
    if isinstance(observation, Mapping):
        rows = {name: array[which] for name, array in observation.items()}
        return Apart(rows) if isinstance(observation, Apart) else rows
    return observation[which]


def each_row(observation: Any) -> tuple[list[Any], bool]:
    """Observations one by one, of one or of a batch that was checked, and whether it was a batch."""
    some = next(iter(observation.values())) if isinstance(observation, Mapping) else observation
    if np.ndim(some) < 2:
        return [observation], False
    return [rows_of(observation, row) for row in range(len(some))], True
