"""Calls of a function of tensors, captured by shape: as CUDA graphs, or as records of their operations on the CPU.

A rollout is hundreds of small operations. One launch takes their place on a GPU; on the CPU a record of them does not
wait for Python, and takes half the time where few candidates are rolled out.
"""

from __future__ import annotations

import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["CapturedCalls", "capture", "record"]

_WARM_UP = 3  # calls before a capture, in which libraries choose their kernels

Function = Callable[..., Any]
"""Of tensors to a tensor or a tuple of tensors."""

Make = Callable[[Function, Sequence[Tensor]], Function | None]


def capture(function: Function, given: Sequence[Tensor]) -> Function | None:
    """The function as a CUDA graph, for tensors of these shapes; None if it cannot be captured.

    What it gives is to be read before the next call. Reference: Nguyen et al., Accelerating PyTorch with CUDA graphs,
    2021.
    """
    with torch.inference_mode(False), torch.no_grad(), torch.cuda.device(given[0].device):
        inputs = [each.clone() for each in given]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UP):
                function(*inputs)
            waits = _waits(function, inputs)
        torch.cuda.current_stream().wait_stream(aside)
        if waits:
            return None
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                output = function(*inputs)
        except RuntimeError:  # such as "operation not permitted when stream is capturing"
            torch.cuda.synchronize()
            return None

    def replayed(*now: Tensor) -> Any:
        for inside, each in zip(inputs, now, strict=True):
            inside.copy_(each)
        graph.replay()
        return output

    return replayed


def _waits(function: Function, inputs: Sequence[Tensor]) -> bool:
    """Whether the function waits for the device, as reading a number does.

    It is asked before a capture: one that breaks off halfway leaves the device's generator as if it went on, and no
    random number could be drawn there afterwards.
    """
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        function(*inputs)
    except RuntimeError:
        return True
    finally:
        torch.cuda.set_sync_debug_mode(before)
    return False


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
        except (
            Exception
        ):  # of checks that compare sizes, which are tensors here; or another torch has other names
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


class CapturedCalls:
    """One function of tensors, captured when a shape has come some times, and replayed from then on.

    The function must do the same for all numbers of a shape, and what it holds on to must stay where it is. One that
    cannot be captured, because it waits for a number say, is called as it is.

    Args:
        most: captured calls that are kept, the latest ones; each holds the memory of its rollout.
        make: a captured call of a function and what it is given: `capture` or `record`.
        after: calls of a shape before it is captured: that takes as long as several, in vain for one that never
            comes again.
    """

    def __init__(self, most: int = 8, make: Make = capture, after: int = 1) -> None:
        self.most, self.make, self.after = most, make, after
        self._made: OrderedDict[Any, Function | None] = OrderedDict()
        self._seen: Counter[Any] = Counter()

    def call(self, function: Function, given: Sequence[Tensor]) -> Any:
        """function(*given), to be read before the next call.

        Args:
            function: the same at every call, but for what it is given.
            given: on one device.
        """
        key = tuple((tuple(each.shape), each.dtype) for each in given)
        if key not in self._made:
            self._seen[key] += 1
            if self._seen[key] <= self.after:
                return function(*given)
            self._made[key] = self.make(function, given)
            if len(self._made) > self.most:
                del self._seen[self._made.popitem(last=False)[0]]
        self._made.move_to_end(key)
        return (self._made[key] or function)(*given)
