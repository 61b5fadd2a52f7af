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
from equiworld.symmetry.bound import Bound, parts_of
from equiworld.tasks import task_of

__all__ = ["latent_states", "latent_world"]


def latent_world(name: str, model: WorldModel) -> World:
    """Latent states with the goal behind them, and actions in units of each part's bound, shortened to it.

    Nobody is told of bounds, nor of the task's proposals.
    """
    model.requires_grad_(False)  # gradients are of actions alone
    kinds = model.latent.feature_type(), model.latent.feature_type(model.latent.goal)
    size, action_size = kinds[0].size, model.symmetry.action.size(model.symmetry.dim)
    step, charge = model.stepper(), task_of(model.env_id).objective().bind(model.latent)
    bounds, unit = planning_bounds(model, "ball"), torch.ones(action_size, dtype=model.dtype)
    for where, bound in parts_of(bounds):
        unit[where] = unit.new_tensor(bound.unit)

    def dynamics(state: Tensor, asked: Tensor) -> Tensor:
        # The prepared form writes over its own numbers, which gradients would want.
        differentiated = torch.is_grad_enabled() and (state.requires_grad or asked.requires_grad)
        after = (model.predict if differentiated else step)(
            Features.unflatten(state[..., :size], kinds[0]), _within(asked * unit, bounds)
        )
        return torch.cat((after.flatten(), state[..., size:]), -1)

    def cost(states: Tensor, asked: Tensor) -> Tensor:
        z, goal = (
            Features.unflatten(states[..., part], kind)
            for part, kind in zip((slice(size), slice(size, None)), kinds, strict=True)
        )
        return charge(z, _within(asked * unit, bounds), goal)

    return World(name, size + kinds[1].size, action_size, dynamics, cost)


def _within(actions: Tensor, bounds: Sequence[Bound]) -> Tensor:
    """Actions `(…, size)` within bounds about 0, as `project` leaves them, with gradients."""
    found = []
    for where, bound in parts_of(bounds):
        part = actions[..., where]
        if bound.radius is not None:
            arrows = part.unflatten(-1, (-1, bound.item or part.shape[-1]))
            length = torch.linalg.vector_norm(arrows, dim=-1, keepdim=True).clamp(min=bound.radius)
            part = (arrows * (bound.radius / length)).flatten(-2)
        elif bound.low is not None or bound.high is not None:
            part = part.clamp(bound.low, bound.high)
        found.append(part)
    return torch.cat(found, -1)


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
