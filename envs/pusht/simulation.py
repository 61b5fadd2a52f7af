"""gym-pusht's physics, bit for bit, with an exact state and no rendering in the way."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pymunk._chipmunk_cffi import lib as chipmunk

from equiworld.arguments import flag
from equiworld.envs.arguments import finite
from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.controller import Pair
from equiworld.envs.pusht.engine import Engine, block_pose, new_engine, remembers_contact
from equiworld.errors import ArgumentError, SimulationError
from equiworld.groups import GroupElement
from equiworld.symmetry.fields import Field, Heading, Point, Vector

__all__ = ["PushTState", "Simulation"]

Pose = tuple[float, float, float]

_HEADING = Heading(axis=geometry.STEM_DIRECTION)

_REMEMBERED = 2_000
"""Control periods (200 s) after which a world is begun anew, once it can be; and for twice as many, at once."""


@dataclass(frozen=True)
class PushTState:
    """A start and the targets followed since. Lengths [px], speeds [px/s], angles [rad], float64.

    The engine remembers more than poses: cached contact impulses, penetration corrections on their way, the order
    in which contacts are solved. None of it can be read out whole, so the state of an episode is kept as what
    determines it: a fresh start and the targets since, which `set_state` follows again. A state without `targets`
    is a fresh start, at rest but for the agent's velocity. So that an episode without an end does not fill the
    memory, its world becomes a fresh start again once in a while; see `Simulation`.

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
        object.__setattr__(self, "targets", _pairs(self.targets))
        object.__setattr__(self, "settle", flag("state.settle", self.settle))

    def replace(self, **changes: Any) -> PushTState:
        """A copy with some attributes changed."""
        return replace(self, **changes)

    def transform(self, g: GroupElement) -> PushTState:
        """The state of the world turned or mirrored about the walls' centre and shifted by g, past included.

        A mirrored T is a T: its stem points where the mirror puts it.

        Raises:
            ArgumentError: g is not one isometry of the plane.
        """
        if g.matrix.shape != (2, 2):
            raise ArgumentError("g", f"matrix of shape {g.matrix.shape}", "one element of dimension 2")
        centre = np.asarray(geometry.CENTRE)

        def moved(field: Field, given: Any) -> Any:
            motion = field.motion(g, centre)
            assert motion is not None
            return tuple(
                motion._replace(low=None).applied(np.ravel(given)).tolist()
            )  # the engine wraps no angles

        def pose(given: Pose) -> Any:
            return (*moved(Point(), given[:2]), *moved(_HEADING, given[2:]))

        targets = moved(Point(), self.targets)
        return PushTState(
            moved(Point(), self.agent_pos),
            moved(Vector(), self.agent_vel),
            pose(self.block),
            pose(self.goal),
            self.settle,
            tuple(zip(targets[::2], targets[1::2], strict=True)),
        )


def _pairs(targets: Any) -> tuple[Pair, ...]:
    """Targets as plain numbers; all at once, as there may be thousands."""
    try:
        given = np.asarray(targets).reshape(len(targets), 2)
    except (TypeError, ValueError):
        given = np.array("no pairs")
    if given.dtype.kind not in "fiu" or not np.isfinite(given).all():
        raise ArgumentError("state.targets", repr(targets), "pairs of finite numbers")
    return tuple((x, y) for x, y in given.astype(np.float64).tolist())


