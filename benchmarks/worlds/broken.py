"""PushT with a direction of its own: forces, drag, walls or actuators that break its symmetry by a dose."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from gymnasium.envs.registration import register, registry
from numpy.typing import NDArray
from pymunk._chipmunk_cffi import ffi
from pymunk._chipmunk_cffi import lib as chipmunk

from equiworld.benchmarks.worlds.pusht import PUSHT, PushTWorld
from equiworld.benchmarks.worlds.world import StepErrors
from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.engine import Engine, new_engine
from equiworld.envs.pusht.env import PushTEnv
from equiworld.envs.pusht.exploration import PushExploration
from equiworld.envs.pusht.simulation import Simulation
from equiworld.envs.pusht.symmetry import pusht_symmetry
from equiworld.envs.pusht.task import TASK
from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.models import WorldModel
from equiworld.symmetry import register_symmetry
from equiworld.tasks import register_task
from equiworld.training import Dataset

__all__ = ["BREAKS", "BrokenPushTEnv", "BrokenPushTWorld", "broken_pusht"]

ENV_ID = "equiworld/BrokenPushT-v0"

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
        others: of `PushTEnv`.
    """

    def __init__(
        self,
        walls: bool = False,
        inset: float = 0.0,
        drift: float = 0.0,
        glide: float = 0.0,
        askew: float = 0.0,
        **others: Any,
    ) -> None:
        super().__init__(walls=walls, **others)
        if not 0.0 <= glide < 1.0:
            raise ArgumentError("glide", glide, "a share, at least 0 and less than 1")
        self.simulation = _Broken(walls, inset, drift, glide)
        self.exploration = PushExploration(walls, interior=inset)
        angle = math.radians(askew)
        self._actuators = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])

    def step(self, action: NDArray[Any]) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return super().step(self._actuators @ np.asarray(action))


class _Broken(Simulation):
    """The physics with another force on the block, another drag, or nearer walls; see `BrokenPushTEnv`."""

    def __init__(self, walls: bool, inset: float, drift: float, glide: float) -> None:
        super().__init__(walls)
        self.inset, self.drift, self.glide = inset, drift, glide

    def new_engine(self, walls: bool) -> Engine:
        engine = new_engine(walls, self.inset)
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
register_symmetry(ENV_ID, pusht_symmetry)  # that of the whole world: what models go on believing
register_task(ENV_ID, TASK)


@dataclass(frozen=True)
class BrokenPushTWorld(PushTWorld):
    """Errors are of all transitions: what walls do is a part of the question."""

    def modules(self) -> tuple[str, ...]:
        """Those of the world that it was too."""
        return (*PUSHT.modules(), __name__)

    def errors(
        self, model: WorldModel, data: Dataset, g: GroupElement | None = None
    ) -> dict[str, StepErrors]:
        """Of the block's eight corners [px]."""
        parts = list(super().errors(model, data, g).values())
        error, motion = (
            np.concatenate([getattr(one, name) for one in parts]) for name in ("error", "motion")
        )
        return {"everywhere": StepErrors(error, motion, parts[0].points)}


def broken_pusht(what: str, dose: float) -> BrokenPushTWorld:
    """The world with a dose of one of `BREAKS`."""
    if what not in BREAKS:
        raise ArgumentError("broken", what, "what can be broken", BREAKS)
    shared = {name: getattr(PUSHT, name) for name in ("unit", "shifts", "scales", "trials")}
    return BrokenPushTWorld(f"pusht-{what}-{dose:g}", ENV_ID, BREAKS[what](dose), **shared)
