"""Numbers of a declaration as tensors, made once for each dtype and device."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

__all__ = ["constant"]


@lru_cache(maxsize=256)
def constant(numbers: Any, dtype: torch.dtype, device: torch.device) -> Tensor:
    """A tensor of a number, or of tuples of numbers; not to be written to.

    It is made at the first call only: on the way to another device every tensor costs as much as a large one.

    >>> here = torch.float32, torch.device("cpu")
    >>> constant((1.0, 2.0), *here) is constant((1.0, 2.0), *here)
    True
    """
    with torch.inference_mode(False):  # it serves later calls too, in which gradients are recorded
        return torch.tensor(numbers, dtype=dtype, device=device)
