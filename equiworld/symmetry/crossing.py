"""Between NumPy and torch: several arrays, or several tensors, in one go."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.symmetry.field import Array

__all__ = ["as_arrays", "as_tensors"]


def as_tensors(
    arrays: Mapping[Any, Array] | Mapping[Any, Tensor],
    dtype: torch.dtype,
    device: torch.device | None = None,
    leading: int = 1,
) -> list[Tensor]:
    """Arrays `(…, *)` that share their leading axes as tensors, by way of one of them: one transfer to a device.

    Args:
        arrays: float64, NumPy's or torch's, by a name for errors.
        dtype: of the tensors.
        device: of the tensors; the CPU if None.
        leading: how many axes are shared.

    Raises:
        ArgumentError: numbers are too large for the dtype.

    >>> [part.shape for part in as_tensors({"a": np.zeros((4, 3)), "b": np.ones((4, 2, 5))}, torch.float32)]
    [torch.Size([4, 3]), torch.Size([4, 2, 5])]
    """
    # A matrix whose columns lie in a row goes over, and stays, as it lies: products of it sum up in the same order.
    given: list[Any] = [
        array.swapaxes(-1, -2) if _by_columns(array, leading) else array for array in arrays.values()
    ]
    rows: list[Any] = [each.reshape(*each.shape[:leading], math.prod(each.shape[leading:])) for each in given]
    held = isinstance(rows[0], Tensor)
    whole = (torch.cat(rows, -1) if held else torch.from_numpy(np.concatenate(rows, -1))).to(dtype)
    if dtype != torch.float64 and not bool(whole.isfinite().all()):
        for name, array in arrays.items():
            size = max((abs(each) for each in array.ravel().tolist()), default=0.0)
            if size > torch.finfo(dtype).max:
                raise ArgumentError(name, f"up to {size:.3g}", f"numbers that fit {dtype}")
    parts = whole.to(device=device).split([row.shape[-1] for row in rows], -1)
    found = [part.reshape(each.shape).contiguous() for part, each in zip(parts, given, strict=True)]
    return [
        part.mT if _by_columns(array, leading) else part
        for part, array in zip(found, arrays.values(), strict=True)
    ]


def _by_columns(array: Any, leading: int) -> bool:
    strides = array.stride() if isinstance(array, Tensor) else array.strides
    return array.ndim == leading + 2 and strides[-1] > strides[-2]


def as_arrays(
    tensors: Sequence[Tensor], dtype: torch.dtype = torch.float64, leading: int = 1
) -> list[NDArray[Any]]:
    """Tensors `(…, *)` that share their leading axes as arrays of a dtype, by way of one tensor.

    >>> [part.shape for part in as_arrays([torch.zeros(4, 3), torch.ones(4, 2, 5)])]
    [(4, 3), (4, 2, 5)]
    """
    rows = [
        tensor.detach().reshape(*tensor.shape[:leading], math.prod(tensor.shape[leading:])).to(dtype)
        for tensor in tensors
    ]
    whole = torch.cat(rows, -1).cpu().numpy()
    parts = np.split(whole, np.cumsum([row.shape[-1] for row in rows])[:-1], -1)
    return [
        np.ascontiguousarray(part).reshape(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)
    ]
