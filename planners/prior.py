"""What another policy would do, as a plan to start from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from equiworld.models import WorldModel

__all__ = ["imagined"]


def imagined(prior: Any, model: WorldModel, horizon: int, observation: Any, z: Any) -> Tensor:
    """The actions `(B, H, size)` of a policy with `predict`, from what it would observe, imagined in the model.

    Where the model does not predict all that the policy observes, its first action is held on.
    """
    symmetry, actions, like = model.symmetry, list[Tensor](), next(model.parameters())
    # Future observations can be rebuilt only if every field is in the state or the goal.
    named = {*symmetry.state, *symmetry.goal} == {*symmetry.observation}
    whole = named and not symmetry.flat and not symmetry.shapes and model.latent is symmetry
    for _ in range(horizon):
        if whole or not actions:
            action, _ = prior.predict(observation, deterministic=True)
            actions.append(torch.as_tensor(np.asarray(action)).to(like))
        else:
            actions.append(actions[-1])
        if whole:
            z = model.predict(z, actions[-1])
            observation = observation | symmetry.observation_arrays(z)
    return torch.stack(actions, 1)
