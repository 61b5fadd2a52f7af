"""Calls of a pure tensor function recorded once for each shape, so that small batches do not wait for Python."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Recorded"]

_OFTEN, _MOST = 8, 8  # calls of a shape before it is recorded; shapes that are


class Recorded:
    """A function of tensors to a tuple of tensors, without weights and without branches on numbers.

    A frame takes some sixty small operations, whose names take Python longer than they take themselves: a record of
    them, kept by shape, takes a quarter of the time. Where gradients are asked for,
    and on other devices, whose compilers refuse some of these operations, nothing is recorded.

    Args:
        function: from tensors to a tuple of tensors or None.

    >>> twice = Recorded(lambda x: (2.0 * x, None))
    >>> [twice(torch.ones(2))[0].sum().item() for _ in range(20)][-1], twice(torch.ones(2))[1] is None
    (4.0, True)
    """

    def __init__(self, function: Callable[..., tuple[Tensor | None, ...]]) -> None:
        self._function = function
        self._calls: Counter[tuple[Any, ...]] = Counter()
        self._records: dict[tuple[Any, ...], Callable[..., Any]] = {}
        self._empty: tuple[bool, ...] = ()

    def __call__(self, *tensors: Tensor) -> tuple[Tensor | None, ...]:
        if any(each.requires_grad or each.device.type != "cpu" for each in tensors):
            return self._function(*tensors)
        key = tuple((each.shape, each.dtype, each.device) for each in tensors)
        record = self._records.get(key)
        if record is None:
            self._calls[key] += 1
            if self._calls[key] == _OFTEN and len(self._records) < _MOST:
                self._record(key, tensors)
            return self._function(*tensors)
        with torch.inference_mode():  # takes a quarter less, for nothing is kept for gradients
            found = iter(record(*tensors))
        # Copied outside of it, for networks that learn may keep copies.
        return tuple([None if empty else next(found).clone() for empty in self._empty])

    def _record(self, key: tuple[Any, ...], tensors: tuple[Tensor, ...]) -> None:
        self._empty = tuple(each is None for each in self._function(*tensors))
        with warnings.catch_warnings(), torch.no_grad():
            # Sizes are known, which it warns of; that a later torch will record otherwise is known too.
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(_Filled(self._function).eval(), tensors, check_trace=False)
            self._records[key] = torch.jit.freeze(traced)


class _Filled(nn.Module):
    """What of a function's tensors is not None."""

    def __init__(self, function: Callable[..., tuple[Tensor | None, ...]]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        return tuple(each for each in self.function(*given) if each is not None)
