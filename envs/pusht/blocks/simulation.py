"""The physics of several Ts, with an exact state."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pymunk._chipmunk_cffi import lib as chipmunk

from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.blocks.state import BlocksState
from equiworld.envs.pusht.controller import Pair
from equiworld.envs.pusht.engine import new_space
from equiworld.envs.pusht.simulation import Pose
from equiworld.errors import SimulationError

__all__ = ["BlocksSimulation"]

_ITERATIONS = 300
"""Of the solver. By 10, Chipmunk's own number, an order in which contacts are solved is felt, and that depends on how
the scene is turned: two blocks that touch come apart by up to .5 px from their turned twins, by 300 by 2e-4 px."""


class BlocksSimulation:
    """gym-pusht's agent and several of its Ts, which touch each other too, without walls.

    The engine solves contacts one after the other, in the order in which it got to know the blocks. So that exchanging
    the blocks changes nothing, it gets to know them in an order of its own: by how far they are from the agent.
    """

    def __getstate__(self) -> dict[str, Any]:
        return {"state": self.get_state()} if hasattr(self, "_start") else {}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        if "state" in kept:
            self.set_state(kept["state"])

    def set_state(self, state: BlocksState) -> None:
        """Put the world in a state, exactly: a fresh engine, the start, and the targets since."""
        apart = [math.dist(state.agent_pos, pose[:2]) for pose in state.blocks]
        self._space, self._agent, engines = new_space(len(state.blocks), iterations=_ITERATIONS)
        self._blocks: list[Any] = [None] * len(engines)
        chipmunk.cpBodySetPosition(self._agent, state.agent_pos)
        for body, place in zip(engines, np.argsort(apart, kind="stable").tolist(), strict=True):
            x, y, heading = state.blocks[place]
            # As in `Simulation`: the centre of gravity is kept without rounding.
            chipmunk.cpBodySetCenterOfGravity(body, (0.0, 0.0))
            chipmunk.cpBodySetPosition(body, (x, y))
            chipmunk.cpBodySetCenterOfGravity(body, geometry.GRAVITY)
            chipmunk.cpBodySetAngle(body, heading)
            self._blocks[place] = body
        self._start, self._targets = state.replace(targets=()), list[Pair]()
        self._agent_pos, self._agent_vel, self._poses = state.agent_pos, state.agent_vel, state.blocks
        for target in state.targets:
            self.step(target)

    def get_state(self) -> BlocksState:
        """The state, exactly: `set_state(get_state())` changes no bit of what follows."""
        return self._start.replace(targets=tuple(self._targets))

    def step(self, target: Pair) -> None:
        """One control period: ten engine steps of the agent's PD controller towards `target` [px].

        Raises:
            SimulationError: the physics engine left the finite numbers.
        """
        dt, stiffness, friction = geometry.TIME_STEP, geometry.STIFFNESS, geometry.DAMPING
        (x, y), (velocity_x, velocity_y) = self._agent_pos, self._agent_vel
        for _ in range(geometry.ENGINE_STEPS):
            velocity_x += (stiffness * (target[0] - x) + friction * (0.0 - velocity_x)) * dt
            velocity_y += (stiffness * (target[1] - y) + friction * (0.0 - velocity_y)) * dt
            chipmunk.cpBodySetVelocity(self._agent, (velocity_x, velocity_y))
            chipmunk.cpSpaceStep(self._space, dt)
            x += velocity_x * dt
            y += velocity_y * dt
        self._agent_pos, self._agent_vel = (x, y), (velocity_x, velocity_y)
        self._targets.append(target)
        self._poses = tuple(map(_pose, self._blocks))
        if not all(map(math.isfinite, (x, y, *(number for pose in self._poses for number in pose)))):
            raise SimulationError(f"the physics became non-finite: agent {(x, y)}, blocks {self._poses}")

    @property
    def poses(self) -> tuple[Pose, ...]:
        """Centre of gravity x, y [px] and heading [rad], not wrapped, of each block."""
        return self._poses

    @property
    def agent_pos(self) -> Pair:
        """Agent position [px]."""
        return self._agent_pos

    @property
    def agent_vel(self) -> Pair:
        """Agent velocity [px/s]."""
        return self._agent_vel


def _pose(block: Any) -> Pose:
    centre = chipmunk.cpBodyLocalToWorld(block, geometry.GRAVITY)
    return centre.x, centre.y, chipmunk.cpBodyGetAngle(block)
