"""The task of pushing a T: an invariant cost, equivariant first proposals, and the planner that suits it.

Everything here is in px and seconds, on Features about the scene's centre, and turns with the world: corners are
placed by the block's own heading, random numbers choose places on the block, never directions in the world.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.controller import followed
from equiworld.planners import CEM
from equiworld.symmetry import Channel, Features
from equiworld.tasks import Task

__all__ = ["PUSH_RANDOM_NUMBERS", "TASK", "corner_distance", "propose_pushes", "push_cost"]

Channels = Mapping[str, Channel]

PUSH_RANDOM_NUMBERS = 3  # uniform numbers that one proposal takes

SHARP_WEIGHT, SHARP_LENGTH = 20.0, 5.0  # [px]
REACH, AWAY_WEIGHT = 120.0, 0.1  # [px] from the centre of gravity, and cost per px beyond it
SHORTEST, LONGEST = 0.75, 60.0  # [px] of a push, per action
LEAST_LONGEST = 4.0  # [px], however near the goal
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
    corners = _corners(channels["block_heading"].axis, position.dtype, position.device)
    x = position[..., :1] + corners[:, 0] * heading[..., :1] - corners[:, 1] * heading[..., 1:]
    y = position[..., 1:] + corners[:, 0] * heading[..., 1:] + corners[:, 1] * heading[..., :1]
    return torch.sqrt(x.square() + y.square()).mean(-1)


@lru_cache(maxsize=8)
def _corners(axis: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The T's corners `(8, 2)` in axes of which the first points in the body's direction `axis` [rad]."""
    c, s = math.cos(axis), math.sin(axis)
    with torch.inference_mode(False):
        return torch.as_tensor(geometry.KEYPOINTS @ np.array([[c, -s], [s, c]]), dtype=dtype, device=device)


def push_cost(
    state: Features,
    channels: Channels,
    goal: Features,
    goal_channels: Channels,
    sharpness: float = SHARP_WEIGHT,
    approach: float = AWAY_WEIGHT,
) -> Tensor:
    """d + 20 (1 − exp(−d/5)) of the mean corner distance d [px]: sharp near the goal, so the last pixels count.

    A tenth of the agent's distance to the block beyond its reach is added: where no plan gets to the block within
    the horizon, the agent must still come nearer.

    Args:
        state: batch shape `(…)`.
        channels: of the state's fields.
        goal: batch shape that broadcasts to it.
        goal_channels: of the goal's fields.
        sharpness: the 20 [px].
        approach: the tenth.
    """
    distance = corner_distance(state, channels, goal, goal_channels)
    apart = state.select(channels["agent_pos"])[..., 0] - state.select(channels["block_pos"])[..., 0]
    away = (apart.square().sum(-1).sqrt() - REACH).clamp(min=0.0)
    return distance + sharpness * (1.0 - torch.exp(-distance / SHARP_LENGTH)) + approach * away


@lru_cache(maxsize=32)
def agent_response(control_periods: int) -> tuple[float, float, float, float]:
    """How a held target moves the agent: position and velocity gains after some control periods.

    Returns:
        (a, b, c, e): displacement = a·target + b·velocity, new velocity = c·target + e·velocity, for a target
        given relative to the agent. Exact for the engine's semi-implicit Euler steps of a linear PD controller.
    """
    # Along x the answer to a target, along y that to a velocity: the axes do not know each other.
    position, velocity = (0.0, 0.0), (0.0, 1.0)
    for _ in range(control_periods):
        position, velocity = followed(position, velocity, (1.0, 0.0))
    return *position, *velocity


class _Outline(NamedTuple):
    """The T in body axes, points of the plane as complex numbers, one entry an edge; and the boxes it is made of."""

    start: Tensor
    along: Tensor
    normal: Tensor
    begins: Tensor
    ends: Tensor
    centre: Tensor  # (2, 2, 1, 1, 1): coordinates, boxes
    half: Tensor
    fractions: Tensor  # (6, 1, 1), of the way on which it is looked for
    detour: Tensor


@lru_cache(maxsize=8)
def _outline(dtype: torch.dtype, device: torch.device) -> _Outline:
    corners = geometry.block_outline([0.0, 0.0, 0.0])
    start = corners[:, 0] + 1j * corners[:, 1]
    step = np.roll(start, -1) - start
    along, ends = step / np.abs(step), np.abs(step).cumsum()
    area = (np.conj(start) * np.roll(start, -1)).imag.sum()
    parts = np.asarray(geometry.KEYPOINTS).reshape(2, 4, 2)
    low, high = parts.min(1), parts.max(1)
    boxes = (each.T[:, :, None, None, None] / 2 for each in (high + low, high - low))
    normal, way = -1j * along * np.sign(area), np.linspace(0.0, 1.0, 7)[:-1, None, None]
    arrays = start, along, normal, ends - np.abs(step), ends, *boxes, way, np.array(DETOUR_RADIUS)
    with torch.inference_mode(False):
        tensors = [torch.from_numpy(each) for each in arrays]
        return _Outline(
            *(each.to(device, dtype.to_complex() if each.is_complex() else dtype) for each in tensors)
        )


