"""The task of bringing one T of several to its goal: PushT's cost and pushes, of the block that the goal names."""

from __future__ import annotations

import torch
from torch import Tensor

from equiworld.envs.pusht.task import PUSH_RANDOM_NUMBERS, Channels, propose_pushes, push_cost
from equiworld.planners import CEM
from equiworld.symmetry import Channel, Features
from equiworld.tasks import Task

__all__ = ["TASK", "propose_named_pushes", "push_named_cost"]


def _alone(
    state: Features, channels: Channels, goal: Features, goal_channels: Channels
) -> tuple[Features, Channels]:
    """The state as PushT's task knows it, with the named block alone, and where its fields are."""
    weights = goal.select(goal_channels["named"])
    count = weights.shape[-1]
    shares = torch.nn.functional.one_hot(weights.argmax(-1), count).to(state.dtype).unsqueeze(-2)

    def named(name: str) -> Tensor:
        return (state.select(channels[name]) * shares).sum(-1, keepdim=True)

    points = torch.cat((state.select(channels["agent_pos"]), named("blocks_pos")), -1)
    vectors = torch.cat((state.select(channels["agent_vel"]), named("blocks_heading")), -1)
    fields = {
        "agent_pos": Channel("points", 0, 1),
        "block_pos": Channel("points", 1, 2),
        "agent_vel": Channel("vectors", 0, 1),
        "block_heading": Channel("vectors", 1, 2, channels["blocks_heading"].axis),
    }
    return Features(state.scalars, vectors, points), fields


def push_named_cost(state: Features, channels: Channels, goal: Features, goal_channels: Channels) -> Tensor:
    """`push_cost` of the named block [px]."""
    return push_cost(*_alone(state, channels, goal, goal_channels), goal, goal_channels)


def propose_named_pushes(
    state: Features,
    channels: Channels,
    goal: Features,
    goal_channels: Channels,
    uniform: Tensor,
    horizon: int,
    radius: float,
    action_repeat: int,
) -> Tensor:
    """`propose_pushes` at the named block, as if it were alone: what the others do to a push the model says."""
    alone = _alone(state, channels, goal, goal_channels)
    return propose_pushes(*alone, goal, goal_channels, uniform, horizon, radius, action_repeat)


TASK = Task(push_named_cost, propose_named_pushes, PUSH_RANDOM_NUMBERS, planner=CEM())
