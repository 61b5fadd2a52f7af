"""What another policy would do, as a plan to start from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equiworld.arguments import reals
from equiworld.errors import ArgumentError
from equiworld.models import WorldModel
from equiworld.models.decoding import observation_after, predicts_observations

__all__ = ["imagined"]


def imagined(prior: Any, model: WorldModel, horizon: int, observation: Any, z: Any) -> Tensor:
    """The actions `(B, H, size)` of a policy with `predict`, from what it would observe, imagined in the model.

    Where the model does not predict all that the policy observes, its first action is held on.

    Raises:
        ArgumentError: the policy's actions are no finite numbers `(B, size)`.
    """
    actions, like, whole = list[Tensor](), next(model.parameters()), predicts_observations(model)
    size = model.symmetry.action.size(model.symmetry.dim)
    for step in range(horizon):
        if whole or not actions:
            action = _checked(prior.predict(observation, deterministic=True), (z.batch_shape[0], size))
            actions.append(torch.as_tensor(action).to(like))
        else:
            actions.append(actions[-1])
        if whole and step + 1 < horizon:
            z = model.predict(z, actions[-1])
            observation = observation_after(model, observation, z)
    return torch.stack(actions, 1)


def _checked(answer: Any, shape: tuple[int, int]) -> NDArray[np.float64]:
    """The actions of what `predict` returned."""
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        got = f"one whose predict returned a {type(answer).__name__}"
        raise ArgumentError("prior", got, "actions and a state: (actions, None)")
    actions = reals("prior", answer[0])
    if actions.shape != shape:
        raise ArgumentError("prior", f"actions of shape {actions.shape}", f"shape {shape}")
    return actions
