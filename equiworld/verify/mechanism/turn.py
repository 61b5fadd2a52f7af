"""The world turned about gravity while the mechanism's own axes stay: joints at the roots take it up."""

from __future__ import annotations

import numpy as np

from equiworld.errors import ArgumentError
from equiworld.verify.mechanism.model_map import Array, Model
from equiworld.verify.mechanism.quaternions import product, quaternion_of
from equiworld.verify.mechanism.roots import Root, roots_of

__all__ = ["WorldTurn"]


class WorldTurn:
    """The action on a model's state of a rotation of space about a vertical axis through the origin.

    Args:
        model: a mujoco.MjModel.
        angle: [rad].

    Raises:
        ArgumentError: its roots cannot do that, such as an arm that is fixed to the world elsewhere.

    >>> import mujoco
    >>> model = mujoco.MjModel.from_xml_string(
    ...     "<mujoco><worldbody><body><freejoint/><geom size='.1'/></body></worldbody></mujoco>")
    >>> WorldTurn(model, np.pi / 2).move_positions(np.array([1.0, 0, 0, 1, 0, 0, 0]))[:3].round(9) + 0.0
    array([0., 1., 0.])
    """

    def __init__(self, model: Model, angle: float) -> None:
        import mujoco

        up = -np.array(model.opt.gravity)
        length = np.linalg.norm(up)
        up = up / length if length else np.array([0.0, 0.0, 1.0])
        across = np.array([[0.0, -up[2], up[1]], [up[2], 0.0, -up[0]], [-up[1], up[0], 0.0]])
        self.isometry: Array = np.eye(3) + np.sin(angle) * across + (1 - np.cos(angle)) * across @ across
        self._model, self._data = model, mujoco.MjData(model)
        self._roots = list(roots_of(model))
        if not self._roots:
            raise ArgumentError("model", "nothing that moves", "bodies on joints")
        self.move_positions(np.array(model.qpos0))  # refuses what cannot be done

    def within_ranges(self, qpos: Array) -> bool:
        """Whether roots stay in the ranges of their joints."""
        model, moved = self._model, self.move_positions(qpos)
        limited = np.flatnonzero(model.jnt_limited)
        single = moved[model.jnt_qposadr[limited]]
        low, high = model.jnt_range[limited].T
        changed = single != qpos[model.jnt_qposadr[limited]]
        return not (changed & ((single < low) | (single > high))).any()

    def move_positions(self, qpos: Array) -> Array:
        """ρ(g) of positions `(nq,)`."""
        return self._moved(qpos, np.zeros(self._model.nv))[0]

    def move_tangents(self, rates: Array) -> Array:
        """ρ(g) of velocities or forces `(nv,)`."""
        return self._moved(np.array(self._model.qpos0), rates)[1]

    def move_controls(self, controls: Array) -> Array:
        """ρ(g) of controls `(nu,)`: they are told in the mechanism's own axes."""
        return controls

    def move_mocap(self, places: Array, quaternions: Array) -> tuple[Array, Array]:
        """ρ(g) of where mocap bodies are, and of their quaternions."""
        turned = [product(quaternion_of(self.isometry), each) for each in quaternions]
        return places @ self.isometry.T, np.reshape(turned, (-1, 4))

    def _moved(self, qpos: Array, rates: Array) -> tuple[Array, Array]:
        import mujoco

        self._data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, self._data)
        found, turned = np.array(qpos), np.array(rates)
        for body in self._roots:
            Root(self._model, self._data, body, ranged=False).move(
                self.isometry, np.zeros(3), found, (turned,)
            )
        return found, turned
