"""Exponential moving averages of weights, torch's."""

from __future__ import annotations

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

__all__ = ["average_of"]


def average_of(module: nn.Module, decay: float) -> AveragedModel:
    """A copy of a module, without gradients, that `update_parameters(module)` moves towards it.

    The average of equivariant networks is one: their weights are a linear space.

    Args:
        module: that is followed.
        decay: share of the average that an update keeps. The first update copies the module.
    """
    return AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(decay)).requires_grad_(False)
