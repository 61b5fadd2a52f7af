"""What a planner may know about pushing a T: an invariant cost, and equivariant first proposals.

Everything here is in px and seconds, on Features about the scene's centre, and turns with the world: corners are
placed by the block's own heading, random numbers choose places on the block, never directions in the world.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import torch
from equiworld.envs.pusht import geometry
from torch import Tensor

from equiworld.symmetry import Channel, Features

__all__ = ["PUSH_RANDOM_NUMBERS", "corner_distance", "propose_pushes", "push_cost"]

Channels = Mapping[str, Channel]

PUSH_RANDOM_NUMBERS = 3  # uniform numbers that one proposal takes

SHARP_WEIGHT, SHARP_LENGTH = 20.0, 5.0  # [px]
REACH, AWAY_WEIGHT = 120.0, 0.1  # [px] from the centre of gravity, and cost per px beyond it
CLEARANCE = 2.0  # [px] between the disc's rim and the block on the way to a push
DETOUR_RADIUS = 112.0  # [px] of the circle around the block on which the agent goes around it
DETOUR_ANGLE = math.radians(50.0)


def corner_distance(state: Features, channels: Channels, goal: Features, goal_channels: Channels) -> Tensor:
    """Mean distance [px] between the T's eight corners and the goal's: `(…,)`.

    Args:
        state: batch shape `(…)`.
        channels: where `block_pos` and `block_heading` are in it.
        goal: batch shape that broadcasts to it.
        goal_channels: where `goal_pos` and `goal_heading` are.
    """
    position = state.select(channels["block_pos"])[..., 0] - goal.select(goal_channels["goal_pos"])[..., 0]
    heading = (
        state.select(channels["block_heading"])[..., 0] - goal.select(goal_channels["goal_heading"])[..., 0]
    )
    # A corner k of the body is at p + k₀ u + k₁ J u: differences need only those of p and u.
    corners = torch.as_tensor(geometry.KEYPOINTS, dtype=position.dtype)
    x = position[..., :1] + corners[:, 0] * heading[..., :1] - corners[:, 1] * heading[..., 1:]
    y = position[..., 1:] + corners[:, 0] * heading[..., 1:] + corners[:, 1] * heading[..., :1]
    return torch.sqrt(x.square() + y.square()).mean(-1)


def push_cost(state: Features, channels: Channels, goal: Features, goal_channels: Channels) -> Tensor:
    """d + 20 (1 − exp(−d/5)) of the mean corner distance d [px]: sharp near the goal, so the last pixels count.

    A tenth of the agent's distance to the block beyond its reach is added: where no plan gets to the block within
    the horizon, the agent must still come nearer.
    """
    distance = corner_distance(state, channels, goal, goal_channels)
    apart = state.select(channels["agent_pos"])[..., 0] - state.select(channels["block_pos"])[..., 0]
    away = (apart.square().sum(-1).sqrt() - REACH).clamp(min=0.0)
    return distance + SHARP_WEIGHT * (1.0 - torch.exp(-distance / SHARP_LENGTH)) + AWAY_WEIGHT * away


@lru_cache(maxsize=32)
def agent_response(control_periods: int) -> tuple[float, float, float, float]:
    """How a held target moves the agent: position and velocity gains after some control periods.

    Returns:
        (a, b, c, e): displacement = a·target + b·velocity, new velocity = c·target + e·velocity, for a target
        given relative to the agent. Exact for the engine's semi-implicit Euler steps of a linear PD controller.
    """
    dt, stiffness, friction = geometry.TIME_STEP, geometry.STIFFNESS, geometry.DAMPING
    gains = []
    for target, velocity in ((1.0, 0.0), (0.0, 1.0)):
        position = 0.0
        for _ in range(control_periods * geometry.ENGINE_STEPS):
            velocity += (stiffness * (target - position) - friction * velocity) * dt
            position += velocity * dt
        gains.append((position, velocity))
    (a, c), (b, e) = gains
    return a, b, c, e


@lru_cache(maxsize=4)
def _edges(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Outline in body axes: edge starts `(8, 2)`, directions, outward normals, cumulated lengths `(8,)`."""
    outline = torch.as_tensor(geometry.block_outline([0.0, 0.0, 0.0]), dtype=torch.float64)
    step = outline.roll(-1, 0) - outline
    length = step.norm(dim=-1)
    along = step / length[:, None]
    area = (outline[:, 0] * outline.roll(-1, 0)[:, 1] - outline[:, 1] * outline.roll(-1, 0)[:, 0]).sum()
    normal = torch.stack([along[:, 1], -along[:, 0]], -1) * area.sign()
    return outline.to(dtype), along.to(dtype), normal.to(dtype), length.cumsum(0).to(dtype)