def _squared_clearance(points: Tensor, outline: _Outline) -> Tensor:
    """Squared distance [px²] of body-frame points `(n, B, P)` to the T; 0 inside: `(n, B, P)`."""
    away = torch.view_as_real(points).movedim(-1, 0).unsqueeze(1) - outline.centre
    x, y = away.abs_().sub_(outline.half).clamp_(min=0.0).square_().unbind()
    return torch.minimum(*x.add_(y).unbind())


def _steer(agent: Tensor, way: Tensor, contact: Tensor, wanted: Tensor, outline: _Outline) -> Tensor:
    """Where to go next towards `contact`, at the angle `wanted`, without touching the block, body frame: `(B, P)`."""
    gaps = _squared_clearance(torch.addcmul(agent, outline.fractions, way), outline)
    blocked = gaps[1:].amin(0) < gaps[0].clamp_(max=(geometry.AGENT_RADIUS + 1.0) ** 2)
    behind = agent.neg().angle()  # where a turn of π about the block begins
    turn = torch.remainder(wanted - behind, math.tau)
    around = turn.clamp_(math.pi - DETOUR_ANGLE, math.pi + DETOUR_ANGLE).add_(behind)
    return torch.where(blocked, torch.polar(outline.detour, around), contact)


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
        goal: batch shape `(B)`: pushes are at most twice as long, per action, as the corners are from it. Near home
            nearly all longer ones would be wasted. Places spread over the whole edge wherever it is.
        goal_channels: of the goal's fields.
        uniform: `(B, P, 3)` numbers in [0, 1): place on the edge, push angle, push length.
        horizon: H.
        radius: longest action [px].
        action_repeat: control periods that an action is held.

    Returns:
        `(B, P, H, 2)` displacements [px] in world axes.
    """
    outline = _outline(uniform.dtype, uniform.device)
    place = uniform[..., 0] * outline.ends[-1]
    edge = torch.searchsorted(outline.ends, place, right=True).clamp_(max=7)
    touch = outline.start[edge] + (place - outline.begins[edge]) * outline.along[edge]
    normal, slant = outline.normal[edge], (uniform[..., 1] - 0.5) * math.radians(80.0)
    contact = touch + normal * (geometry.AGENT_RADIUS + CLEARANCE)
    push = -normal * torch.polar(torch.ones_like(slant), slant)
    far = corner_distance(state, channels, goal, goal_channels).to(uniform.dtype).unsqueeze(-1)
    longest = (2.0 * far).clamp(LEAST_LONGEST, LONGEST)
    stride = SHORTEST * (longest / SHORTEST) ** uniform[..., 2]  # [px] per action, log-uniform

    seen = [
        state.select(channels[name])[..., 0]
        for name in ("block_heading", "agent_pos", "block_pos", "agent_vel")
    ]
    numbers = torch.view_as_complex(torch.stack(seen).to(uniform.dtype)).unsqueeze(-1)
    # A T is its own mirror image: what is proposed is made for an agent on its right, and mirrored for one on its left.
    heading = numbers[0] * cmath.exp(-1j * channels["block_heading"].axis)
    inverse = heading.conj_physical()
    agent, velocity = inverse * (numbers[1] - numbers[2]), inverse * numbers[3]
    left = agent.real < 0
    agent, velocity = _mirrored(agent, left), _mirrored(velocity, left)
    a, b, c, e = agent_response(action_repeat)
    wanted, pushed = contact.angle(), torch.full_like(stride, CLEARANCE)
    arrived, moves = torch.zeros_like(stride, dtype=torch.bool), list[Tensor]()
    for _ in range(horizon):
        way = contact - agent
        arrived = arrived | (way.abs() < 6.0)
        pushed = torch.where(arrived, pushed + stride, pushed)
        steered = _steer(agent, way, contact, wanted, outline)
        drifted = torch.add(agent, velocity, alpha=b)
        # An action is a target: 1/a times as far off, it brings the agent there in time.
        move = torch.where(arrived, torch.addcmul(contact, push, pushed), steered).sub_(drifted)
        move = move * (a * radius / move.abs().clamp_(min=a * radius))
        agent, velocity = drifted + move, torch.add(e * velocity, move, alpha=c / a)
        moves.append(move)
    plans = _mirrored(torch.stack(moves, -1), left.unsqueeze(-1)) * (heading / a).unsqueeze(-1)
    return torch.view_as_real(plans)


def _mirrored(numbers: Tensor, where: Tensor) -> Tensor:
    """Vectors in the body's axes, mirrored across the T's stem where asked."""
    return torch.where(where, -numbers.conj_physical(), numbers)


TASK = Task(
    push_cost, propose_pushes, PUSH_RANDOM_NUMBERS, planner=CEM(), symmetric_arguments={"walls": False}
)
