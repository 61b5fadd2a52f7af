"""Any MuJoCo simulator brought from s to g·s: what hangs on the world is moved, by its joints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.verify.mujoco_model import model_and_data

__all__ = ["mujoco_move"]

Array = NDArray[np.float64]

_FREE, _BALL, _SLIDE = 0, 1, 2  # mjJNT_FREE, mjJNT_BALL, mjJNT_SLIDE; a hinge is 3
_SPHERE, _CAPSULE, _CYLINDER = 2, 3, 5  # mjGEOM_…; the latter are round about their third axis
_SLACK = 1e-9  # [m], and of unit vectors


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
    for body in _roots(model):
        _Root(model, data, body).move(matrix, shift, qpos, (qvel, warm))
    data.qpos[:], data.qvel[:] = qpos, qvel
    data.mocap_pos[:] = data.mocap_pos @ matrix.T + shift
    if model.nmocap:
        data.mocap_quat[:] = [_product(_quaternion(matrix), each) for each in data.mocap_quat]
    _move_goal(base, matrix, shift)
    mujoco.mj_forward(model, data)
    mujoco.mj_rnePostConstraint(model, data)  # contact forces, which some environments observe
    data.qacc_warmstart[:] = warm  # last, for mj_forward keeps its own solution there
    return _observed(env)


def _observed(env: gym.Env) -> Array | None:
    """What it shows now; None where wrappers change that, or nothing tells it."""
    inner: Any = env
    while isinstance(inner, gym.Wrapper):
        if isinstance(inner, gym.ObservationWrapper):
            return None
        inner = inner.env
    look = getattr(inner, "_get_obs", None)
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


def _roots(model: Any) -> Iterator[int]:
    """The bodies that move and hang on what does not."""
    for body in range(1, model.nbody):
        parent = model.body_parentid[body]
        if model.body_jntnum[body] and model.body_weldid[parent] == 0:
            if model.body_mocapid[model.body_rootid[body]] >= 0:
                continue  # it goes with what it hangs on
            yield body


def _move_goal(base: Any, matrix: Array, shift: Array) -> None:
    """A goal that the environment keeps as a place, beside what the simulator knows of it."""
    goal = getattr(base, "goal", None)
    if isinstance(goal, np.ndarray) and goal.shape in ((2,), (3,)) and goal.dtype.kind == "f":
        place = np.zeros(3)
        place[: len(goal)] = goal
        base.goal = (matrix @ place + shift)[: len(goal)].astype(goal.dtype)


class _Root:
    """A body that hangs on the world, by joints one after the other."""

    def __init__(self, model: Any, data: Any, body: int) -> None:
        self.model, self.data, self.body = model, data, body
        first = model.body_jntadr[body]
        self.joints = list(range(first, first + model.body_jntnum[body]))
        kinds = model.jnt_type[self.joints].tolist()
        turning = [joint for joint, kind in zip(self.joints, kinds, strict=True) if kind != _SLIDE]
        self.turning = turning[0] if turning else None
        stop = self.joints.index(self.turning) if self.turning is not None else len(self.joints)
        self.slides = self.joints[:stop]

    def move(self, matrix: Array, shift: Array, qpos: Array, tangents: tuple[Array, ...]) -> None:
        """Change its joints' numbers in qpos and in each tangent (qvel, accelerations)."""
        model = self.model
        moves = np.abs(matrix - np.eye(3)).max() > 0
        if self.turning is not None and np.linalg.det(matrix) < 0:
            got = f"a reflection of body {model.body(self.body).name!r}"
            expected = "a rotation or a shift: nothing says which bodies are their own mirror images"
            raise ArgumentError("g", got, expected)
        if self.turning is not None and model.jnt_type[self.turning] == _FREE:
            place, rate = model.jnt_qposadr[self.turning], model.jnt_dofadr[self.turning]
            qpos[place : place + 3] = matrix @ qpos[place : place + 3] + shift
            turned = _product(_quaternion(matrix), qpos[place + 3 : place + 7])
            qpos[place + 3 : place + 7] = turned  # its spin is told in its own axes, and stays
            for each in tangents:
                each[rate : rate + 3] = matrix @ each[rate : rate + 3]
            return
        self._slide(matrix, shift, qpos, tangents)
        if self.turning is None and moves:
            self._check_round(matrix)
        elif self.turning is not None and moves:
            self._turn(self.turning, matrix, qpos)

    def _slide(self, matrix: Array, shift: Array, qpos: Array, tangents: tuple[Array, ...]) -> None:
        """Bring the place that it turns about to where g takes it."""
        model, data = self.model, self.data
        joint = self.joints[0] if self.turning is None else self.turning
        here = data.xpos[self.body] if self.turning is None else data.xanchor[self.turning]
        way = matrix @ here + shift - here
        axes = data.xaxis[self.slides].T  # (3, k), fixed in the world: nothing turns before them
        name = model.joint(self.slides[0] if self.slides else joint).name
        expected = "an element that its joints can do"
        if not self.slides:
            if np.abs(way).max() > _SLACK:
                got = f"one that takes joint {name!r}, which is fixed to the world, {np.linalg.norm(way):.2g} away"
                raise ArgumentError("g", got, expected)
            return
        inverse = np.linalg.pinv(axes)
        turned = inverse @ matrix @ axes  # of velocities along the slides
        if np.abs(axes @ turned - matrix @ axes).max() > _SLACK:
            raise ArgumentError("g", f"one that turns the axis of slide {name!r} out of its slides", expected)
        if np.abs(axes @ inverse @ way - way).max() > _SLACK:
            raise ArgumentError(
                "g", f"one that takes the body of slide {name!r} where it cannot slide", expected
            )
        qpos[model.jnt_qposadr[self.slides]] += inverse @ way
        rates = model.jnt_dofadr[self.slides]
        for each in tangents:
            each[rates] = turned @ each[rates]
        self._check_range(self.slides, qpos)

    def _turn(self, joint: int, matrix: Array, qpos: Array) -> None:
        """Turn it, by its first joint that turns: what comes after it is told relative to it."""
        model, data = self.model, self.data
        place = model.jnt_qposadr[joint]
        if model.jnt_type[joint] == _BALL:
            own = self._before()  # the orientation that the ball starts from
            own_back = own * np.array([1.0, -1.0, -1.0, -1.0])
            turn = _product(own_back, _product(_quaternion(matrix), own))
            qpos[place : place + 4] = _product(turn, qpos[place : place + 4])
            return
        axis = data.xaxis[joint]
        if np.abs(matrix @ axis - axis).max() > _SLACK:
            got = f"one that turns the axis of hinge {model.joint(joint).name!r}"
            raise ArgumentError("g", got, "a turn about that axis: nothing else lets it turn")
        across = np.eye(3)[np.abs(axis).argmin()]
        across = across - axis * (across @ axis)
        turned = matrix @ across
        qpos[place] += np.arctan2(np.cross(across, turned) @ axis, across @ turned)
        self._check_range([joint], qpos)

    def _before(self) -> Array:
        """The orientation of the body before its first joint that turns, as a quaternion: that of what it hangs on."""
        parent = self.data.xquat[self.model.body_parentid[self.body]]
        return _product(parent, self.model.body_quat[self.body])

    def _check_range(self, joints: list[int], qpos: Array) -> None:
        for joint in joints:
            low, high = self.model.jnt_range[joint]
            value = qpos[self.model.jnt_qposadr[joint]]
            if self.model.jnt_limited[joint] and not low - _SLACK <= value <= high + _SLACK:
                got = f"one that takes joint {self.model.joint(joint).name!r} to {value:.4g}"
                raise ArgumentError("g", got, f"one that keeps it in its range, [{low:.4g}, {high:.4g}]")

    def _check_round(self, matrix: Array) -> None:
        """What only slides cannot be turned: it has to look the same."""
        model, name = self.model, self.model.body(self.body).name
        got = f"one that turns body {name!r}, which slides and does not turn"
        if (model.body_parentid[1:] == self.body).any():
            raise ArgumentError("g", got, "a shift: other bodies hang on it")
        first = model.body_geomadr[self.body]
        for geom in range(first, first + model.body_geomnum[self.body]):
            middle, kind = self.data.geom_xpos[geom] - self.data.xpos[self.body], model.geom_type[geom]
            axis = self.data.geom_xmat[geom].reshape(3, 3)[:, 2]
            axial = kind in (_CAPSULE, _CYLINDER) and np.abs(np.abs(matrix @ axis @ axis) - 1) < _SLACK
            if not (kind == _SPHERE or axial) or np.abs(matrix @ middle - middle).max() > _SLACK:
                raise ArgumentError("g", got, "a shift, or round bodies")


def _quaternion(matrix: Array) -> Array:
    """The quaternion wxyz of a rotation; exactly 1 of the identity."""
    import mujoco

    found = np.zeros(4)
    mujoco.mju_mat2Quat(found, matrix.ravel())
    return found


def _product(left: Array, right: Array) -> Array:
    """Hamilton's product of quaternions wxyz, of any norm."""
    import mujoco

    found = np.zeros(4)
    mujoco.mju_mulQuat(found, left, right)
    return found
