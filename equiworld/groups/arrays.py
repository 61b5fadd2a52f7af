"""Arrays of floats, and their product in a fixed order of addition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "product"]

Array = NDArray[np.float64]


def product(matrix: Array, columns: Array) -> Array:
    """`matrix @ columns` for `(…, n, d)` and `(…, d, m)`.

    The d terms are added one by one, in a fixed order: BLAS may choose another order for another batch size,
    and a batch would then differ in the last bit from a loop over its elements.
    """
    result = matrix[..., :, 0, None] * columns[..., None, 0, :]
    for index in range(1, matrix.shape[-1]):
        result = result + matrix[..., :, index, None] * columns[..., None, index, :]
    return result
