"""Costs of plans as CUDA graphs: one launch in the place of the hundreds that a rollout takes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["CapturedCalls", "Graph", "capture"]

_WARM_UP = 3  # calls before a capture, in which libraries choose their kernels


class Graph(NamedTuple):
    """A captured call.

    Attributes:
        replay: to be called when the numbers are in `inputs`.
        inputs: of the shapes it was captured with.
        output: what the last replay gave.
    """

    replay: Callable[[], None]
    inputs: list[Tensor]
    output: Tensor


def capture(function: Callable[..., Tensor], given: Sequence[Tensor]) -> Graph | None:
    """The function as a CUDA graph, for tensors of these shapes; None if it cannot be captured."""
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
        return Graph(graph.replay, inputs, output)


def _waits(function: Callable[..., Tensor], inputs: Sequence[Tensor]) -> bool:
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


Make = Callable[[Callable[..., Tensor], Sequence[Tensor]], Graph | None]


class CapturedCalls:
    """One function of tensors, captured when it is called with a shape for the second time, and replayed from then on.

    The function must do the same for all numbers of a shape, and what it holds on to must stay where it is. One that
    cannot be captured, because it waits for a number say, is called as it is.

    Args:
        most: graphs that are kept, the latest ones; each holds the memory of its rollout.
        make: a graph of a function and what it is given.

    Reference: Nguyen et al., Accelerating PyTorch with CUDA graphs, 2021.
    """

    def __init__(self, most: int = 8, make: Make = capture) -> None:
        self.most, self.make = most, make
        self._graphs: OrderedDict[Any, Graph | None] = OrderedDict()
        self._seen: set[Any] = set()

    def call(self, function: Callable[..., Tensor], given: Sequence[Tensor]) -> Tensor:
        """function(*given), to be read before the next call.

        Args:
            function: the same at every call, but for what it is given.
            given: on one CUDA device.
        """
        key = tuple((tuple(each.shape), each.dtype) for each in given)
        if key not in self._seen:  # a capture costs several calls: not for a shape that never comes again
            self._seen.add(key)
            return function(*given)
        if key not in self._graphs:
            self._graphs[key] = self.make(function, given)
            if len(self._graphs) > self.most:
                self._seen.discard(self._graphs.popitem(last=False)[0])
        self._graphs.move_to_end(key)
        graph = self._graphs[key]
        if graph is None:
            return function(*given)
        for inside, each in zip(graph.inputs, given, strict=True):
            inside.copy_(each)
        graph.replay()
        return graph.output
