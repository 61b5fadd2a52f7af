"""stable-worldmodel's own PushT, begun at pairs of states of an expert's episodes, and when a pair is solved.

States are the library's, `(…, 7)`: agent x, y [px], the T's origin x, y [px] and angle in [0, 2π) [rad], agent velocity
[px/s].
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from equiworld.benchmarks.worlds.loops import run_orbit
from equiworld.benchmarks.worlds.pusht import PUSHT, PushTWorld
from equiworld.benchmarks.worlds.world import World
from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.observation import Observation, observation_space, pose_entries
from equiworld.envs.pusht.simulation import PushTState
from equiworld.envs.pusht.symmetry import pusht_symmetry
from equiworld.envs.pusht.task import corner_distance, push_cost
from equiworld.envs.spaces import Ball
from equiworld.errors import ArgumentError
from equiworld.groups import E2, Dihedral, GroupElement
from equiworld.models import WorldModel
from equiworld.planners import MPCPolicy, Task
from equiworld.planners.peers.registry import usable
from equiworld.planners.peers.stable_worldmodel import StableWorldmodel, module_of_peer
from equiworld.rollout import Start
from equiworld.symmetry import Channel, Features, Point, Symmetry

__all__ = ["JUDGED", "Predicate", "SwmPushTWorld", "draw_pairs", "library", "pairs_as_starts"]

Array = NDArray[np.float64]

FIRST_EPISODE = 4_000_000
"""Seed of the expert's first; data and other questions use others."""

MOST_EPISODES, AT_ONCE = 1_000, 50
DRAWN, NEAR, FAR = 0.6, 20.0, 300.0  # weight; [px] of the T from home; [px] of the agent from its place


@dataclass(frozen=True)
class Predicate:
    """When a state counts as the goal.

    Attributes:
        distance: is less than this [px].
        angle: of the T from its goal, is less than this [rad].
        agent: whether the distance is that of agent and T together, √(Δagent² + ΔT²), not of the T alone.
        hold: steps in a row.

    >>> bool(OWN.holds(np.array([0, 0, 0, 0, 0.1, 0, 0]), np.array([0, 0, 12.0, 15.0, 6.2, 0, 0])))
    True
    """

    distance: float
    angle: float
    agent: bool = False
    hold: int = 1

    def errors(self, state: Array, goal: Array) -> tuple[Array, Array]:
        """The distance [px] and the angle in [0, π] [rad] of states `(…, 7)` from goals: `(…)`."""
        first = 0 if self.agent else 2
        away = np.linalg.norm(state[..., first:4] - goal[..., first:4], axis=-1)
        return away, np.abs(np.remainder(state[..., 4] - goal[..., 4] + math.pi, 2 * math.pi) - math.pi)

    def holds(self, state: Array, goal: Array) -> NDArray[np.bool_]:
        """Whether states count as goals: `(…)`."""
        away, turn = self.errors(state, goal)
        return (away < self.distance) & (turn < self.angle)

    def left_of(self, pairs: Array) -> NDArray[np.int64]:
        """Which of pairs `(n, 2, 7)` are not solved at the start."""
        return np.flatnonzero(~self.holds(pairs[:, 0], pairs[:, 1]))


OWN = Predicate(20.0, math.pi / 9, agent=True)  # stable-worldmodel 0.1.1, PushT.eval_state
STRICT = Predicate(10.0, math.radians(10.0), hold=3)  # CLEAR-LeWM
HOME = Predicate(6.0, math.radians(3.5))  # that ends an expert's episode


def pusht_class() -> Any:
    """The library's environment.

    Raises:
        ArgumentError: it, or what it imports, is not installed; says what to install.
    """
    return usable("swm/PushT-v1", StableWorldmodel, lambda: module_of_peer("utils", "envs.pusht.env")).PushT


def library(allow_absent: bool) -> str:
    """The library and its version; "absent: …", if that is allowed, where its environment cannot be imported."""
    try:
        pusht_class()
    except ArgumentError as reason:
        if not allow_absent:
            raise
        return f"absent: {reason}"
    return f"{StableWorldmodel.library} {StableWorldmodel.version}"


def told_of_agent(symmetry: Symmetry) -> Symmetry:
    """A declaration of PushT whose goal says besides where the agent is to be."""
    place = {"goal_agent_pos": "agent_pos"}
    observation = {**symmetry.observation, **dict.fromkeys(place, Point())}
    return replace(symmetry, observation=observation, goal={**symmetry.goal, **place})  # type: ignore[dict-item]


