"""CloudPush with gravity and a table: the body's pose is told, and what breaks the symmetry may be observed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import register, registry
from numpy.typing import NDArray
from torch import Tensor

from equiworld.arguments import flag, number
from equiworld.benchmarks.worlds.cloudpush import NEAR, POSE, CloudPushWorld
from equiworld.envs.cloudpush.engine import AGENT_RADIUS
from equiworld.envs.cloudpush.env import CloudPushEnv
from equiworld.envs.cloudpush.observation import Observation
from equiworld.envs.cloudpush.shapes import make_shape
from equiworld.envs.cloudpush.symmetry import cloudpush_symmetry
from equiworld.envs.cloudpush.task import TASK
from equiworld.groups import SE2, Group
from equiworld.rollout import Start
from equiworld.symmetry import Channel, Features, Symmetry, register_symmetry, with_context
from equiworld.tasks import Task, register_task
from equiworld.tasks.objective import as_objective
from equiworld.training import Dataset

__all__ = ["BrokenCloudPushEnv", "BrokenCloudPushWorld", "broken_cloudpush"]

ENV_ID = "equiworld/BrokenCloudPush-v0"
TOUCHING = 1e-3  # [m]


class BrokenCloudPushEnv(CloudPushEnv):
    """CloudPush, with gravity and table, those that there are, among what is observed if asked.

    Args:
        observed: whether they are.
        others: of `CloudPushEnv`.
    """

    def __init__(self, observed: bool = False, **others: Any) -> None:
        super().__init__(**others)
        self.observed = flag("observed", observed)
        if self.observed:
            more = {
                one.name: spaces.Box(-np.inf, np.inf, (len(one.value),), np.float64) for one in self.contexts
            }
            self.observation_space = spaces.Dict({**self.observation_space.spaces, **more})  # type: ignore[attr-defined,assignment]

    def _observation(self) -> Observation:
        shown = super()._observation()
        return shown | {one.name: np.array(one.value) for one in self.contexts} if self.observed else shown


def _symmetry(env: Any) -> Symmetry:
    """That of the whole world, which models go on believing in; or with what breaks it among what is observed."""
    whole, made = cloudpush_symmetry(env), env.unwrapped
    return with_context(whole, made.contexts) if made.observed and made.contexts else whole


if ENV_ID not in registry:
    register(id=ENV_ID, entry_point=f"{__name__}:BrokenCloudPushEnv", max_episode_steps=100)
register_symmetry(ENV_ID, _symmetry)
register_task(ENV_ID, TASK)


@dataclass(frozen=True)
class BrokenCloudPushWorld(CloudPushWorld):
    """Errors are of the body's place."""

    def modules(self) -> tuple[str, ...]:
        """Those of the world that it was too."""
        return (*POSE.modules(), __name__)

    @property
    def kept(self) -> Group | None:
        """Rotations about gravity and shifts along the table."""
        return SE2(axis=(0.0, 0.0, 1.0)) if self.arguments.get("table") else None

    @property
    def guarded(self) -> Task:
        """Its task, whose cost adds by how much the lowest corner of the body would be under the table [m]."""
        if self.kept is None:
            return TASK
        corners = make_shape("bracket").surface.corners

        def depth(state: Features, channels: Mapping[str, Channel], *_: Any) -> Tensor:
            position, axes = (state.select(channels[name]) for name in ("body_pos", "body_rotation"))
            heights = axes[..., 2, :] @ position.new_tensor(corners.T) + position[..., 2, :]
            return (-heights).clamp(min=0.0).amax(-1)

        return replace(TASK, cost=as_objective(TASK.cost) + as_objective(depth), group=self.kept)

    def regions(self, data: Dataset) -> dict[str, NDArray[np.bool_]]:
        """Where transitions lie, by region: pushed on the table, pushed in the air, or not touched by the agent."""
        surface = make_shape("bracket").surface
        touched, lying = (np.zeros(len(data), bool) for _ in range(2))
        for arrays in (data.observation, data.next_observation):
            turns = np.asarray(arrays["body_rotation"], np.float64).reshape(-1, 3, 3)
            inside = np.einsum("nji,nj->ni", turns, arrays["agent_pos"] - arrays["body_pos"])
            touched |= surface.distance(inside) - AGENT_RADIUS < TOUCHING
            heights = surface.corners @ turns[:, 2].T + arrays["body_pos"][:, 2]
            lying |= heights.min(0) < TOUCHING
        lying &= bool(self.arguments.get("table"))
        return {"on the table": touched & lying, "in contact": touched & ~lying, "free": ~touched}

    def tasks(self, count: int, seed: int) -> dict[str, list[Start]]:
        """Near goals, on the table if there is one."""
        region = "on the table" if self.arguments.get("table") else "interior"
        return {region: [Start(8_000_000 + 10_000 * seed + index) for index in range(count)]}


def broken_cloudpush(gravity: float, observed: bool = False) -> BrokenCloudPushWorld:
    """The world with gravity [m/s²] and a table, or with neither at 0."""
    gravity = number("gravity", gravity, least=0.0)
    arguments: dict[str, Any] = {**POSE.arguments, **NEAR}
    if gravity:
        arguments |= {"gravity": gravity, "table": True}
    name = f"cloudpush-gravity-{gravity:g}"
    if observed:
        arguments, name = {**arguments, "observed": True}, f"{name}-observed"
    shared = {each: getattr(POSE, each) for each in ("kind", "unit", "shifts", "scales", "trials")}
    return BrokenCloudPushWorld(name, ENV_ID, arguments, **shared)
