"""Numbers that no training changes, wherever and in whatever dtype a network computes."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Constant"]


class Constant:
    """A tensor on the CPU, and a copy of it like the tensors that it meets.

    A buffer would be rounded along with the parameters: a network that went to float32 and back would be exact no more.

    Args:
        values: float64 on the CPU; integers keep their dtype.

    >>> Constant(torch.tensor([0.1], dtype=torch.float64)).like(torch.zeros(3)).dtype
    torch.float32
    """

    def __init__(self, values: Tensor) -> None:
        self._values = self._near = values

    def like(self, tensor: Tensor) -> Tensor:
        """The numbers where a tensor lies, in its dtype; not to be written to."""
        dtype = tensor.dtype if self._values.is_floating_point() else self._values.dtype
        if self._near.device != tensor.device or self._near.dtype != dtype:
            with torch.inference_mode(False):  # they serve later calls too, in which gradients are recorded
                self._near = self._values.to(dtype).to(tensor.device)
        return self._near