class Simulation:
    """The pymunk world of gym-pusht: one kinematic disc, one quasi-static T, four walls or none.

    Made of gym-pusht's own T and constants in gym-pusht's order, so that the same targets give the same trajectory
    to the last bit, for 2,000 control periods at least. Then, as soon as no contact is remembered, a fresh engine
    takes over where things are; what the old one knew besides is the order in which it would solve contacts. One
    that is never without contact is replaced after 4,000 periods, and its contacts begin anew. The same targets
    from the same state give the same bits all the same, here and in every copy.

    Copies and pickles, also in the middle of an episode, go on bit for bit alike.

    Args:
        walls: whether the four walls stand.
    """

    def __init__(self, walls: bool = True) -> None:
        self.walls = walls
        self.placed_walls: geometry.Array | None = None

    def place_walls(self, segments: geometry.Array) -> None:
        """Put the four walls elsewhere, from the next state that is set on: `(4, 2, 2)`, from end to end [px]."""
        self.placed_walls = np.array(segments, np.float64).reshape(4, 2, 2)

    def __getstate__(self) -> dict[str, Any]:
        # Of the engine, which is C's, what it is made again from; of all else, what was set by hand too.
        kept = self.__dict__.copy()
        if "_engine" in kept:
            kept["_engine"] = self._engine.walls
        return kept

    def __setstate__(self, kept: dict[str, Any]) -> None:
        self.__dict__.update(kept)
        if "_engine" in kept:
            past = self._past()
            self._begin(self._start, kept["_engine"])
            for target in past:
                self._advance(target)

    def set_state(self, state: PushTState) -> None:
        """Put the world in a state, exactly: a fresh engine, the start, and the targets since."""
        self._begin(state, self.walls)
        for target in state.targets:
            self.step(target)

    def new_engine(self, walls: bool) -> Engine:
        """A fresh engine; for worlds in which other forces act."""
        return new_engine(walls, placed=self.placed_walls)

    def _begin(self, state: PushTState, walls: bool) -> None:
        """A fresh engine at the start of a state."""
        self._engine: Engine = self.new_engine(walls)
        engine = self._engine
        x, y, heading = state.block
        chipmunk.cpBodySetPosition(engine.agent, state.agent_pos)
        # The engine keeps the centre of gravity. Moving it with the block not yet turned, as gym-pusht does, and
        # with its offset out of the way, stores x and y without rounding; the heading then turns about it.
        chipmunk.cpBodySetCenterOfGravity(engine.block, (0.0, 0.0))
        chipmunk.cpBodySetPosition(engine.block, (x, y))
        chipmunk.cpBodySetCenterOfGravity(engine.block, geometry.GRAVITY)
        chipmunk.cpBodySetAngle(engine.block, heading)
        self._start = state if not state.targets else state.replace(targets=())
        self._targets = array("d")  # x and y by turns: they are many
        self._agent_pos, self._agent_vel = state.agent_pos, state.agent_vel
        self._pose = state.block
        if state.settle:
            chipmunk.cpSpaceStep(engine.space, geometry.TIME_STEP)
            self._read_block()

    def get_state(self) -> PushTState:
        """The state, exactly: `set_state(get_state())` changes no bit of what follows."""
        return self._start.replace(targets=self._past())

    def _past(self) -> tuple[Pair, ...]:
        return tuple(zip(self._targets[::2], self._targets[1::2], strict=True))

    def step(self, target: Pair) -> None:
        """One control period: ten engine steps of the agent's PD controller towards `target` [px].

        Raises:
            SimulationError: the physics engine left the finite numbers.
        """
        self._advance(target)
        if not all(map(math.isfinite, (*self._agent_pos, *self._pose))):
            raise SimulationError(
                f"the physics became non-finite: agent {self._agent_pos}, block {self._pose}"
            )
        periods = len(self._targets) // 2
        if periods >= 2 * _REMEMBERED or (periods >= _REMEMBERED and not remembers_contact(self._engine)):
            pose = block_pose(self._engine)
            self._begin(
                PushTState(self._agent_pos, self._agent_vel, pose, self._start.goal), self._engine.walls
            )

    def _advance(self, target: Pair) -> None:
        dt, stiffness, friction = geometry.TIME_STEP, geometry.STIFFNESS, geometry.DAMPING
        target_x, target_y = target
        x, y = self._agent_pos
        velocity_x, velocity_y = self._agent_vel
        space, agent = self._engine.space, self._engine.agent
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
        self._targets.extend((target_x, target_y))
        self._read_block()

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
