"""The physics of several bodies in space, with an exact state."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from equiworld.envs.cloudpush import engine
from equiworld.envs.cloudpush.bodies.state import BodiesState
from equiworld.envs.cloudpush.engine import Physics
from equiworld.envs.cloudpush.geometry import Array, Pose, rotation_matrix
from equiworld.envs.cloudpush.shapes import Shape
from equiworld.errors import SimulationError

__all__ = ["BodiesSimulation"]


class BodiesSimulation:
    """Free rigid bodies of one shape, which touch each other too, and a position-controlled sphere in MuJoCo.

    Args:
        shape: of the bodies.
        physics: what else acts on them.
        bodies: how many.

    Raises:
        gymnasium.error.DependencyNotInstalled: MuJoCo is not installed.
    """

    def __init__(self, shape: Shape, physics: Physics, bodies: int) -> None:
        self.shape, self.physics, self.bodies = shape, physics, bodies
        self.model = engine.make_model(shape, physics, bodies)
        self.data = engine.load_mujoco().MjData(self.model)

    def set_state(self, state: BodiesState) -> None:
        """Put the world in a state, exactly: whatever the engine remembers included."""
        data = self.data
        engine.load_mujoco().mj_resetData(self.model, data)
        data.qpos[:] = np.concatenate(
            [state.agent_pos, *((*pose.position, *pose.quaternion) for pose in state.bodies)]
        )
        data.qvel[:] = np.concatenate([state.agent_vel, *state.velocities])
        data.qacc_warmstart[:] = state.warmstart
        data.ctrl[:] = state.agent_pos if state.target is None else state.target
        data.time = state.time

    def get_state(self, state: BodiesState) -> BodiesState:
        """`state` with all that the engine holds put in: `set_state` of it changes no bit of what follows."""
        data = self.data
        return state.replace(
            agent_pos=tuple(data.qpos[:3].tolist()),
            bodies=self.poses,
            agent_vel=tuple(data.qvel[:3].tolist()),
            velocities=tuple(map(tuple, data.qvel[3:].reshape(-1, 6).tolist())),
            target=tuple(data.ctrl.tolist()),
            warmstart=tuple(data.qacc_warmstart.tolist()),
            time=data.time,
        )

    def step(self, target: ArrayLike) -> None:
        """One control period of 0.1 s: the end-effector is drawn to `target` `(3,)` [m].

        Raises:
            SimulationError: the physics engine left the finite numbers, or gave up on something else.
        """
        data = self.data
        data.ctrl[:] = target
        engine.load_mujoco().mj_step(self.model, data, engine.SUBSTEPS)
        if data.warning.number.any() or not np.isfinite(data.qpos).all():
            raise SimulationError(
                f"the physics became non-finite or overflowed: target {np.asarray(target).tolist()}, "
                f"positions {data.qpos.tolist()}"
            )

    @property
    def agent_pos(self) -> Array:
        """Centre of the end-effector `(3,)` [m]."""
        return self.data.qpos[:3].copy()

    @property
    def agent_vel(self) -> Array:
        """Its velocity `(3,)` [m/s]."""
        return self.data.qvel[:3].copy()

    @property
    def poses(self) -> tuple[Pose, ...]:
        """Where each body is."""
        numbers = self.data.qpos[3:].reshape(-1, 7).tolist()
        return tuple(Pose((x, y, z), tuple(quaternion)) for x, y, z, *quaternion in numbers)

    @property
    def velocities(self) -> Array:
        """Velocity of each body's centre of mass `(n, 3)` [m/s]."""
        return self.data.qvel[3:].reshape(-1, 6)[:, :3].copy()

    @property
    def angular_velocities(self) -> Array:
        """Angular velocity of each body `(n, 3)` [rad/s], in world axes."""
        spins = self.data.qvel[3:].reshape(-1, 6)[:, 3:]
        turns = np.stack([rotation_matrix(pose.quaternion) for pose in self.poses])
        return np.einsum("nij,nj->ni", turns, spins)