def own_cost(
    state: Features, channels: Mapping[str, Channel], goal: Features, goal_channels: Mapping[str, Channel]
) -> Tensor:
    """PushT's cost and w (L + exp(−d/ℓ) min(|agent − its place| − L, 0)), d the mean distance of the T's corners.

    The agent is asked to its place only where the T is nearly home: else that would draw it away from pushing.
    """
    place = state.select(channels["agent_pos"])[..., 0] - goal.select(goal_channels["goal_agent_pos"])[..., 0]
    near = torch.exp(-corner_distance(state, channels, goal, goal_channels) / NEAR)
    asked = FAR + near * (torch.linalg.vector_norm(place, dim=-1) - FAR).clamp(max=0.0)
    return push_cost(state, channels, goal, goal_channels) + DRAWN * asked


def turned(state: Array, g: GroupElement) -> Array:
    """A state `(7,)` turned or mirrored about the centre of the walls; a mirrored T is a T."""
    block = tuple(geometry.from_stock_pose(state[2:5]).tolist())
    moved = PushTState(tuple(state[:2].tolist()), tuple(state[5:].tolist()), block, block).transform(g)
    return state_of(moved.agent_pos, moved.block, moved.agent_vel)


def state_of(agent: Sequence[float], block: Sequence[float], velocity: Sequence[float] = (0.0, 0.0)) -> Array:
    """The state of an agent and a T whose pose is that of its centre of gravity."""
    x, y, angle = geometry.to_stock_pose(block).tolist()
    return np.array(
        [*agent, x, y, angle % (2 * math.pi), *velocity]
    )  # the library's own angle is never negative


