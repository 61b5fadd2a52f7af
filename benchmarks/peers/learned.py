"""A trained world model and its task as a world on plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equiworld.benchmarks.worlds.world import World as Where
from equiworld.models import WorldModel
from equiworld.planners.allowed import planning_bounds
from equiworld.planners.peers import World
from equiworld.symmetry import Features
from equiworld.symmetry.bound import parts_of
from equiworld.symmetry.limits import project
from equiworld.tasks import task_of

__all__ = ["latent_states", "latent_world"]


def latent_world(name: str, model: WorldModel) -> World:
    """Latent states with the goal behind them, and actions in units of each part's bound, shortened to it.

    Nobody is told of bounds, nor of the task's proposals.
    """
    kinds = model.latent.feature_type(), model.latent.feature_type(model.latent.goal)
    size, action_size = kinds[0].size, model.symmetry.action.size(model.symmetry.dim)
    step, charge = model.stepper(), task_of(model.env_id).objective().bind(model.latent)
    bounds, unit = planning_bounds(model, "ball"), torch.ones(action_size, dtype=model.dtype)
    for where, bound in parts_of(bounds):
        unit[where] = unit.new_tensor(bound.unit)

    @torch.no_grad()
    def dynamics(state: Tensor, asked: Tensor) -> Tensor:
        after = step(Features.unflatten(state[..., :size], kinds[0]), project(asked * unit, bounds))
        return torch.cat((after.flatten(), state[..., size:]), -1)

    @torch.no_grad()
    def cost(states: Tensor, asked: Tensor) -> Tensor:
        z, goal = (
            Features.unflatten(states[..., part], kind)
            for part, kind in zip((slice(size), slice(size, None)), kinds, strict=True)
        )
        return charge(z, project(asked * unit, bounds), goal)

    return World(name, size + kinds[1].size, action_size, dynamics, cost)


def latent_states(model: WorldModel, where: Where, seeds: Sequence[int]) -> Tensor:
    """Starts with their goals as the environment resets to them, `(N, n)`."""
    env = where.make()
    try:
        seen: list[Any] = [env.reset(seed=seed)[0] for seed in seeds]
    finally:
        env.close()
    observations = {key: np.stack([one[key] for one in seen]) for key in seen[0]}
    with torch.no_grad():
        return torch.cat(
            (model.encode(observations).flatten(), model.encode_goal(observations).flatten()), -1
        )
