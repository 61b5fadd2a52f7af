"""The grid that observations are snapped to in their frame, and what a door needs to know of clouds."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["lean", "on_grid", "power_of_two", "snap", "sorted_points"]

Numbers = TypeVar("Numbers", Tensor, NDArray[np.float64])

_SHIFT = 0.3819660112501051  # of the grid, in steps: irrational, so that no round number lies on a seam


def power_of_two(scale: float) -> float:
    """The nearest power of two: multiples of it are exact.

    >>> power_of_two(100.0)
    128.0
    """
    return 2.0 ** round(math.log2(scale))


def snap(values: Tensor, step: Tensor | float) -> tuple[Tensor, Tensor]:
    """Numbers `(B, …)` on the grid, and `(B,)` in [0, 1/2] how near one of them is to the next step, in steps.

    >>> snap(torch.tensor([[1.0, 1.0 + 1e-13]]), 0.25)[0].unique().shape
    torch.Size([1])
    """
    steps = values / step + _SHIFT
    apart = 0.5 - (steps - steps.round()).abs()
    margin = apart.flatten(1).amin(-1) if apart.shape[1:].numel() else apart.new_full((len(apart),), 0.5)
    return on_grid(values, step), margin


def on_grid(values: Numbers, step: Any) -> Numbers:
    """Numbers on the grid, of NumPy or torch.

    >>> round(on_grid(np.array([1.0]), 0.25).item(), 3)
    0.905
    """
    return ((values / step + _SHIFT).round() - _SHIFT) * step


def sorted_points(cloud: Tensor, step: float) -> Tensor:
    """Points `(B, d, N)` on the grid in the order of their coordinates, which does not depend on the sensor's."""
    index = (cloud / step).round().to(torch.int64)
    key = index[:, 0]
    for axis in range(1, cloud.shape[1]):
        key = key * 2**21 + index[:, axis]
    return cloud.gather(-1, torch.argsort(key, stable=True).unsqueeze(1).expand_as(cloud))


def lean(cloud: Tensor) -> Tensor:
    """Two arrows of points `(B, d, N)`, `(B, d, 2)`: the side m that they lean to, and where their spread turns it.

    m is the mean of |x|² x about their middle, the second arrow the mean of x xᵀ m.

    >>> lean(torch.tensor([[[0.0, 0.0, 3.0], [0.0, 0.0, 0.0]]]))[..., 0]
    tensor([[2., 0.]])
    """
    about = cloud - cloud.mean(-1, keepdim=True)
    first = (about.square().sum(-2, keepdim=True) * about).mean(-1, keepdim=True)
    second = about @ (about.mT @ first) / cloud.shape[-1]
    return torch.cat((first, second), -1)
