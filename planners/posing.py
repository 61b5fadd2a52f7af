"""What planning starts from, where it is planned: the model's state and goal, and the last plans."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from equiworld.models import WorldModel
from equiworld.symmetry import Features
from equiworld.symmetry.crossing import as_tensors
from equiworld.symmetry.field import Array
from equiworld.symmetry.observing import read

__all__ = ["posed"]


def posed(
    model: WorldModel, observation: Any, start: Array, device: torch.device
) -> tuple[Features, Features, Tensor]:
    """State and goal of batch shape `(B,)` and plans to start from `(B, W, H, size)`, in the model's dtype.

    Of a model whose states are what is observed all go over in one transfer; others see observations themselves.

    Args:
        model: on that device.
        observation: a batch of B.
        start: `(B, W, H, size)`.
        device: to plan on.
    """
    if model.latent is not model.symmetry:
        z, goal = model.encode(observation), model.encode_goal(observation)
        (plans,) = as_tensors({"plan": start}, model.dtype, device)
        return z.to(device=device), goal.to(device=device), plans
    symmetry = model.symmetry.sized(observation)
    state, wanted = read(symmetry, observation, symmetry.state, tuple(symmetry.goal))
    arrays: dict[Any, Array] = {
        **state,
        **{f"goal {kind}": array for kind, array in wanted.items()},
        "plan": start,
    }
    *parts, plans = as_tensors(arrays, model.dtype, device)
    return Features(*parts[:3]), Features(*parts[3:]), plans
