"""Records of a function's operations on the CPU, which do not wait for Python between them."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Function", "record"]

Function = Callable[..., Any]
"""Of tensors to a tensor or a tuple of tensors."""

_LOCK = threading.RLock()  # what is warned of is kept for a process as a whole
_APART = (1e-2, 1.0)  # of the numbers that a record is tried with from those that it was made with


def record(
    function: Function, given: Sequence[Tensor], known: bool = False, plain: Function | None = None
) -> Function | None:
    """The function as a record of its operations on the CPU, for tensors of these shapes: the same bits.

    What it holds on to is read where it is: numbers written there later count. None if it cannot be recorded, because
    it looks at the numbers of a tensor, draws some, or holds weights that gradients are asked of; or because its record
    gives other bits for other numbers than it was made with, whatever the reason.

    Args:
        function: what is recorded.
        given: examples.
        known: that it looks at numbers only to refuse some.
        plain: what a record is compared with, where `function` is made of records itself.
    """
    with _LOCK, torch.inference_mode(False), torch.no_grad():
        try:
            return _recorded(function, given, known, plain or function)
        except (_RefusedError, Exception):
            # Of checks that compare sizes, say, which are tensors here; or another torch has other names for this.
            return None


def _recorded(function: Function, given: Sequence[Tensor], known: bool, plain: Function) -> Function | None:
    inputs = [each.clone() for each in given]
    with _Watch(known):
        expected = function(*inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that sizes are taken as they are; of all else the comparison tells
        # `torch.jit.trace` would keep the record, and the weights in it, as long as the process lives.
        graph, _ = torch.jit._get_trace_graph(function, tuple(inputs))
    torch._C._jit_pass_inline(graph)  # it would not keep the records alive that it calls
    recorded = torch._C._create_function_from_graph("recorded", graph)
    alone = isinstance(expected, tuple) and len(expected) == 1

    def replayed(*now: Tensor) -> Any:
        # Each operation as it was recorded: others would round in another order.
        with torch.jit.optimized_execution(False):
            found = recorded(*now)
        return (found,) if alone else found

    examples = [given, *(_others(given, apart) for apart in _APART)]
    # All before any is compared, for one may write over another.
    found, wanted = (
        [call(*[one.clone() for one in each]) for each in examples] for call in (replayed, plain)
    )
    return replayed if all(map(_same, found, wanted)) else None


def _others(given: Sequence[Tensor], apart: float) -> list[Tensor]:
    """Tensors with other numbers."""
    generator = torch.Generator().manual_seed(0)
    return [
        each + apart * torch.randn(each.shape, generator=generator, dtype=each.dtype)
        if each.is_floating_point()
        else each
        for each in given
    ]


def _same(found: Any, wanted: Any) -> bool:
    if not isinstance(wanted, Tensor):
        return type(found) is type(wanted) is tuple and all(map(_same, found, wanted))
    return (
        found.dtype == wanted.dtype
        and found.shape == wanted.shape
        and torch.allclose(found, wanted, rtol=0.0, atol=0.0, equal_nan=True)
    )


class _RefusedError(BaseException):
    """No error of the function's, which might catch those."""


class _Watch(TorchDispatchMode):
    """Refuses operations that hand a number to Python, have a result whose shape depends on one, sparse ones say, or
    draw some.

    Args:
        known: refuse those alone that draw some.
    """

    def __init__(self, known: bool) -> None:
        super().__init__()
        looks = () if known else (torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape)
        self.tags = torch.Tag.nondeterministic_seeded, *looks

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # otherwise torch's compiler is imported, which takes a second

    def __torch_dispatch__(
        self, operation: Any, types: Any, given: Sequence[Any] = (), named: Mapping[str, Any] | None = None
    ) -> Any:
        tagged = any(tag in operation.tags for tag in self.tags)
        if tagged and operation is torch.ops.aten.index.Tensor:
            # By positions the shape is that of the positions.
            tagged = any(each is not None and each.dtype in (torch.bool, torch.uint8) for each in given[1])
        found = None if tagged else operation(*given, **(named or {}))
        if tagged or (isinstance(found, Tensor) and found.layout != torch.strided):
            raise _RefusedError
        return found
