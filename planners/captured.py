"""Calls of a function of tensors, captured by shape: as CUDA graphs, or as records of their operations on the CPU.

A rollout is hundreds of small operations. One launch takes their place on a GPU; on the CPU a record of them does not
wait for Python.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from equiworld.recording import Function

__all__ = ["CapturedCalls", "capture"]

_WARM_UP = 3  # calls before a capture, in which libraries choose their kernels

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


class CapturedCalls:
    """One function of tensors, captured when a shape has come some times, and replayed from then on.

    The function must do the same for all numbers of a shape, and what it holds on to must stay where it is. One that
    cannot be captured, because it waits for a number say, is called as it is.

    Args:
        most: captured calls that are kept, the latest ones; each holds the memory of its rollout.
        make: a captured call of a function and what it is given: `capture`, or `equiworld.recording.record`.
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
