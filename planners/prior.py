"""What another policy would do, as a plan to start from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from equiworld.models import WorldModel
from equiworld.models.decoding import observation_after, predicts_observations

__all__ = ["imagined"]


def imagined(prior: Any, model: WorldModel, horizon: int, observation: Any, z: Any) -> Tensor:
    """The actions `(B, H, size)` of a policy with `predict`, from what it would observe, imagined in the model.

    Where the model does not predict all that the policy observes, its first action is held on.
    """
    actions, like, whole = list[Tensor](), next(model.parameters()), predicts_observations(model)
    for step in range(horizon):
        if whole or not actions:
            action, _ = prior.predict(observation, deterministic=True)
            actions.append(torch.as_tensor(np.asarray(action)).to(like))
        else:
            actions.append(actions[-1])
        if whole and step + 1 < horizon:
            z = model.predict(z, actions[-1])
            observation = observation_after(model, observation, z)
    return torch.stack(actions, 1)
