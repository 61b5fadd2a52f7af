"""Calls of a pure tensor function recorded once for each shape, so that small batches do not wait for Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from equiworld.recording import record

__all__ = ["Recorded"]

_OFTEN, _MOST = 32, 8  # calls of a shape before it is recorded; shapes that are

_Place = tuple[dict[str, Any], str]
"""Where a module holds a weight."""


class Recorded:
    """A function of tensors to a tuple of tensors, without branches on numbers; or a module.

    A frame takes some sixty small operations, whose names take Python longer than they take themselves: a record of
    them, kept by shape, takes a quarter of the time. The weights of a module are those that it has at each call. Where
    gradients are asked for, and on other devices, whose compilers refuse some of these operations, nothing is recorded.

    Args:
        function: from tensors to a tuple of tensors or None.

    >>> twice = Recorded(lambda x: (2.0 * x, None))
    >>> [twice(torch.ones(2))[0].sum().item() for _ in range(40)][-1], twice(torch.ones(2))[1] is None
    (4.0, True)
    """

    def __init__(self, function: Callable[..., tuple[Tensor | None, ...]]) -> None:
        self._function = function
        modules = function.modules() if isinstance(function, nn.Module) else ()
        self._places: list[_Place] = [
            (each._parameters, name)
            for each in modules
            for name, weight in each._parameters.items()
            if weight is not None
        ]
        self._calls: Counter[tuple[Any, ...]] = Counter()
        self._records: dict[tuple[Any, ...], Callable[..., Any]] = {}
        self._empty: tuple[bool, ...] = ()

    def __call__(self, *tensors: Tensor) -> tuple[Tensor | None, ...]:
        weights = [holder[name] for holder, name in self._places]
        asked = torch.is_grad_enabled() and any(each.requires_grad for each in (*tensors, *weights))
        if asked or torch.is_autocast_enabled("cpu") or any(each.device.type != "cpu" for each in tensors):
            return self._function(*tensors)
        key = tuple((each.shape, each.dtype) for each in (*tensors, *weights[:1]))
        made = self._records.get(key)
        if made is None:
            plain = self._function(*tensors)
            self._calls[key] += 1
            if self._calls[key] == _OFTEN and len(self._records) < _MOST:
                self._empty = tuple(each is None for each in plain)
                self._record(key, tensors, weights)
            return plain
        with torch.inference_mode():  # takes a quarter less, for nothing is kept for gradients
            found = iter(made(*tensors, *weights))
        # Copied outside of it, for networks that learn may keep copies.
        return tuple([None if empty else next(found).clone() for empty in self._empty])

    def _record(self, key: tuple[Any, ...], tensors: tuple[Tensor, ...], weights: list[Tensor]) -> None:
        if made := record(partial(self._filled, len(tensors)), (*tensors, *weights), known=True):
            self._records[key] = made

    def _filled(self, count: int, *given: Tensor) -> tuple[Tensor, ...]:
        """What of the function is not None; weights behind the first `count` stand in their holders' places."""
        before = [holder[name] for holder, name in self._places]
        try:
            for (holder, name), weight in zip(self._places, given[count:], strict=True):
                holder[name] = weight
            return tuple(each for each in self._function(*given[:count]) if each is not None)
        finally:
            for (holder, name), weight in zip(self._places, before, strict=True):
                holder[name] = weight

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_calls": Counter(), "_records": {}}  # a copy or a file remembers nothing
