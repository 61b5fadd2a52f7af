"""A bare MuJoCo model as an environment: positions and velocities are seen, controls are the actions."""

from __future__ import annotations

import os
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.groups import SE2
from equiworld.symmetry import Field, Parts, Point, Rotation, Scalar, Symmetry, Vector
from equiworld.verify.mechanism.model_map import BALL, FREE

__all__ = ["ModelEnv"]

_PERIOD = 0.02  # [s] between actions
_SPREAD = 0.1  # of resets, in positions and velocities
_RATE = 8.0  # [rad/s] a typical size
_NO_NUMBERS = np.zeros(0)


class ModelEnv(gym.Env[NDArray[np.float64], NDArray[np.float64]]):
    """A model file, stepped: what is audited where there is a robot and no task.

    Observation: qpos and qvel, float64. Action: the controls, in their ranges, or within ±1 where they have none; of a
    model without actuators one number that does nothing. There is no reward, and no end. Resets spread about the first
    keyframe, or about the reference pose if there is none.

    Its own `symmetry`, of models that hang on free joints, is what gravity leaves: turns about it and shifts across it;
    None of other models, whose roots say more.

    Args:
        model: path of an XML file, or an `mujoco.MjModel`.

    Raises:
        ArgumentError: MuJoCo cannot read it.

    >>> import mujoco
    >>> text = "<mujoco><worldbody><body><freejoint/><geom size='.1'/></body></worldbody></mujoco>"
    >>> env = ModelEnv(mujoco.MjModel.from_xml_string(text))
    >>> env.reset(seed=0)[0].shape, env.symmetry.group
    ((13,), SE2(axis=(0.0, 0.0, 1.0)))
    """

    def __init__(self, model: str | os.PathLike[str] | Any) -> None:
        import mujoco

        if isinstance(model, str | os.PathLike):
            try:
                model = mujoco.MjModel.from_xml_path(os.fspath(model))
            except ValueError as error:
                got = f"{os.fspath(model)} ({' '.join(str(error).split())})"
                raise ArgumentError("model", got, "an XML file that MuJoCo reads") from error
        if not isinstance(model, mujoco.MjModel):
            raise ArgumentError("model", type(model).__name__, "the path of an XML file, or an MjModel")
        self.model, self.data = model, mujoco.MjData(model)
        self.symmetry = _left_by_gravity(model)
        self.frame_skip = max(1, round(_PERIOD / model.opt.timestep))
        size = model.nq + model.nv
        self.observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float64)
        limited = model.actuator_ctrllimited.astype(bool)
        low, high = model.actuator_ctrlrange.T if model.nu else (_NO_NUMBERS, _NO_NUMBERS)
        ends = np.where(limited, low, -1.0), np.where(limited, high, 1.0)
        if not model.nu:  # no environment acts with nothing
            ends = -np.ones(1), np.ones(1)
        self.action_space = spaces.Box(*ends, dtype=np.float64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Begin near the keyframe, or the reference pose."""
        import mujoco

        super().reset(seed=seed)
        if self.model.nkey:
            mujoco.mj_resetDataKeyframe(self.model, self.data, 0)
        else:
            mujoco.mj_resetData(self.model, self.data)
        way = _SPREAD * self.np_random.normal(size=self.model.nv)
        mujoco.mj_integratePos(self.model, self.data.qpos, way, 1.0)
        self.data.qvel[:] = _SPREAD * _RATE * self.np_random.normal(size=self.model.nv)
        mujoco.mj_forward(self.model, self.data)
        return self._get_obs(), {}

    def step(self, action: Any) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """Hold the controls for one period."""
        import mujoco

        self.data.ctrl[:] = np.asarray(action)[: self.model.nu]
        mujoco.mj_step(self.model, self.data, self.frame_skip)
        return self._get_obs(), 0.0, False, False, {}

    def _get_obs(self) -> NDArray[np.float64]:
        return np.concatenate([self.data.qpos, self.data.qvel])


def _left_by_gravity(model: Any) -> Symmetry | None:
    """Turns about gravity and shifts across it, of a model that hangs on free joints; None of others."""
    roots = [body for body in range(1, model.nbody) if model.body_parentid[body] == 0]
    for body in roots:
        first, count = model.body_jntadr[body], model.body_jntnum[body]
        if count and (count > 1 or model.jnt_type[first] != FREE):
            return None
    gravity = np.asarray(model.opt.gravity, np.float64)
    axis = -gravity if gravity.any() else np.array([0.0, 0.0, 1.0])
    positions, velocities = dict[str, Field](), dict[str, Field]()
    for joint in range(model.njnt):
        name = model.joint(joint).name or str(joint)
        if model.jnt_type[joint] == FREE:
            positions[f"place of {name}"] = Point()
            positions[f"orientation of {name}"] = Rotation(form="wxyz")
            velocities[f"velocity of {name}"] = Vector()
            velocities[f"spin of {name}"] = Scalar(3, scale=_RATE)  # in the body's own axes
        else:
            ball = model.jnt_type[joint] == BALL
            positions[f"angle of {name}"] = Scalar(4 if ball else 1)
            velocities[f"rate of {name}"] = Scalar(3 if ball else 1, scale=_RATE)
    fields = {"observation": Parts({**positions, **velocities})}
    action = Scalar(max(model.nu, 1))
    return Symmetry(SE2(tuple(axis.tolist())), fields, action, flat=True, reward=False)
