"""PushT with a direction of its own: forces, drag, walls or actuators that break its symmetry by a dose."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.envs.registration import register, registry
from numpy.typing import NDArray
from pymunk._chipmunk_cffi import ffi
from pymunk._chipmunk_cffi import lib as chipmunk
from torch import Tensor

from equiworld.arguments import flag
from equiworld.benchmarks.worlds.pusht import PUSHT, PushTWorld
from equiworld.benchmarks.worlds.world import StepErrors
from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.context import walls_context
from equiworld.envs.pusht.engine import Engine, new_engine
from equiworld.envs.pusht.env import PushTEnv
from equiworld.envs.pusht.exploration import PushExploration
from equiworld.envs.pusht.observation import Observation
from equiworld.envs.pusht.simulation import PushTState, Simulation
from equiworld.envs.pusht.symmetry import pusht_symmetry
from equiworld.envs.pusht.task import TASK
from equiworld.errors import ArgumentError
from equiworld.groups import Dihedral, Group, GroupElement
from equiworld.models import WorldModel
from equiworld.rollout import Start
from equiworld.symmetry import Channel, Context, Features, Symmetry, Vector, register_symmetry, with_context
from equiworld.tasks import Task, register_task
from equiworld.tasks.objective import as_objective
from equiworld.training import Dataset

__all__ = ["BREAKS", "BrokenPushTEnv", "BrokenPushTWorld", "broken_pusht"]

ENV_ID = "equiworld/BrokenPushT-v0"
AT_WALL, NEAR_WALLS, UNMOVED = 1.0, 5.0, 1e-6  # [px]

BREAKS: Mapping[str, Callable[[float], Mapping[str, Any]]] = {
    "nothing": lambda dose: {},
    "gravity": lambda dose: {"drift": dose},
    "drag": lambda dose: {"glide": dose},
    "walls": lambda dose: {"walls": True, "inset": dose},
    "actuators": lambda dose: {"askew": dose},
}
"""What is broken, and the environment's arguments for a dose of it."""


class BrokenPushTEnv(PushTEnv):
    """PushT, with what breaks its symmetry.

    Args:
        walls: whether walls stand.
        inset: how much nearer to the centre they do than gym-pusht's [px]; episodes begin with the block off them.
        drift: of a free block, towards −y, under a force like gravity [px/s].
        glide: share of the block's velocity along x that drag leaves after an engine step of 0.01 s; of that along y,
            and of its spin, it leaves nothing, as gym-pusht's does of all.
        askew: angle by which actuators turn every action [°]. That commutes with turns, not with mirrors.
        observed: whether walls and drift, those that there are, are observed.
        others: of `PushTEnv`.
    """

    def __init__(
        self,
        walls: bool = False,
        inset: float = 0.0,
        drift: float = 0.0,
        glide: float = 0.0,
        askew: float = 0.0,
        observed: bool = False,
        **others: Any,
    ) -> None:
        super().__init__(walls=walls, **others)
        self.observed, self._breaking = flag("observed", observed), (walls, inset, drift)
        if not 0.0 <= glide < 1.0:
            raise ArgumentError("glide", glide, "a share, at least 0 and less than 1")
        self.simulation = _Broken(walls, inset, drift, glide)
        self.exploration = PushExploration(walls, interior=inset)
        angle = math.radians(askew)
        self._actuators = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        if self.observed:
            more = {
                one.name: spaces.Box(-np.inf, np.inf, (len(one.value),), np.float64) for one in self.contexts
            }
            self.observation_space = spaces.Dict({**self.observation_space.spaces, **more})  # type: ignore[attr-defined,assignment]

    @property
    def contexts(self) -> tuple[Context, ...]:
        """Walls and drift, those that there are."""
        walls, inset, drift = self._breaking
        found = [walls_context(inset)] if walls else []
        return (*found, *([Context("drift", Vector(), (0.0, -drift))] if drift else []))

    def _observation(self) -> Observation:
        shown = super()._observation()
        return shown | {one.name: np.array(one.value) for one in self.contexts} if self.observed else shown

    def step(self, action: NDArray[Any]) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return super().step(self._actuators @ np.asarray(action))


class _Broken(Simulation):
    """The physics with another force on the block, another drag, or nearer walls; see `BrokenPushTEnv`."""

    def __init__(self, walls: bool, inset: float, drift: float, glide: float) -> None:
        super().__init__(walls)
        self.inset, self.drift, self.glide = inset, drift, glide

    def new_engine(self, walls: bool) -> Engine:
        engine = new_engine(walls, self.inset, self.placed_walls)
        # Drag leaves a free block what the force gives it within one step.
        chipmunk.cpSpaceSetGravity(engine.space, (0.0, -self.drift / geometry.TIME_STEP))
        if self.glide:
            chipmunk.cpBodySetVelocityUpdateFunc(engine.block, _gliding(self.glide))
        return engine


@lru_cache(maxsize=64)  # which keeps alive what engines call
def _gliding(glide: float) -> Any:
    """The engine's own update of a velocity, v′ = gravity · dt where all is dragged away, with what is left of v_x."""

    def update(body: Any, gravity: Any, damping: float, dt: float) -> None:
        left = glide * chipmunk.cpBodyGetVelocity(body).x / dt
        chipmunk.cpBodyUpdateVelocity(body, (gravity.x + left, gravity.y), damping, dt)

    return ffi.callback("void(cpBody *, cpVect, cpFloat, cpFloat)", update)


