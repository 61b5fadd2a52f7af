"""The physics of several bodies in space, with an exact state."""

from __future__ import annotations

import numpy as np

from equiworld.envs.cloudpush.bodies.state import BodiesState
from equiworld.envs.cloudpush.floating import Floating
from equiworld.envs.cloudpush.geometry import Array, rotation_matrix

__all__ = ["BodiesSimulation"]


class BodiesSimulation(Floating):
    """Free rigid bodies of one shape, which touch each other too, and a position-controlled sphere in MuJoCo."""

    def set_state(self, state: BodiesState) -> None:
        self._put(state, state.bodies, state.velocities)

    def get_state(self, state: BodiesState) -> BodiesState:
        velocities = tuple(map(tuple, self.data.qvel[3:].reshape(-1, 6).tolist()))
        return state.replace(bodies=self.poses, velocities=velocities, **self._held())

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
