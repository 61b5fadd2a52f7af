"""Worlds that need no simulator: small, on plain numbers, with the goal in the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from equiworld.planners.peers import World

__all__ = ["TOYS", "network_world", "point_mass", "point_mass_states", "unicycle", "unicycle_states"]

POSTS = 3  # obstacles of each task
REACH = 0.6  # how far a post's cost reaches


def network_world(seed: int, hidden: int = 128) -> World:
    """Random dynamics that cost what learned ones do: a network 18 → hidden → 16, float32, not trained."""
    generator = torch.Generator().manual_seed(seed)
    network = nn.Sequential(nn.Linear(18, hidden), nn.SiLU(), nn.Linear(hidden, 16)).requires_grad_(False)
    for parameter in network.parameters():
        # As torch would draw them, but from a generator of their own.
        size = 18 if len(parameter) == hidden else hidden
        parameter.uniform_(-(size**-0.5), size**-0.5, generator=generator)

    def dynamics(state: Tensor, action: Tensor) -> Tensor:
        return state + network(torch.cat((state, action), -1))

    def cost(states: Tensor, actions: Tensor) -> Tensor:
        return states[..., :2].square().sum(-1) + 0.01 * actions.square().sum(-1)

    return World(f"network 18→{hidden}→16", 16, 2, dynamics, cost)


def point_mass(dim: int, posts: int = POSTS) -> World:
    """A mass that is pushed to a goal past posts; it commutes with every rotation, reflection and shift.

    The state is position, velocity, goal and posts, d numbers each. A push has a length below 1 whatever is asked for:
    no planner needs to know a bound.
    """

    def dynamics(state: Tensor, action: Tensor) -> Tensor:
        position, velocity, rest = state[..., :dim], state[..., dim : 2 * dim], state[..., 2 * dim :]
        push = action / (1.0 + action.square().sum(-1, keepdim=True)).sqrt()
        velocity = 0.7 * velocity + 0.35 * push
        return torch.cat((position + velocity, velocity, rest), -1)

    def cost(states: Tensor, actions: Tensor) -> Tensor:
        return _cost(states[..., :dim], states[..., 2 * dim :].unflatten(-1, (-1, dim)), actions)

    return World(f"point mass, {dim}D", (3 + posts) * dim, dim, dynamics, cost)


def unicycle(posts: int = POSTS) -> World:
    """A vehicle that speeds up and steers to a goal past posts; its actions say nothing about the world's axes.

    The state is position, heading (cosine and sine), speed, goal and posts.
    """

    def dynamics(state: Tensor, action: Tensor) -> Tensor:
        cosine, sine, speed = state[..., 2], state[..., 3], state[..., 4]
        push = torch.tanh(action)
        speed = 0.7 * speed + 0.35 * push[..., 0]
        angle = 0.7 * push[..., 1]
        turn, side = angle.cos(), angle.sin()
        cosine, sine = cosine * turn - sine * side, sine * turn + cosine * side
        first = (state[..., 0] + speed * cosine, state[..., 1] + speed * sine, cosine, sine, speed)
        return torch.cat((torch.stack(first, -1), state[..., 5:]), -1)

    def cost(states: Tensor, actions: Tensor) -> Tensor:
        return _cost(states[..., :2], states[..., 5:].unflatten(-1, (-1, 2)), actions)

    return World("unicycle", 7 + 2 * posts, 2, dynamics, cost)


def _cost(position: Tensor, marks: Tensor, actions: Tensor) -> Tensor:
    """Distance to the goal, the first of the marks `(…, m, d)`; the others are posts to keep clear of."""
    squared = (marks - position.unsqueeze(-2)).square().sum(-1)
    bumps = torch.exp(squared[..., 1:] * (-1.0 / REACH**2)).sum(-1)
    return (squared[..., 0] + 0.01).sqrt() + 3.0 * bumps + 0.01 * actions.square().sum(-1)


def point_mass_states(
    dim: int, count: int, generator: torch.Generator, posts: int = POSTS, **kind: Any
) -> Tensor:
    """Tasks `(count, n)`: goals 2 to 3 away with posts on the way, a small velocity."""
    position, goal, around = _places(dim, count, generator, posts, kind)
    velocity = 0.1 * torch.randn(count, dim, generator=generator, **kind)
    return torch.cat((position, velocity, goal, around), -1)


def unicycle_states(count: int, generator: torch.Generator, posts: int = POSTS, **kind: Any) -> Tensor:
    """Tasks `(count, n)` like those of the point mass, at rest, with any heading."""
    position, goal, around = _places(2, count, generator, posts, kind)
    angle = 2 * torch.pi * torch.rand(count, generator=generator, **kind)
    vehicle = torch.stack((angle.cos(), angle.sin(), torch.zeros_like(angle)), -1)
    return torch.cat((position, vehicle, goal, around), -1)


def _places(
    dim: int, count: int, generator: torch.Generator, posts: int, kind: dict[str, Any]
) -> tuple[Tensor, Tensor, Tensor]:
    position = torch.randn(count, dim, generator=generator, **kind)
    way = torch.nn.functional.normalize(torch.randn(count, dim, generator=generator, **kind), dim=-1)
    goal = position + way * (2.0 + torch.rand(count, 1, generator=generator, **kind))
    share = 0.3 + 0.5 * torch.rand(count, posts, 1, generator=generator, **kind)
    aside = 0.4 * torch.randn(count, posts, dim, generator=generator, **kind)
    around = position[:, None] + share * (goal - position)[:, None] + aside
    return position, goal, around.flatten(1)


TOYS: Mapping[str, tuple[Callable[[], World], Callable[[int, torch.Generator], Tensor]]] = {
    "point mass": (lambda: point_mass(2), lambda count, generator: point_mass_states(2, count, generator)),
    "unicycle": (unicycle, unicycle_states),
}
"""By name, the world and what draws tasks in it."""