if ENV_ID not in registry:
    register(id=ENV_ID, entry_point=f"{__name__}:BrokenPushTEnv", max_episode_steps=300)


def _symmetry(env: Any) -> Symmetry:
    """That of the whole world, which models go on believing in; or with what breaks it among what is observed."""
    whole, made = pusht_symmetry(env), env.unwrapped
    return with_context(whole, made.contexts) if made.observed and made.contexts else whole


register_symmetry(ENV_ID, _symmetry)
register_task(ENV_ID, TASK)


@dataclass(frozen=True)
class BrokenPushTWorld(PushTWorld):
    """Errors are of all transitions: what walls do is a part of the question."""

    def modules(self) -> tuple[str, ...]:
        """Those of the world that it was too."""
        return (*PUSHT.modules(), __name__)

    @property
    def kept(self) -> Group | None:
        """Between four walls the symmetry of the square; where all drifts nothing that has a name."""
        return Dihedral(4) if self.arguments.get("walls") else None

    @property
    def guarded(self) -> Task:
        """Its task, whose cost adds by how much the corners of the block would be in walls, all together [px]."""
        if self.kept is None:
            return TASK
        half = (
            geometry.WALL_HIGH - geometry.WALL_RADIUS - geometry.CENTRE[0] - self.arguments.get("inset", 0.0)
        )

        def depth(state: Features, channels: Mapping[str, Channel], *_: Any) -> Tensor:
            position, heading = (
                state.select(channels[name])[..., 0] for name in ("block_pos", "block_heading")
            )
            x, y = geometry.KEYPOINTS.T
            c, s = math.cos(channels["block_heading"].axis), math.sin(channels["block_heading"].axis)
            along, across = (position.new_tensor(each) for each in (c * x + s * y, c * y - s * x))
            u, v = heading[..., :1], heading[..., 1:]
            corners = torch.cat(
                [position[..., :1] + along * u - across * v, position[..., 1:] + along * v + across * u], -1
            )
            return (corners.abs() - half).clamp(min=0.0).sum(-1)

        return replace(TASK, cost=as_objective(TASK.cost) + as_objective(depth), group=self.kept)

    def regions(self, data: Dataset) -> dict[str, NDArray[np.bool_]]:
        """Where transitions lie, by region.

        The block is at a wall, within 1 px of it at one end of the transition; near one, within 5 px; pushed away from
        all; or not touched.
        """
        poses = [
            np.concatenate([arrays["block_pos"], arrays["block_heading"]], -1)
            for arrays in (data.observation, data.next_observation)
        ]
        gap = np.min([geometry.wall_gap(pose) for pose in poses], 0) - self.arguments.get("inset", 0.0)
        gap = gap if self.arguments.get("walls") else np.full_like(gap, np.inf)
        at, near = gap <= AT_WALL, gap <= NEAR_WALLS
        moved = np.abs(poses[1] - poses[0]).max(-1) > UNMOVED
        return {
            "at a wall": at,
            "near walls": near & ~at,
            "in contact": moved & ~near,
            "free": ~moved & ~near,
        }

    def tasks(self, count: int, seed: int) -> dict[str, list[Start]]:
        """Tasks by region: block and goal both near a wall, or both well inside; a push of 40 to 110 px and a turn."""
        rng = np.random.default_rng([seed, 17])
        walls, inset = bool(self.arguments.get("walls")), self.arguments.get("inset", 0.0)
        gaps = (
            {"near walls": (1.0, 15.0), "interior": (60.0, math.inf)}
            if walls
            else {"interior": (60.0, math.inf)}
        )
        return {
            region: [Start(0, {"state": _task(rng, low + inset, high + inset)}) for _ in range(count)]
            for region, (low, high) in gaps.items()
        }

    def errors(
        self, model: WorldModel, data: Dataset, g: GroupElement | None = None
    ) -> dict[str, StepErrors]:
        """Of the block's eight corners [px]."""
        parts = list(super().errors(model, data, g).values())
        error, motion = (
            np.concatenate([getattr(one, name) for one in parts]) for name in ("error", "motion")
        )
        return {"everywhere": StepErrors(error, motion, parts[0].points)}


def _task(rng: np.random.Generator, low: float, high: float) -> PushTState:
    """Block and goal with a gap to the walls within these limits, 40 to 110 px and at most 60° apart."""
    explored = PushExploration(True, interior=low)
    while True:
        state: PushTState = explored.start(rng)["state"]
        x, y, heading = state.block
        far, way = rng.uniform(40.0, 110.0), rng.uniform(-math.pi, math.pi)
        turn = rng.uniform(-math.pi / 3, math.pi / 3)
        goal = (x + far * math.cos(way), y + far * math.sin(way), heading + turn)
        if all(low <= float(geometry.wall_gap(pose)) <= high for pose in (state.block, goal)):
            return state.replace(goal=goal)


def broken_pusht(what: str, dose: float, observed: bool = False) -> BrokenPushTWorld:
    """The world with a dose of one of `BREAKS`, which may be observed."""
    if what not in BREAKS:
        raise ArgumentError("broken", what, "what can be broken", BREAKS)
    shared = {name: getattr(PUSHT, name) for name in ("unit", "shifts", "scales", "trials")}
    arguments, name = dict(BREAKS[what](dose)), f"pusht-{what}-{dose:g}"
    if observed:
        arguments, name = {**arguments, "observed": True}, f"{name}-observed"
    return BrokenPushTWorld(name, ENV_ID, arguments, **shared)
