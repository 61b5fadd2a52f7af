"""Any MuJoCo simulator brought from s to g·s: what hangs on the world is moved, by its joints."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.verify.mechanism.quaternions import product, quaternion_of
from equiworld.verify.mechanism.roots import Root, roots_of
from equiworld.verify.mujoco_model import model_and_data
from equiworld.verify.wrapped import wrappers_of

__all__ = ["mujoco_move"]

Array = NDArray[np.float64]


def mujoco_move(env: gym.Env, g: GroupElement) -> Array | None:
    """Bring a MuJoCo simulator from s to g·s, for groups of space, which exchange no labels.

    Every joint of a body that hangs on the world is moved by x ↦ R x + t: free joints, ball joints, slides, hinges, and
    any of these in a row; mocap bodies and an array `env.goal` too. Joints further down stay, for they are told
    relative to what they hang on. Elements of the plane move the world's xy-plane. The solver's warm start goes with
    the state; what MuJoCo derives is made anew, also by the identity: begin comparisons with that.

    What is fixed to the world, such as a floor or a wall, stays: whether that is the same at g·s is what a check finds.

    Args:
        env: a Gymnasium environment with MuJoCo's `model` and `data`, reset.
        g: one element, about the origin of the world. Of those that reflect only where all that moves slides, for
            nothing says which bodies are their own mirror images.

    Returns:
        What is observed then, or None where wrappers change it.

    Raises:
        ArgumentError: no such environment; or g cannot be done by its joints: names the joint or the body.

    >>> from equiworld.groups import SO2
    >>> env = gym.make("Reacher-v5")
    >>> before, _ = env.reset(seed=0)
    >>> after = mujoco_move(env, SO2().rotation(np.pi / 2))  # the arm, its goal and the way between turn
    >>> all(np.allclose(after[at], [[0, -1], [1, 0]] @ before[at]) for at in ([0, 2], [4, 5], [8, 9]))
    True
    """
    import mujoco

    base: Any = env.unwrapped
    found = model_and_data(env)
    if found is None:
        raise ArgumentError("env", type(base).__name__, "an environment with MuJoCo's `model` and `data`")
    model, data = found
    matrix, shift = _in_space(g)
    if model.nmocap and np.linalg.det(matrix) < 0:
        raise ArgumentError("g", "a reflection", "a rotation or a shift: mocap bodies have an orientation")
    mujoco.mj_kinematics(model, data)
    qpos, qvel, warm = data.qpos.copy(), data.qvel.copy(), data.qacc_warmstart.copy()
    for body in roots_of(model):
        Root(model, data, body).move(matrix, shift, qpos, (qvel, warm))
    data.qpos[:], data.qvel[:] = qpos, qvel
    data.mocap_pos[:] = data.mocap_pos @ matrix.T + shift
    if model.nmocap:
        data.mocap_quat[:] = [product(quaternion_of(matrix), each) for each in data.mocap_quat]
    _move_goal(base, matrix, shift)
    mujoco.mj_forward(model, data)
    mujoco.mj_rnePostConstraint(model, data)  # contact forces, which some environments observe
    data.qacc_warmstart[:] = warm  # last, for mj_forward keeps its own solution there
    return _observed(env)


def _observed(env: gym.Env) -> Array | None:
    """What it shows now; None where wrappers change that, or nothing tells it."""
    if any(isinstance(each, gym.ObservationWrapper) for each in wrappers_of(env)):
        return None
    look = getattr(env.unwrapped, "_get_obs", None)
    return None if look is None else look()


def _in_space(g: GroupElement) -> tuple[Array, Array]:
    """R and t in three dimensions."""
    if not isinstance(g, GroupElement) or g.batch_shape:
        raise ArgumentError("g", g, "one group element, such as SE2().rotation(0.3)")
    if g.stored_label is not None and int(g.label):
        raise ArgumentError("g", g, "an element that moves space alone, and exchanges no labels")
    matrix, shift = np.eye(3), np.zeros(3)
    matrix[: g.dim, : g.dim], shift[: g.dim] = g.matrix, g.translation
    return matrix, shift


def _move_goal(base: Any, matrix: Array, shift: Array) -> None:
    """A goal that the environment keeps as a place, beside what the simulator knows of it."""
    goal = getattr(base, "goal", None)
    if isinstance(goal, np.ndarray) and goal.shape in ((2,), (3,)) and goal.dtype.kind == "f":
        place = np.zeros(3)
        place[: len(goal)] = goal
        base.goal = (matrix @ place + shift)[: len(goal)].astype(goal.dtype)
