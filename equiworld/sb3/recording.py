"""Calls of a pure tensor function recorded once for each shape, so that small batches do not wait for Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import chain, repeat
from operator import attrgetter, contains, is_
from typing import Any

import torch
from torch import Tensor, nn

from equiworld.recording import record

__all__ = ["Recorded"]

_OFTEN, _MOST = 32, 8  # calls of a shape before it is recorded; shapes that are
_PURE = "torch", "stable_baselines3", "equiworld"  # whose modules compute from tensors alone
_TRAINING = attrgetter("training")
_GLOBAL_HOOKS = "_global_forward_pre_hooks", "_global_forward_hooks"


class Recorded:
    """A function of tensors to a tuple of tensors, without branches on numbers; or a module.

    A frame takes some sixty small operations, whose names take Python longer than they take themselves: a record of
    them, kept by shape, takes a quarter of the time. The weights of a module are those that it has at each call; of
    other parts it is recorded anew. Nothing is recorded where gradients are asked for, and on other devices, whose
    compilers refuse some of these operations; nor of modules with hooks, or that are written elsewhere, which may do
    more than compute from tensors.

    Args:
        function: from tensors to a tuple of tensors or None.

    >>> twice = Recorded(lambda x: (2.0 * x, None))
    >>> [twice(torch.ones(2))[0].sum().item() for _ in range(40)][-1], twice(torch.ones(2))[1] is None
    (4.0, True)
    """

    def __init__(self, function: Callable[..., tuple[Tensor | None, ...]]) -> None:
        self._function = function
        self._empty: tuple[bool, ...] = ()
        self._begin()

    def _begin(self) -> None:
        """Without records, of what the module is made of now."""
        self._calls: Counter[tuple[Any, ...]] = Counter()
        self._records: dict[tuple[Any, ...], Callable[..., Any]] = {}
        self._modules = tuple(self._function.modules()) if isinstance(self._function, nn.Module) else ()
        kinds = [
            [vars(each)[kind] for each in self._modules] for kind in ("_parameters", "_modules", "_buffers")
        ]
        self._holders, self._children, self._buffers = ([held for held in kind if held] for kind in kinds)
        self._bare = [held for kind in kinds for held in kind if not held]
        # Those of all modules are in dictionaries of torch's, which only private names lead to.
        everywhere = [getattr(torch.nn.modules.module, name, {}) for name in _GLOBAL_HOOKS]
        own = [(each._forward_pre_hooks, each._forward_hooks) for each in self._modules]
        self._hooks = [*everywhere, *chain.from_iterable(own)] if self._modules else []
        self._attributes = [vars(each) for each in self._modules]
        self._pure = all(each.forward.__module__.partition(".")[0] in _PURE for each in self._modules)
        self._made_of, self._stood = self._parts(_held(self._holders)), _held(self._buffers)

    def _parts(self, weights: list[Any]) -> list[Any]:
        """What a record of the module depends on, beside the numbers in weights and the buffers."""
        return [
            *chain.from_iterable(self._holders),
            *map(is_, weights, repeat(None)),
            *map(len, self._children),
            *map(len, self._buffers),
            *_held(self._children),
            *map(_TRAINING, self._modules),
        ]

    def __call__(self, *tensors: Tensor) -> tuple[Tensor | None, ...]:
        held = _held(self._holders)
        same = not any(self._bare) and self._parts(held) == self._made_of
        if not same or not all(map(is_, _held(self._buffers), self._stood)):
            self._begin()
            held = _held(self._holders)
        weights = [each for each in held if each is not None]
        asked = torch.is_grad_enabled() and any(each.requires_grad for each in (*tensors, *weights))
        more = not self._pure or any(self._hooks) or any(map(contains, self._attributes, repeat("forward")))
        refused = asked or more or torch.is_autocast_enabled("cpu")
        if refused or any(each.device.type != "cpu" for each in tensors):
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
        before = [dict(holder) for holder in self._holders]
        try:
            left = iter(given[count:])
            for holder in self._holders:
                holder.update({name: next(left) for name, weight in holder.items() if weight is not None})
            return tuple(each for each in self._function(*given[:count]) if each is not None)
        finally:
            for holder, weights in zip(self._holders, before, strict=True):
                holder.update(weights)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_calls": Counter(), "_records": {}}  # a copy or a file remembers nothing


def _held(dictionaries: list[dict[str, Any]]) -> list[Any]:
    """All that some dictionaries hold."""
    return list(chain.from_iterable(map(dict.values, dictionaries)))
