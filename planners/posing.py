"""What planning starts from, where it is planned: the model's state and goal, and the last plans."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from equiworld.models import WorldModel
from equiworld.symmetry import Features
from equiworld.symmetry.crossing import as_tensors
from equiworld.symmetry.framed import Framed

__all__ = ["posed"]


def posed(model: WorldModel, inside: Framed) -> tuple[Features, Features, Tensor]:
    """State and goal of batch shape `(B,)` and plans to start from `(B, W, H, size)`, in the model's dtype.

    All goes to the model's device in one transfer, in the dtype that its encoder sees observations in.

    Args:
        model: that plans.
        inside: its state and its goal in their frames, and plans.
    """
    named: dict[Any, Tensor] = {"plan": inside.plans}
    for whose, shown in zip(("", "goal "), inside.shown, strict=True):
        named |= {f"{whose}{kind}": getattr(shown, kind) for kind in ("scalars", "vectors", "points")}
    plans, *parts = as_tensors(named, model.encoder.seen_in(model.dtype), model.device)
    z, goal = model.encoder(Features(*parts[:3])), model.encoder(Features(*parts[3:]), True)
    return z.to(model.dtype), goal.to(model.dtype), plans.to(model.dtype)
