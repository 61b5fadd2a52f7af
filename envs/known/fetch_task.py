"""The tasks of a Fetch: reaching a place, and pushing a block by an invariant cost and equivariant first proposals.

Everything turns about gravity with the world: pushes are told relative to the way from the block to its goal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from equiworld.envs.known.fetch_exploration import GAIN, HELD, Hand, plane
from equiworld.symmetry import Channel, Features
from equiworld.tasks import KeypointDistance, Task

__all__ = ["PUSH", "PUSH_RANDOM_NUMBERS", "REACH", "propose_pushes", "push_cost"]

Channels = Mapping[str, Channel]

PUSH_RANDOM_NUMBERS = 4  # uniform numbers that one proposal takes

# In a step a hand moves by GAIN · action + _LAG · velocity, and then has _KEPT · action + _LOST · velocity [m a step].
_LAG, _KEPT, _LOST = 0.11, 0.0255, -0.11
_NEAR, _AWAY_WEIGHT, _FADE = 0.02, 0.3, 0.02  # [m] a hand off its place costs nothing so far; weight; [m]
_WIDTH, _FAN = 0.03, math.radians(60.0)  # [m], [rad] between the outermost pushes
_SLOWEST, _CLIMB = 0.15, 0.3  # shares of the longest action


def push_cost(state: Features, channels: Channels, goal: Features, goal_channels: Channels) -> Tensor:
    """Distance [m] of the block from its goal, and a share of the hand's from its place behind the block.

    That place is where a hand touches the block that pushes it towards the goal. It counts less as the block nears the
    goal.

    Args:
        state: batch shape `(…)`.
        channels: where `hand` and `block` are in it.
        goal: batch shape that broadcasts to it.
        goal_channels: where `desired_goal` is.
    """
    block, hand = (state.select(channels[name])[..., 0] for name in ("block", "hand"))
    way = goal.select(goal_channels["desired_goal"])[..., 0] - block
    distance = torch.linalg.vector_norm(way, dim=-1)
    place = block - (HELD / (distance + 1e-3))[..., None] * way
    away = (torch.linalg.vector_norm(hand - place, dim=-1) - _NEAR).clamp(min=0.0)
    return distance + _AWAY_WEIGHT * away * distance / (distance + _FADE)


@lru_cache(maxsize=32)
def _response(steps: int) -> tuple[float, float, float, float]:
    """(a, b, c, e): held, an action moves a hand by a · action + b · velocity, to a velocity of c · … + e · …"""
    a, b, c, e = 0.0, 0.0, 0.0, 1.0
    for _ in range(steps):
        a, b, c, e = a + GAIN + _LAG * c, b + _LAG * e, _KEPT + _LOST * c, _LOST * e
    return a, b, c, e


class _Pushes(NamedTuple):
    """Pushes to propose, `(B, P)`: along which way, how far left of the block's middle, how fast [action], how far."""

    along: Tensor
    side: Tensor
    pace: Tensor
    reach: Tensor

    @staticmethod
    def drawn(way: Tensor, draw: Tensor, radius: float) -> _Pushes:
        """From the way to the goal `(B, 1)` and uniform numbers `(B, P, 4)`."""
        side, slant, pace, reach = draw.unbind(-1)
        line = way * torch.polar(torch.ones_like(slant), _FAN * (slant - 0.5))
        return _Pushes(
            along=line / line.abs().clamp(min=1e-9),
            side=_WIDTH * (side - 0.5),
            pace=radius * _SLOWEST**pace,
            reach=way.abs() * (0.6 + 0.6 * reach),
        )


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
    """Action sequences that go behind the block, around it if need be, and push it towards about its goal.

    Args:
        state: batch shape `(B)`.
        channels: where `hand`, `block` and, if it is observed, `pace` are in it.
        goal: batch shape `(B)`.
        goal_channels: where `desired_goal` is.
        uniform: `(B, P, 4)` numbers in [0, 1): side of the block, angle off the way to the goal, pace, how far.
        horizon: H.
        radius: longest displacement asked for.
        action_repeat: steps that an action is held.

    Returns:
        `(B, P, H, 4)` displacements, and nothing of the fingers.
    """

    def seen(features: Features, channel: Channel) -> Tensor:
        return features.select(channel)[..., 0].to(uniform.dtype).unsqueeze(1)

    target, block = seen(goal, goal_channels["desired_goal"]), seen(state, channels["block"])
    apart = seen(state, channels["hand"]) - block
    velocity = seen(state, channels["pace"]) if "pace" in channels else torch.zeros_like(apart)
    pushes = _Pushes.drawn(plane(target - block), uniform, radius)
    flat = _moves(pushes, plane(apart), plane(velocity), horizon, radius, action_repeat)
    up = _lifts(apart[..., 2], velocity[..., 2], horizon, radius, action_repeat).expand(flat.shape)
    return torch.stack([flat.real, flat.imag, up, torch.zeros_like(up)], -1)


def _moves(
    pushes: _Pushes, place: Tensor, velocity: Tensor, horizon: int, radius: float, action_repeat: int
) -> Tensor:
    """What to do in the table's plane, from a place relative to the block: `(B, P, H)`."""
    a, b, c, e = _response(action_repeat)
    along, side, pace, reach = pushes
    back = along.conj_physical()
    place, velocity = back * place, back * velocity
    pushed, moves = torch.zeros_like(reach), list[Tensor]()
    for _ in range(horizon):
        hand = Hand(place - pushed)
        behind = hand.behind(side)
        push = torch.minimum(pace, (reach - pushed).clamp(min=0.0) / a) * hand.push(side)
        move = torch.where(behind, push, (hand.approach(side) - hand.place - b * velocity) / a)
        move = move * (radius / move.abs().clamp(min=radius))
        place, velocity = place + a * move + b * velocity, c * move + e * velocity
        pushed = torch.where(behind, torch.maximum(pushed, place.real + HELD), pushed)
        moves.append(along * move)
    return torch.stack(moves, -1)


def _lifts(height: Tensor, velocity: Tensor, horizon: int, radius: float, action_repeat: int) -> Tensor:
    """What to do to come to the block's height from one relative to it: `(B, 1, H)`."""
    a, b, c, e = _response(action_repeat)
    lifts = list[Tensor]()
    for _ in range(horizon):
        lift = (-(height + b * velocity) / a).clamp(-_CLIMB * radius, _CLIMB * radius)
        height, velocity = height + a * lift + b * velocity, c * lift + e * velocity
        lifts.append(lift)
    return torch.stack(lifts, -1)


REACH = Task(KeypointDistance("hand", "desired_goal"))
PUSH = Task(push_cost, propose_pushes, PUSH_RANDOM_NUMBERS)
