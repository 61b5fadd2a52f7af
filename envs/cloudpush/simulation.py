"""The physics of CloudPush, with an exact state."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from equiworld.envs.arguments import finite
from equiworld.envs.cloudpush import engine
from equiworld.envs.cloudpush.engine import Physics
from equiworld.envs.cloudpush.floating import Floating
from equiworld.envs.cloudpush.geometry import Array, Pose, Quad, Triple, multiply, quaternion_of
from equiworld.envs.cloudpush.geometry import rotation_matrix as matrix_of
from equiworld.envs.cloudpush.shapes import Shape
from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.groups.axis import Axis
from equiworld.symmetry.fields import Point, Vector

__all__ = ["CloudPushState", "Simulation"]

_STILL = (0.0, 0.0, 0.0)
_SIZES = {"agent_pos": 3, "body_pos": 3, "body_quat": 4, "goal_pos": 3, "goal_quat": 4, "agent_vel": 3}
_SIZES |= {"body_vel": 3, "body_spin": 3, "target": 3, "camera": 3, "warmstart": 9}


@dataclass(frozen=True)
class CloudPushState:
    """All that determines what follows. Lengths [m], speeds [m/s], spins [rad/s], float64.

    Attributes:
        agent_pos: centre of the end-effector.
        body_pos: centre of mass of the body.
        body_quat: unit quaternion (w, x, y, z) from body axes to world axes.
        goal_pos: likewise, of the goal.
        goal_quat: likewise.
        agent_vel: velocity of the end-effector.
        body_vel: velocity of the centre of mass.
        body_spin: angular velocity, in body axes.
        target: of the end-effector in the last control period; where it is, if None.
        warmstart: accelerations that the engine's solver begins with: agent 3, body 3, body's spin 3.
        camera: unit vector from the scene to the camera, which turns with the scene; drawn if None and needed.
        cloud_key: of the random numbers that the clouds of the episode are drawn with; drawn itself if None.
        step: control periods since the start; cloud number `step` is shown.
        time: since the start [s].
    """

    agent_pos: Triple
    body_pos: Triple
    body_quat: Quad
    goal_pos: Triple
    goal_quat: Quad
    agent_vel: Triple = _STILL
    body_vel: Triple = _STILL
    body_spin: Triple = _STILL
    target: Triple | None = None
    warmstart: tuple[float, ...] = (0.0,) * 9
    camera: Triple | None = None
    cloud_key: int | None = None
    step: int = 0
    time: float = 0.0

    def __post_init__(self) -> None:
        for name, size in _SIZES.items():
            value = getattr(self, name)
            if value is not None or name not in ("target", "camera"):
                object.__setattr__(self, name, finite(f"state.{name}", value, size))
        for name in ("body_quat", "goal_quat", "camera"):
            value = getattr(self, name)
            if value is not None and not abs(math.hypot(*value) - 1) < 1e-6:
                raise ArgumentError(f"state.{name}", value, "a vector of length 1")
        for name in ("cloud_key", "step"):
            value = getattr(self, name)
            if value is None and name == "cloud_key":
                continue
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 0 <= value < 2**63:
                raise ArgumentError(f"state.{name}", repr(value), "an integer from 0 to 2⁶³ − 1")
            object.__setattr__(self, name, int(value))
        object.__setattr__(self, "time", finite("state.time", (self.time,), 1)[0])

    @property
    def body(self) -> Pose:
        """Where the body is."""
        return Pose(self.body_pos, self.body_quat)

    @property
    def goal(self) -> Pose:
        """Where it should be."""
        return Pose(self.goal_pos, self.goal_quat)

    def replace(self, **changes: Any) -> CloudPushState:
        """A copy with some attributes changed."""
        return replace(self, **changes)

    def transform(self, g: GroupElement) -> CloudPushState:
        """The state of the world turned about the origin and shifted by g, camera and solver included.

        Raises:
            ArgumentError: g is not one proper isometry of space.
        """
        if g.matrix.shape != (3, 3):
            raise ArgumentError("g", f"matrix of shape {g.matrix.shape}", "one element of dimension 3")
        if np.linalg.det(g.matrix) < 0:
            raise ArgumentError("g", repr(g), "a proper isometry: turned, not mirrored")
        turned = quaternion_of(g.matrix)

        def vector(v: ArrayLike) -> Any:
            return tuple(Vector(np.size(v) // 3).transform(g, v).tolist())

        def point(p: ArrayLike) -> Any:
            return tuple(Point().transform(g, p).tolist())

        return self.replace(
            agent_pos=point(self.agent_pos),
            body_pos=point(self.body_pos),
            body_quat=multiply(turned, self.body_quat),
            goal_pos=point(self.goal_pos),
            goal_quat=multiply(turned, self.goal_quat),
            agent_vel=vector(self.agent_vel),
            body_vel=vector(self.body_vel),
            target=None if self.target is None else point(self.target),
            warmstart=(*vector(self.warmstart[:6]), *self.warmstart[6:]),
            camera=None if self.camera is None else vector(self.camera),
        )


class Simulation(Floating):
    """A free rigid body and a position-controlled sphere in MuJoCo.

    Args:
        shape: of the body.
        physics: what else acts on it.

    Raises:
        gymnasium.error.DependencyNotInstalled: MuJoCo is not installed.
    """

    def __init__(self, shape: Shape, physics: Physics) -> None:
        super().__init__(shape, physics)
        self.table_placed = False

    def place_gravity(self, gravity: ArrayLike) -> None:
        """Let gravity `(3,)` [m/s²] pull elsewhere."""
        self.model.opt.gravity[:] = gravity

    def place_table(self, middle: ArrayLike, normal: ArrayLike) -> None:
        """Put the table elsewhere: a point of it `(3,)` [m], and its normal `(3,)`."""
        mujoco, table = engine.load_mujoco(), self.model.geom("table").id
        self.model.geom_quat[table] = quaternion_of(Axis(np.asarray(normal)).basis)
        self.model.geom_pos[table] = middle
        self.model.geom_sameframe[table] = (
            mujoco.mjtSameFrame.mjSAMEFRAME_NONE
        )  # it was at the world's origin
        # Boxes about static geometries were made when the model was compiled, and would hide the table from bodies.
        self.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_MIDPHASE
        self.table_placed = True

    def set_state(self, state: CloudPushState) -> None:
        self._put(state, [state.body], [state.body_vel, state.body_spin])

    def get_state(self, state: CloudPushState) -> CloudPushState:
        body, velocity = self.body_pose, self.data.qvel.tolist()
        return state.replace(
            body_pos=body.position,
            body_quat=body.quaternion,
            body_vel=velocity[3:6],
            body_spin=velocity[6:],
            **self._held(),
        )

    @property
    def body_pose(self) -> Pose:
        """Where the body is."""
        return self.poses[0]

    @property
    def body_vel(self) -> Array:
        """Velocity of the centre of mass `(3,)` [m/s]."""
        return self.data.qvel[3:6].copy()

    @property
    def body_angular_vel(self) -> Array:
        """Angular velocity `(3,)` [rad/s], in world axes."""
        return matrix_of(self.data.qpos[6:]) @ self.data.qvel[6:]
