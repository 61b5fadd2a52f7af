"""The symmetry of Gymnasium-Robotics' Fetch: a hand that is told where to go, about gravity, as its arm lets it."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.envs.known.mujoco_state import observed
from equiworld.errors import ArgumentError
from equiworld.groups import SE2, Group, GroupElement
from equiworld.symmetry import (
    Concatenation,
    Field,
    Parts,
    Point,
    Pseudovector,
    Rotation,
    Scalar,
    Symmetry,
    Vector,
)

__all__ = ["fetch_symmetry", "move_fetch"]

Array = NDArray[np.float64]

_UP = (0.0, 0.0, 1.0)
_LENGTH = 0.1  # [m] a typical way, and how far elements shift
_PACE, _SPIN = 0.02, 0.05  # [m], [rad] in a step, typical
_FIXED = 1e6  # damping of joints that do not move, in practice
_ITERATIONS, _CLOSE = 50, 1e-12  # of Newton's method; [m], [rad]
_STEP = 0.3  # [rad] at most, in one iteration
_REACH = (
    "approximately, within the arm's reach: a step of 10 to 40 mm ends .2 mm from where it should in the median, "
    "1.1 mm at worst; nowhere for the rates of the blocked fingers, which slide along an axis that does not turn"
)
_PUSH = (
    "approximately, within the arm's reach and on the table: a step of 10 to 40 mm ends .4 mm from where it should in "
    "the median, 3 mm at worst; at the block coarsely, for the fingers that push it do not turn, and nowhere for the "
    "rates of these"
)
_EDGE = 0.035  # [m] half the block's diagonal: nearer the table's edge it may hang over


def fetch_symmetry(env: gym.Env, group: Group | None = None) -> Symmetry:
    """How a FetchReach or a FetchPush transforms: turns about gravity, and shifts along the table.

    The hand's place is a point, what it is told a displacement and the opening of its fingers; the hand keeps its
    orientation whatever it does. The block's place, orientation (Euler's angles), velocity relative to the hand and
    angular velocity turn too. All is about where the hand begins.

    The symmetry is approximate, for an arm holds the hand, and it hangs on a shoulder that stays where it is.

    Args:
        env: as `gym.make("FetchReach-v4", …)` or `gym.make("FetchPush-v4", …)` made it.
        group: another one about gravity, such as E2(axis=(0, 0, 1)) for a hand alone; SE2 if None.
    """
    base: Any = env.unwrapped
    parts: dict[str, Field] = {"hand": Point()}
    if base.has_object:
        parts |= {"block": Point(), "way": Vector(scale=_LENGTH)}
    parts |= {"fingers": Scalar(2, scale=0.05)}
    if base.has_object:
        parts |= {
            "turned": Rotation(form="XYZ"),
            "drift": Vector(scale=_PACE),
            "spin": Pseudovector(scale=_SPIN),
        }
    parts |= {"pace": Vector(scale=_PACE), "finger_rates": Scalar(2, scale=0.05)}
    return Symmetry(
        SE2(axis=_UP) if group is None else group,
        {"observation": Parts(parts), "achieved_goal": Point(), "desired_goal": Point()},
        action=Concatenation((Vector(), Scalar())),
        state=tuple(parts),
        goal={"desired_goal": "block" if base.has_object else "hand"},
        reference="block" if base.has_object else "hand",
        centre=tuple(base.initial_gripper_xpos.tolist()),
        length_scale=_LENGTH,
        holds=_PUSH if base.has_object else _REACH,
    )


def move_fetch(env: gym.Env, g: GroupElement) -> Any:
    """Bring a Fetch from s to g·s: the hand by its arm, the block by its free joint, and the goal.

    The arm's joints are found by Newton's method from where they are: the hand comes where g takes it, in the
    orientation that it has, for that does not turn. Their rates change by as little as gives the hand its velocity.
    What is observed is g·(what was observed before) to rounding; the arm behind it is another one.

    Args:
        env: reset.
        g: an element about gravity.

    Returns:
        What is observed then, or None where wrappers change it.

    Raises:
        ArgumentError: g turns gravity, or reflects a block; or it takes the hand out of the arm's reach, or the block
            off the table.
    """
    import mujoco

    base: Any = env.unwrapped
    model, data, arm = base.model, base.data, _Arm(base.model, base.data)
    centre, matrix, shift = np.asarray(base.initial_gripper_xpos), np.asarray(g.matrix), g.translation
    if np.abs(matrix @ _UP - _UP).max() > 1e-9:
        raise ArgumentError("g", "one that turns gravity", "an element about the axis (0, 0, 1)")

    def act(place: Array) -> Array:
        return np.asarray(centre + matrix @ (place - centre) + shift)

    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    mujoco.mj_comVel(model, data)
    qpos, qvel, warm = data.qpos.copy(), data.qvel.copy(), data.qacc_warmstart.copy()
    velocity, away = arm.twist(), data.mocap_pos - data.xpos[arm.body]
    try:
        arm.reach(act(data.site_xpos[arm.site].copy()))
        velocity[:3] = matrix @ velocity[:3]
        arm.hurry(velocity)
        if base.has_object:
            _move_block(model, data, matrix, act)
    except ArgumentError:
        data.qpos[:], data.qvel[:] = qpos, qvel
        mujoco.mj_forward(model, data)
        raise
    data.mocap_pos[:] = data.xpos[arm.body] + away @ matrix.T
    base.goal = act(base.goal)
    mujoco.mj_forward(model, data)
    data.qacc_warmstart[:] = warm  # last, for mj_forward keeps its own solution there
    return observed(env)


def _move_block(model: Any, data: Any, matrix: Array, act: Any) -> None:
    """The block, by its free joint; its angular velocity is told in its own axes, and stays."""
    import mujoco

    joint = model.joint("object0:joint")
    place, rate = joint.qposadr[0], joint.dofadr[0]
    if np.linalg.det(matrix) < 0:
        raise ArgumentError("g", "a reflection", "a turn or a shift: the block has an orientation")
    here = data.qpos[place : place + 3].copy()
    there, quaternion, turned = act(here), np.zeros(4), np.zeros(4)
    table = model.geom(int(model.body("table0").geomadr[0]))
    middle, half = data.geom_xpos[table.id], table.size - _EDGE
    if (
        np.abs(there - here).max() > 0.0
        and (np.abs((np.stack([here, there]) - middle)[:, :2]) > half[:2]).any()
    ):
        raise ArgumentError(
            "g", "one that takes the block off the table, or it lies below", "one that leaves it there"
        )
    mujoco.mju_mat2Quat(quaternion, matrix.ravel())
    mujoco.mju_mulQuat(turned, quaternion, data.qpos[place + 3 : place + 7])
    data.qpos[place : place + 3], data.qpos[place + 3 : place + 7] = there, turned
    data.qvel[rate : rate + 3] = matrix @ data.qvel[rate : rate + 3]


class _Arm:
    """The joints between shoulder and hand.

    Args:
        model: of MuJoCo.
        data: of MuJoCo, changed in place.
    """

    def __init__(self, model: Any, data: Any) -> None:
        self.model, self.data = model, data
        self.site = model.site("robot0:grip").id
        self.body = int(model.site_bodyid[self.site])
        joints, body = list[int](), self.body
        while body:
            first = model.body_jntadr[body]
            joints += [] if first < 0 else range(first, first + model.body_jntnum[body])
            body = model.body_parentid[body]
        moving = [joint for joint in joints if model.dof_damping[model.jnt_dofadr[joint]] < _FIXED]
        self.joints = np.array(moving[::-1])
        self.places, self.rates = model.jnt_qposadr[self.joints], model.jnt_dofadr[self.joints]

    def jacobian(self) -> Array:
        """Of the hand's place and orientation by all rates, `(6, nv)`, where the data's kinematics are."""
        import mujoco

        place, turn = np.zeros((2, 3, self.model.nv))
        mujoco.mj_jacSite(self.model, self.data, place, turn, self.site)
        return np.concatenate([place, turn])

    def twist(self) -> Array:
        """The hand's velocity and angular velocity, in the world's axes, `(6,)`."""
        return self.jacobian() @ self.data.qvel

    def hurry(self, twist: Array) -> None:
        """Change the arm's rates, by as little as gives the hand this velocity and angular velocity."""
        jacobian = self.jacobian()
        self.data.qvel[self.rates] += np.linalg.pinv(jacobian[:, self.rates]) @ (
            twist - jacobian @ self.data.qvel
        )

    def reach(self, place: Array) -> None:
        """Bring the hand there, in the orientation that it has.

        Raises:
            ArgumentError: no joints within their ranges do.
        """
        import mujoco

        model, data = self.model, self.data
        axes, first = data.site_xmat[self.site].reshape(3, 3).copy(), data.qpos[self.places].copy()
        for _ in range(_ITERATIONS):
            now = data.site_xmat[self.site].reshape(3, 3)
            turn = 0.5 * np.cross(now.T, axes.T).sum(0)
            off = np.concatenate([place - data.site_xpos[self.site], turn])
            if np.abs(off).max() < _CLOSE:
                break
            way = np.linalg.pinv(self.jacobian()[:, self.rates]) @ off
            data.qpos[self.places] += way / max(1.0, np.abs(way).max() / _STEP)
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
        low, high = model.jnt_range[self.joints].T
        low, high = np.minimum(low, first), np.maximum(high, first)  # where they end is soft
        beyond = (data.qpos[self.places] < low) | (data.qpos[self.places] > high)
        if not np.abs(off).max() < 1e3 * _CLOSE or (beyond & (model.jnt_limited[self.joints] > 0)).any():
            where = ", ".join(f"{each:.3f}" for each in place)
            got = f"one that takes the hand to {where}, where the arm does not reach"
            raise ArgumentError("g", got, "one that leaves the hand within reach")
