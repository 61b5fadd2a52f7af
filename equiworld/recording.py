"""Records of a function's operations on the CPU, which do not wait for Python between them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Function", "record"]

Function = Callable[..., Any]
"""Of tensors to a tensor or a tuple of tensors."""


def record(function: Function, given: Sequence[Tensor], known: bool = False) -> Function | None:
    """The function as a record of its operations on the CPU, for tensors of these shapes: the same bits.

    What it holds on to is read where it is: numbers written there later count. None if it cannot be recorded, because
    it looks at the numbers of a tensor, draws some, or holds weights that gradients are asked of.

    Args:
        function: what is recorded.
        given: examples.
        known: that it does not look at numbers.
    """
    with torch.inference_mode(False), torch.no_grad():
        inputs = [each.clone() for each in given]
        if not known and _looks_at_numbers(function, inputs):
            return None
        try:
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                # `torch.jit.trace` would keep the record, and the weights in it, as long as the process lives.
                graph, _ = torch.jit._get_trace_graph(function, tuple(inputs))
            # It warns of sizes too, which are known. These two no operation tells of.
            if any(word in str(each.message) for each in warned for word in ("NumPy array", "Python list")):
                return None
            torch._C._jit_pass_inline(graph)  # it would not keep the records alive that it calls
            recorded = torch._C._create_function_from_graph("recorded", graph)
        except Exception:  # of checks that compare sizes, which are tensors now; or torch has other names
            return None
        expected = function(*inputs)
        alone = isinstance(expected, tuple) and len(expected) == 1

        def replayed(*now: Tensor) -> Any:
            # Each operation as it was recorded: others would round in another order.
            with torch.jit.optimized_execution(False):
                found = recorded(*now)
            return (found,) if alone else found

        pairs = zip(_several(replayed(*inputs)), _several(expected), strict=True)
        return replayed if all(torch.equal(found, wanted) for found, wanted in pairs) else None


class _Watch(TorchDispatchMode):
    """Notes whether an operation hands a number to Python, has a result whose shape depends on one, or draws some."""

    TAGS = (
        torch.Tag.data_dependent_output,
        torch.Tag.dynamic_output_shape,
        torch.Tag.nondeterministic_seeded,
    )

    def __init__(self) -> None:
        super().__init__()
        self.seen = False

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # otherwise torch's compiler is imported, which takes a second

    def __torch_dispatch__(
        self, operation: Any, types: Any, given: Sequence[Any] = (), named: Mapping[str, Any] | None = None
    ) -> Any:
        if operation is torch.ops.aten.index.Tensor:  # by positions the shape is that of the positions
            self.seen |= any(each is not None and each.dtype == torch.bool for each in given[1])
        else:
            self.seen |= any(tag in operation.tags for tag in self.TAGS)
        return operation(*given, **(named or {}))


def _looks_at_numbers(function: Function, inputs: Sequence[Tensor]) -> bool:
    with _Watch() as watch:
        function(*inputs)
    return watch.seen


def _several(found: Any) -> Sequence[Tensor]:
    return (found,) if isinstance(found, Tensor) else found
