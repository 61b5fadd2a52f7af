"""States of environments on MuJoCo: Gymnasium's, Gymnasium-Robotics', dm_control's through shimmy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.groups import GroupElement
from equiworld.groups.arrays import Array
from equiworld.verify.auditing.access import StateAccess
from equiworld.verify.auditing.memory_states import numbers_of
from equiworld.verify.mechanism.model_map import BALL, FREE
from equiworld.verify.moving import observe_now
from equiworld.verify.mujoco_model import model_and_data

__all__ = ["MujocoStates"]


class MujocoStates(StateAccess):
    """All of MjData, warm start and what the last step derived included, and the environment's own numbers.

    Args:
        move: `move(env, g)` brings the simulator from s to g·s; what MuJoCo derives is made anew there, also by the
            identity, so that both sides begin alike.
    """

    def __init__(self, move: Callable[[gym.Env, GroupElement], Any]) -> None:
        self.move = move

    def get(self, env: gym.Env) -> tuple[Any, dict[str, Any]]:
        """A copy of both."""
        import copy

        found = model_and_data(env)
        assert found is not None
        return copy.copy(found[1]), numbers_of(env.unwrapped)

    def begin(self, env: gym.Env, state: tuple[Any, dict[str, Any]], g: GroupElement) -> Any:
        """Copied back, and then moved."""
        import copy

        import mujoco

        found = model_and_data(env)
        assert found is not None
        if hasattr(mujoco, "mj_copyData"):
            mujoco.mj_copyData(found[1], found[0], state[0])
        else:
            _copy_arrays(found[1], found[0], state[0])
        vars(env.unwrapped).update(copy.deepcopy(state[1]))
        observation = self.move(env, g)
        return observe_now(env) if observation is None else observation

    def numbers(self, env: gym.Env) -> Mapping[str, Array]:
        """Positions with orientations as matrices, velocities, and the actuators' own state."""
        import mujoco

        found = model_and_data(env)
        assert found is not None
        model, data = found
        parts: list[Array] = []
        for kind, place in zip(model.jnt_type.tolist(), model.jnt_qposadr.tolist(), strict=True):
            if kind in (FREE, BALL):
                start, matrix = place + 3 * (kind == FREE), np.zeros(9)
                mujoco.mju_quat2Mat(matrix, data.qpos[start : start + 4].copy())
                parts += [data.qpos[place:start].copy(), matrix]
            else:
                parts.append(data.qpos[place : place + 1].copy())
        return {
            "positions": np.concatenate(parts or [np.zeros(0)]),
            "velocities": data.qvel.copy(),
            "activations": data.act.copy(),
        }


def _copy_arrays(data: Any, model: Any, saved: Any) -> None:
    """Older MuJoCo has no copy into data that are there: its state, then every array of a size that the model says."""
    import mujoco

    spec = mujoco.mjtState.mjSTATE_INTEGRATION
    state = np.zeros(mujoco.mj_stateSize(model, spec))
    mujoco.mj_getState(model, saved, state, spec)
    mujoco.mj_setState(model, data, state, spec)
    mujoco.mj_forward(model, data)  # contacts and what else has no fixed size
    for name in dir(saved):
        one, other = getattr(saved, name, None), getattr(data, name, None)
        if isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and one.shape == other.shape:
            other[...] = one