class PairView(gym.Wrapper[Observation, NDArray[np.float64], Any, Any]):
    """The library's environment as `equiworld/PushT-v0` shows itself, with the agent's goal besides.

    `reset(options={"start": state, "goal": state})` begins a pair, `group_element` begins it turned. The episode ends
    when the predicate holds; all else that a step does is the library's.
    """

    def __init__(self, predicate: Predicate) -> None:
        super().__init__(pusht_class()())
        self.unwrapped.render = lambda: None  # type: ignore[method-assign]  # each would keep pictures of its goal
        self.predicate, self.symmetry = predicate, told_of_agent(pusht_symmetry(self.env))
        place = {"goal_agent_pos": spaces.Box(-np.inf, np.inf, (2,), np.float64)}
        self.observation_space = spaces.Dict({**observation_space().spaces, **place})  # type: ignore[assignment]
        self._reach = float(self.unwrapped.action_scale)  # type: ignore[attr-defined]
        self.action_space = Ball(2, self._reach)  # type: ignore[assignment]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a pair."""
        options = options or {}
        start, self._goal = options["start"], options["goal"]
        if (g := options.get("group_element")) is not None:
            start, self._goal = turned(start, g), turned(self._goal, g)
        shown, _ = self.env.reset(seed=seed, options={"state": start, "goal_state": self._goal})
        self._held = 0
        return self._seen(shown["state"])

    def step(self, action: NDArray[Any]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Put the agent's target `action` [px] away from it for a control period."""
        shown, reward, *_ = self.env.step(np.clip(np.asarray(action) / self._reach, -1.0, 1.0))
        self._held = self._held + 1 if self.predicate.holds(shown["state"], self._goal) else 0
        observation, info = self._seen(shown["state"])
        return observation, float(reward), info["is_success"], False, info

    def _seen(self, state: Array) -> tuple[Observation, dict[str, Any]]:
        away, turn = self.predicate.errors(state, self._goal)
        block = self.unwrapped.block  # type: ignore[attr-defined]
        gravity = block.local_to_world(block.center_of_gravity)
        observation = {
            "agent_pos": state[:2],
            "agent_vel": state[5:],
            **pose_entries("block", (gravity.x, gravity.y, block.angle)),
            **pose_entries("goal", tuple(geometry.from_stock_pose(self._goal[2:5]).tolist())),
            "goal_agent_pos": self._goal[:2],
        }
        info = {"state": state, "distance_px": float(away), "final_angle_deg": math.degrees(turn)}
        return observation, info | {"is_success": self._held >= self.predicate.hold}


@dataclass(frozen=True)
class SwmPushTWorld(PushTWorld):
    """Our PushT for data and models; loops, which begin with `loop_arguments`, run in the library's environment.

    Attributes:
        predicate: that ends an episode; where it asks for the agent too, so does the cost.
    """

    predicate: Predicate = HOME

    def modules(self) -> tuple[str, ...]:
        """As of our PushT: so its data and models are these too. Questions that import this module depend on it."""
        return PUSHT.modules()

    def make(self, predicate: Predicate | None = None, **arguments: Any) -> gym.Env:
        """The library's environment if there is a predicate, without a limit of steps; else ours."""
        return super().make(**arguments) if predicate is None else PairView(predicate)

    def loop_arguments(self, half_width: float) -> Mapping[str, Any]:
        """The predicate; walls stand."""
        return {"predicate": self.predicate}

    def orbit(self, count: int, seed: int) -> list[GroupElement]:
        """Elements of D4, which maps the walls onto themselves, the identity first."""
        return [E2().element(matrix) for matrix in Dihedral(4).elements().matrix[:count]]

    @property
    def task(self) -> Task:
        """PushT's own, and the agent's place where the predicate asks for it."""
        return replace(super().task, cost=own_cost) if self.predicate.agent else super().task

    def policy(self, model: WorldModel, seed: int, *settings: Any, **named: Any) -> MPCPolicy:
        """As in our PushT, told of the agent's goal as well, which no network sees."""
        declared = told_of_agent(model.declared)
        told = WorldModel(declared, model.recipe, model.seed, model.family, model.env_id).to(model.dtype)
        told.load_state_dict(model.state_dict())
        for name in ("action_repeat", "action_bound", "action_space", "scales", "single"):
            setattr(told, name, getattr(model, name))
        return super().policy(told, seed, *settings, **named)

    def judge(self, info: Mapping[str, Any], observation: Any) -> dict[str, float]:
        """Success, and how far the state is from the goal as the predicate measures it."""
        figures = {name: info[name] for name in ("distance_px", "final_angle_deg")}
        return World.judge(self, info, observation) | figures


JUDGED: Mapping[str, SwmPushTWorld] = {
    name: SwmPushTWorld(
        **{each.name: getattr(PUSHT, each.name) for each in fields(PUSHT)}, predicate=predicate
    )
    for name, predicate in {"swm-pusht": OWN, "swm-pusht-strict": STRICT}.items()
}
"""By the names that their cells have."""


def pairs_as_starts(pairs: Array) -> list[Start]:
    """Pairs `(N, 2, 7)` as tasks."""
    return [Start(0, {"start": start, "goal": goal}) for start, goal in pairs]


def draw_pairs(expert: WorldModel, count: int, offset: int, steps: int) -> Array:
    """Pairs `(n, 2, 7)` of states `offset` steps apart, one of each of an expert's episodes, at a time drawn evenly.

    Args:
        expert: its policy goes from our PushT's free starts to its random goals, until the T is there.
        count: of pairs that every predicate is to leave.
        offset: steps between start and goal; shorter episodes give no pair.
        steps: of an episode, at most.

    Raises:
        ArgumentError: many episodes do not give as many.
    """
    world, env = (
        replace(JUDGED["swm-pusht"], predicate=HOME),
        PUSHT.make(**PUSHT.trials["random goals"].arguments),
    )
    policy, found = world.policy(expert, 0), list[Array]()
    batch = min(AT_ONCE, 4 * count)
    for first in range(FIRST_EPISODE, FIRST_EPISODE + MOST_EPISODES, batch):
        tasks = list[Array]()
        for seed in range(first, first + batch):
            env.reset(seed=seed)
            drawn: PushTState = env.unwrapped.get_state()  # type: ignore[attr-defined]
            tasks.append(np.array([state_of(drawn.agent_pos, pose) for pose in (drawn.block, drawn.goal)]))
        starts, here = pairs_as_starts(np.array(tasks)), world.orbit(1, 0)
        (played,) = run_orbit(policy, world, starts, here, steps, world.loop_arguments(0.0)).episodes
        for seed, episode in enumerate(played, first):
            if len(episode) > offset:
                at = int(np.random.default_rng([seed, offset]).integers(len(episode) - offset))
                found.append(np.array([episode[at + later].info["state"] for later in (0, offset)]))
        if found and all(len(each.predicate.left_of(np.array(found))) >= count for each in JUDGED.values()):
            return np.array(found)
    raise ArgumentError(
        "expert_steps", steps, f"an expert that moves the T: of {len(found)} pairs few are left"
    )
