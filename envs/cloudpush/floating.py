"""What floats in MuJoCo and is pushed by a position-controlled sphere, with an exact state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from equiworld.envs.cloudpush import engine
from equiworld.envs.cloudpush.engine import Physics
from equiworld.envs.cloudpush.geometry import Array, Pose
from equiworld.envs.cloudpush.shapes import Shape
from equiworld.errors import SimulationError

__all__ = ["Floating"]


class Floating(ABC):
    """Free rigid bodies of one shape, and the sphere, in MuJoCo.

    Args:
        shape: of the bodies.
        physics: what else acts on them.
        bodies: how many.

    Raises:
        gymnasium.error.DependencyNotInstalled: MuJoCo is not installed.
    """

    def __init__(self, shape: Shape, physics: Physics, bodies: int = 1) -> None:
        self.shape, self.physics, self.bodies = shape, physics, bodies
        self.model = engine.make_model(shape, physics, bodies)
        self.data = engine.load_mujoco().MjData(self.model)

    @abstractmethod
    def set_state(self, state: Any) -> None:
        """Put the world in a state, exactly: whatever the engine remembers included."""

    @abstractmethod
    def get_state(self, state: Any) -> Any:
        """`state` with all that the engine holds put in: `set_state` of it changes no bit of what follows."""

    def step(self, target: ArrayLike) -> None:
        """One control period of 0.1 s: the end-effector is drawn to `target` `(3,)` [m].

        Raises:
            SimulationError: the physics engine left the finite numbers, or gave up on something else.
        """
        data = self.data
        data.ctrl[:] = target
        engine.load_mujoco().mj_step(self.model, data, engine.SUBSTEPS)
        # The engine warns of what it cannot do, and goes on with something else.
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

    def _put(self, state: Any, bodies: Iterable[Pose], velocities: Iterable[Iterable[float]]) -> None:
        """Put the engine in a state whose bodies are there, and move so: of the centre of mass, then spins."""
        data = self.data
        engine.load_mujoco().mj_resetData(self.model, data)
        data.qpos[:] = np.concatenate(
            [state.agent_pos, *((*pose.position, *pose.quaternion) for pose in bodies)]
        )
        data.qvel[:] = np.concatenate([state.agent_vel, *velocities])
        data.qacc_warmstart[:] = state.warmstart
        data.ctrl[:] = state.agent_pos if state.target is None else state.target
        data.time = state.time

    def _held(self) -> dict[str, Any]:
        """What states of any number of bodies have of what the engine holds."""
        data = self.data
        return {
            "agent_pos": tuple(data.qpos[:3].tolist()),
            "agent_vel": tuple(data.qvel[:3].tolist()),
            "target": tuple(data.ctrl.tolist()),
            "warmstart": tuple(data.qacc_warmstart.tolist()),
            "time": data.time,
        }
