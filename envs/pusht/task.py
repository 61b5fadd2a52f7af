"""The task of pushing a T: an invariant cost, equivariant first proposals, and the planner that suits it.

Everything here is in px and seconds, on Features about the scene's centre, and turns with the world: corners are
placed by the block's own heading, random numbers choose places on the block, never directions in the world.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.controller import followed
from equiworld.planners import CEM
from equiworld.symmetry import Channel, Features
from equiworld.symmetry.crossing import as_arrays
from equiworld.tasks import Task

__all__ = ["PUSH_RANDOM_NUMBERS", "TASK", "corner_distance", "propose_pushes", "push_cost"]

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
    # Along x the answer to a target, along y that to a velocity: the axes do not know each other.
    position, velocity = (0.0, 0.0), (0.0, 1.0)
    for _ in range(control_periods):
        position, velocity = followed(position, velocity, (1.0, 0.0))
    return *position, *velocity


class _Outline(NamedTuple):
    """The T in body axes, points of the plane as complex numbers, one entry an edge; and the boxes it is made of."""

    start: NDArray[np.complexfloating]
    along: NDArray[np.complexfloating]
    normal: NDArray[np.complexfloating]
    begins: NDArray[np.floating]
    ends: NDArray[np.floating]
    centre: NDArray[np.complexfloating]
    half: NDArray[np.complexfloating]


@lru_cache(maxsize=4)
def _outline(dtype: np.dtype) -> _Outline:
    corners = geometry.block_outline([0.0, 0.0, 0.0])
    start = corners[:, 0] + 1j * corners[:, 1]
    step = np.roll(start, -1) - start
    along, ends = step / np.abs(step), np.abs(step).cumsum()
    area = (np.conj(start) * np.roll(start, -1)).imag.sum()
    parts = np.asarray(geometry.KEYPOINTS).reshape(2, 4, 2)
    low, high = parts.min(1), parts.max(1)
    centre, half = (pair[:, 0] + 1j * pair[:, 1] for pair in ((high + low) / 2, (high - low) / 2))
    plane = np.result_type(dtype, np.complex64)
    arrays = start, along, -1j * along * np.sign(area), ends - np.abs(step), ends, centre, half
    return _Outline(*(each.astype(plane if np.iscomplexobj(each) else dtype) for each in arrays))


def _clearance(points: NDArray[np.complexfloating], outline: _Outline) -> NDArray[np.floating]:
    """Distance [px] of body-frame points `(…)` to the T; 0 inside: `(…)`."""
    away = points[..., None] - outline.centre
    x = np.maximum(np.abs(away.real) - outline.half.real, 0.0)
    y = np.maximum(np.abs(away.imag) - outline.half.imag, 0.0)
    return np.hypot(x, y).min(-1)


def _steer(
    agent: NDArray[np.complexfloating],
    contact: NDArray[np.complexfloating],
    wanted: NDArray[np.floating],
    outline: _Outline,
) -> NDArray[np.complexfloating]:
    """Where to go next towards `contact`, at the angle `wanted`, without touching the block, body frame: `(…)`."""
    fractions = np.linspace(0.0, 1.0, 7, dtype=wanted.dtype)[:-1]  # of the way, from here on
    gaps = _clearance(agent[..., None] + fractions * (contact - agent)[..., None], outline)
    blocked = (gaps[..., 1:] < np.minimum(gaps[..., :1], geometry.AGENT_RADIUS + 1.0)).any(-1)
    angle = np.angle(agent)
    turn = np.remainder(wanted - angle + math.pi, 2 * math.pi) - math.pi
    around = angle + np.clip(turn, -DETOUR_ANGLE, DETOUR_ANGLE)
    return np.where(blocked, DETOUR_RADIUS * np.exp(1j * around), contact)


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
    # In NumPy, the plane as complex numbers: of small arrays, many times faster than in torch.
    seen = (
        state.select(channels[name])[..., 0]
        for name in ("block_heading", "agent_pos", "block_pos", "agent_vel")
    )
    draw, *rows = as_arrays([uniform, *seen], uniform.dtype)
    outline = _outline(draw.dtype)
    place = draw[..., 0] * outline.ends[-1]
    edge = np.searchsorted(outline.ends, place, side="right").clip(max=7)
    touch = outline.start[edge] + (place - outline.begins[edge]) * outline.along[edge]
    contact = touch + outline.normal[edge] * (geometry.AGENT_RADIUS + CLEARANCE)
    push = -outline.normal[edge] * np.exp(1j * (draw[..., 1] - 0.5) * math.radians(80.0))
    stride = 3.0 * 20.0 ** draw[..., 2]  # [px] per action: 3 to 60, log-uniform

    towards, at, block, speed = (
        (x + 1j * y)[:, None].astype(contact.dtype) for x, y in (row.T for row in rows)
    )
    # A T is its own mirror image: what is proposed is made for an agent on its right, and mirrored for one on its left.
    heading = towards * np.exp(-1j * channels["block_heading"].axis).astype(contact.dtype)
    agent = heading.conj() * (at - block)
    left = agent.real < 0
    agent = np.broadcast_to(_mirrored(agent, left), contact.shape)
    velocity = _mirrored(heading.conj() * speed, left)
    a, b, c, e = agent_response(action_repeat)
    wanted, pushed = np.angle(contact), np.full_like(stride, CLEARANCE)
    arrived = np.zeros(contact.shape, dtype=bool)
    actions = []
    for _ in range(horizon):
        arrived = arrived | (np.abs(contact - agent) < 6.0)
        pushed = pushed + stride * arrived
        aim = np.where(arrived, contact + push * pushed, _steer(agent, contact, wanted, outline))
        action = (aim - agent - b * velocity) / a  # the target that brings the agent there in time
        action = action * (radius / np.maximum(np.abs(action), radius))
        agent, velocity = agent + a * action + b * velocity, c * action + e * velocity
        actions.append(action)
    plans = _mirrored(np.stack(actions, -1), left[..., None]) * heading[..., None]
    return torch.from_numpy(np.stack([plans.real, plans.imag], -1)).to(uniform)


def _mirrored(numbers: NDArray[np.complexfloating], where: NDArray[np.bool_]) -> NDArray[np.complexfloating]:
    """Vectors in the body's axes, mirrored across the T's stem where asked."""
    return np.where(where, -numbers.conj(), numbers)


TASK = Task(
    push_cost, propose_pushes, PUSH_RANDOM_NUMBERS, planner=CEM(), symmetric_arguments={"walls": False}
)
