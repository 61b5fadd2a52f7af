"""gym-pusht's physics, bit for bit, with an exact state and no rendering in the way."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from equiworld.envs.arguments import finite
from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.engine import new_engine
from pymunk._chipmunk_cffi import lib as chipmunk

from equiworld.errors import ArgumentError, SimulationError
from equiworld.groups import GroupElement

__all__ = ["PushTState", "Simulation"]

Pair = tuple[float, float]
Pose = tuple[float, float, float]


@dataclass(frozen=True)
class PushTState:
    """A start and the targets followed since. Lengths [px], speeds [px/s], angles [rad], float64.

    The engine remembers more than poses: cached contact impulses, penetration corrections on their way, the order
    in which contacts are solved. None of it can be read out whole, so the state of an episode is kept as what
    determines it: a fresh start and the targets since, which `set_state` follows again. A state without `targets`
    is a fresh start, at rest but for the agent's velocity.

    Attributes:
        agent_pos: agent position at the start.
        agent_vel: agent velocity at the start.
        block: block pose at the start: centre of gravity x, y and heading.
        goal: goal pose, likewise.
        settle: whether one engine step passes before the episode begins, as in gym-pusht's own resets.
        targets: the agent's target in each control period since.
    """

    agent_pos: Pair
    agent_vel: Pair
    block: Pose
    goal: Pose
    settle: bool = False
    targets: tuple[Pair, ...] = ()

    def __post_init__(self) -> None:
        for name, size in (("agent_pos", 2), ("agent_vel", 2), ("block", 3), ("goal", 3)):
            object.__setattr__(self, name, finite(f"state.{name}", getattr(self, name), size))
        object.__setattr__(self, "targets", tuple(finite("state.targets", pair, 2) for pair in self.targets))

    def replace(self, **changes: Any) -> PushTState:
        """A copy with some attributes changed."""
        return replace(self, **changes)

    def transform(self, g: GroupElement) -> PushTState:
        """The state of the world turned about the walls' centre and shifted by g, past included.

        Raises:
            ArgumentError: g is not one proper isometry of the plane.
        """
        if g.matrix.shape != (2, 2):
            raise ArgumentError("g", f"matrix of shape {g.matrix.shape}", "one element of dimension 2")
        if np.linalg.det(g.matrix) < 0:
            raise ArgumentError("g", repr(g), "a proper isometry: turned, not mirrored")
        turn = math.atan2(g.matrix[1, 0], g.matrix[0, 0])
        centre = np.asarray(geometry.CENTRE)

        def point(p: Pair) -> Pair:
            x, y = (g.matrix @ (np.asarray(p) - centre) + g.translation + centre).tolist()
            return x, y

        def pose(p: Pose) -> Pose:
            return (*point((p[0], p[1])), p[2] + turn)

        velocity_x, velocity_y = (g.matrix @ np.asarray(self.agent_vel)).tolist()
        return PushTState(
            point(self.agent_pos),
            (velocity_x, velocity_y),
            pose(self.block),
            pose(self.goal),
            self.settle,
            tuple(point(target) for target in self.targets),
        )


class Simulation:
    """The pymunk world of gym-pusht: one kinematic disc, one quasi-static T, four walls or none.

    Made of gym-pusht's own T and constants in gym-pusht's order, so that the same targets give the same trajectory
    to the last bit.

    Args:
        walls: whether the four walls stand.
    """

    def __init__(self, walls: bool = True) -> None:
        self.walls = walls

    def set_state(self, state: PushTState) -> None:
        """Put the world in a state, exactly: a fresh engine, the start, and the targets since."""
        self._engine = engine = new_engine(self.walls)
        x, y, heading = state.block
        chipmunk.cpBodySetPosition(engine.agent, state.agent_pos)
        # The engine keeps the centre of gravity. Moving it with the block not yet turned, as gym-pusht does, and
        # with its offset out of the way, stores x and y without rounding; the heading then turns about it.
        chipmunk.cpBodySetCenterOfGravity(engine.block, (0.0, 0.0))
        chipmunk.cpBodySetPosition(engine.block, (x, y))
        chipmunk.cpBodySetCenterOfGravity(engine.block, geometry.GRAVITY)
        chipmunk.cpBodySetAngle(engine.block, heading)
        self._start = state if not state.targets else state.replace(targets=())
        self._targets: list[Pair] = []
        self._agent_pos, self._agent_vel = state.agent_pos, state.agent_vel
        self._pose = state.block
        if state.settle:
            chipmunk.cpSpaceStep(engine.space, geometry.TIME_STEP)
            self._read_block()
        for target in state.targets:
            self.step(target)

    def get_state(self) -> PushTState:
        """The state, exactly: `set_state(get_state())` changes no bit of what follows."""
        return self._start.replace(targets=tuple(self._targets))

    def step(self, target: Pair) -> None:
        """One control period: ten engine steps of the agent's PD controller towards `target` [px].

        Raises:
            SimulationError: the physics engine left the finite numbers.
        """
        dt, stiffness, friction = geometry.TIME_STEP, geometry.STIFFNESS, geometry.DAMPING
        target_x, target_y = target
        x, y = self._agent_pos
        velocity_x, velocity_y = self._agent_vel
        space, agent, _ = self._engine
        set_velocity, engine_step = chipmunk.cpBodySetVelocity, chipmunk.cpSpaceStep
        for _ in range(geometry.ENGINE_STEPS):
            velocity_x += (stiffness * (target_x - x) + friction * (0.0 - velocity_x)) * dt
            velocity_y += (stiffness * (target_y - y) + friction * (0.0 - velocity_y)) * dt
            set_velocity(agent, (velocity_x, velocity_y))
            engine_step(space, dt)
            # The agent is kinematic: nothing but its own velocity moves it.
            x += velocity_x * dt
            y += velocity_y * dt
        self._agent_pos = x, y
        self._agent_vel = velocity_x, velocity_y
        self._targets.append((target_x, target_y))
        self._read_block()
        if not all(map(math.isfinite, (x, y, *self._pose))):
            raise SimulationError(f"the physics became non-finite: agent ({x}, {y}), block {self._pose}")

    def _read_block(self) -> None:
        block = self._engine.block
        gravity = chipmunk.cpBodyLocalToWorld(block, geometry.GRAVITY)
        self._pose = gravity.x, gravity.y, chipmunk.cpBodyGetAngle(block)

    @property
    def block_pose(self) -> Pose:
        """Block centre of gravity x, y [px] and heading [rad], not wrapped."""
        return self._pose

    @property
    def agent_pos(self) -> Pair:
        """Agent position [px]."""
        return self._agent_pos

    @property
    def agent_vel(self) -> Pair:
        """Agent velocity [px/s]."""
        return self._agent_vel
