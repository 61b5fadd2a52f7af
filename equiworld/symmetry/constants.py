"""Numbers of a declaration as tensors, made once for each dtype and device."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, ParamSpec

import torch
from torch import Tensor

__all__ = ["constant", "made_once"]

P = ParamSpec("P")
_KEPT = 256


def made_once(make: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """A function whose tensors are kept for later calls with the same arguments; not to be written to.

    What is made while torch traces or exports is not kept: it has no numbers, and later calls would be given it.

    >>> ones = made_once(lambda n: torch.ones(n))
    >>> ones(2) is ones(2)
    True
    """
    kept: dict[Hashable, Tensor] = {}

    @wraps(make)
    def once(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        key = (args, tuple(kwargs.items())) if kwargs else args
        if (found := kept.get(key)) is not None:
            return found
        with torch.inference_mode(False):  # it serves later calls too, in which gradients are recorded
            found = make(*args, **kwargs)
        if not torch.compiler.is_compiling() and type(torch.empty(0, device="cpu")) is Tensor:
            while len(kept) >= _KEPT:
                kept.pop(next(iter(kept)), None)
            kept[key] = found
        return found

    return once


@made_once
def constant(numbers: Any, dtype: torch.dtype, device: torch.device) -> Tensor:
    """A tensor of a number, or of tuples of numbers; not to be written to.

    It is made at the first call only: on the way to another device every tensor costs as much as a large one.

    >>> here = torch.float32, torch.device("cpu")
    >>> constant((1.0, 2.0), *here) is constant((1.0, 2.0), *here)
    True
    """
    return torch.tensor(numbers, dtype=dtype, device=device)