@lru_cache(maxsize=4)
def _boxes(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Centres and half sizes of bar and stem in body axes, `(2, 2)` each."""
    parts = torch.as_tensor(geometry.KEYPOINTS, dtype=dtype).unflatten(0, (2, 4))
    return (parts.amax(1) + parts.amin(1)) / 2, (parts.amax(1) - parts.amin(1)) / 2


def _clearance(points: Tensor) -> Tensor:
    """Distance [px] of body-frame points `(…, 2)` to the T; 0 inside: `(…,)`."""
    centre, half = _boxes(points.dtype)
    outside = (points[..., None, :] - centre).abs_().sub_(half).clamp_(min=0.0)
    return torch.linalg.vector_norm(outside, dim=-1).amin(-1)


@lru_cache(maxsize=4)
def _fractions(dtype: torch.dtype) -> Tensor:
    """Of the way to a contact, from here on."""
    return torch.linspace(0.0, 1.0, 7, dtype=dtype)[:-1, None]


def _steer(agent: Tensor, contact: Tensor, apart: Tensor, wanted: Tensor) -> Tensor:
    """Where to go next towards `contact` without touching the block, body frame: `(…, 2)`.

    Args:
        agent: where it is, `(…, 2)`.
        contact: where it shall be.
        apart: contact − agent.
        wanted: the angle of the contact, about the block.
    """
    gaps = _clearance(torch.addcmul(agent[..., None, :], _fractions(agent.dtype), apart[..., None, :]))
    needed = gaps[..., :1].clamp(max=geometry.AGENT_RADIUS + 1.0)
    blocked = (gaps[..., 1:] < needed).any(-1)
    angle = torch.atan2(agent[..., 1], agent[..., 0])
    turn = (wanted - angle).add_(math.pi).remainder_(2 * math.pi).sub_(math.pi)
    around = angle + turn.clamp_(-DETOUR_ANGLE, DETOUR_ANGLE)
    detour = torch.stack([around.cos(), around.sin_()], -1).mul_(DETOUR_RADIUS)
    return torch.where(blocked[..., None], detour, contact)


def propose_pushes(
    state: Features,
    channels: Channels,
    goal: Features,
    goal_channels: Channels,
    uniform: Tensor,
    horizon: int,
    radius: float,
    action_repeat: int,
) -> Tensor:
    """Action sequences that go to a place on the T's edge, around the T if need be, and push in.

    Args:
        state: batch shape `(B)`.
        channels: of the state's fields.
        goal: batch shape `(B)`; not used: proposals spread over the whole edge.
        goal_channels: of the goal's fields.
        uniform: `(B, P, 3)` numbers in [0, 1): place on the edge, push angle, push length.
        horizon: H.
        radius: longest action [px].
        action_repeat: control periods that an action is held.

    Returns:
        `(B, P, H, 2)` displacements [px] in world axes.
    """
    dtype = uniform.dtype
    start, along, normal, cumulated = _edges(dtype)
    place = uniform[..., 0] * cumulated[-1]
    edge = torch.searchsorted(cumulated, place.contiguous(), right=True).clamp(max=7)
    offset = place - torch.where(edge > 0, cumulated[edge - 1], 0.0)
    touch = start[edge] + offset[..., None] * along[edge]
    contact = touch + normal[edge] * (geometry.AGENT_RADIUS + CLEARANCE)
    tilt = (uniform[..., 1] - 0.5) * math.radians(80.0)
    inward = -normal[edge]
    push = torch.stack(
        [
            inward[..., 0] * tilt.cos() - inward[..., 1] * tilt.sin(),
            inward[..., 0] * tilt.sin() + inward[..., 1] * tilt.cos(),
        ],
        -1,
    )
    stride = 3.0 * 20.0 ** uniform[..., 2:3]  # [px] per action: 3 to 60, log-uniform

    heading = state.select(channels["block_heading"])[..., 0]
    axes = torch.stack([heading, torch.stack([-heading[..., 1], heading[..., 0]], -1)], -1)
    relative = state.select(channels["agent_pos"])[..., 0] - state.select(channels["block_pos"])[..., 0]
    agent = (relative[..., None, :] @ axes).expand(*uniform.shape[:-1], 2)
    velocity = (state.select(channels["agent_vel"])[..., 0][..., None, :] @ axes).expand_as(agent)

    a, b, c, e = agent_response(action_repeat)
    wanted = torch.atan2(contact[..., 1], contact[..., 0])
    arrived = torch.zeros(uniform.shape[:-1], dtype=torch.bool)
    pushed = torch.full_like(stride, CLEARANCE)
    actions = []
    for _ in range(horizon):
        apart = contact - agent
        arrived = arrived | (torch.linalg.vector_norm(apart, dim=-1) < 6.0)
        pushed = torch.addcmul(pushed, stride, arrived[..., None])
        aim = torch.where(
            arrived[..., None], torch.addcmul(contact, push, pushed), _steer(agent, contact, apart, wanted)
        )
        drift = b * velocity
        action = (aim - agent).sub_(drift).div_(a)  # the target that brings the agent there in time
        action *= radius / torch.linalg.vector_norm(action, dim=-1, keepdim=True).clamp_(min=radius)
        agent = torch.add(agent + drift, action, alpha=a)
        velocity = torch.add(c * action, velocity, alpha=e)
        actions.append(action)
    return torch.stack(actions, -2) @ axes[..., None, :, :].transpose(-1, -2)
