"""The symmetry of Gymnasium's Pusher-v5: an arm above a table, about the upright axis of its shoulder."""

from __future__ import annotations

from typing import Any, Literal

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.envs.known.mujoco_state import observed
from equiworld.errors import ArgumentError
from equiworld.groups import O2, SO2, Group, GroupElement, left_right
from equiworld.symmetry import Concatenation, Field, Heading, Parts, Point, Pseudoscalar, Scalar, Symmetry

__all__ = ["free_pusher", "move_pusher", "pusher_symmetry"]

Choice = Literal["turns", "mirror", "all"]
Array = NDArray[np.float64]

_RATE = 4.0  # [rad/s] a typical size
_ARM = 7  # joints, which pan or roll, and bend, by turns; then slides of the object along y and x, and of the goal
_AXES = ((0.0, 0.0, 1.0), *((0.0, 1.0, 0.0), (1.0, 0.0, 0.0)) * 3, *((0.0, 1.0, 0.0), (1.0, 0.0, 0.0)) * 2)
_SIGNS = np.array([-1, 1, -1, 1, -1, 1, -1])  # of the arm's joints in a mirror through it
_PAN, _ROLL = 0, 2  # the joints whose range is not its own mirror image
_SLACK = 1e-9  # [rad]
_TOUCHING = "to 6e-05 where the hand touches the object"  # [rad/s], the largest that was measured
_SEEN = {"hand": 14, "object": 17, "goal": 20}  # where x, y and the height are observed


def pusher_symmetry(env: gym.Env, group: Choice = "turns") -> Symmetry:
    """How a Pusher-v5 transforms: arm, object and goal turned about the upright axis of the shoulder.

    The first joint is the arm's heading above the table, where hand, object and goal are points; heights stay. There is
    no gravity, the table is the same everywhere, contacts are without friction, and object and goal slide alike in all
    directions. What stops it is the range of joints: `holds` says of which. Of 100 random steps 2 meet an end of the
    first joint's.

    The arm is its own mirror image as well. But its upper arm rolls from −1.5 to 1.7, and of 100 random steps 38 meet
    an end of that.

    Args:
        env: as `gym.make("Pusher-v5", …)` made it, or `free_pusher` of it.
        group: "turns", SO(2); "mirror", the reflection that takes the range of the first joint to itself; "all", O(2).

    Raises:
        ArgumentError: the model is another one; or no such group.

    >>> symmetry = pusher_symmetry(gym.make("Pusher-v5"))
    >>> symmetry.group, symmetry.centre, symmetry.goal
    (SO2(), (0.0, -0.6), {'goal': 'object', 'goal_height': 'object_height'})
    >>> symmetry.holds
    'where no limit is met of r_shoulder_pan_joint, [-2.285, 1.715]; to 6e-05 where the hand touches the object'
    """
    base: Any = env.unwrapped
    model = base.model
    fields: dict[str, Field] = {
        "heading": Heading(),
        "bends": Scalar(3),
        "rolls": Pseudoscalar(3),
        "bend_rates": Scalar(3, scale=_RATE),
        "roll_rates": Pseudoscalar(4, scale=_RATE),
    }
    at: dict[str, tuple[int, ...]] = {
        "heading": (0,),
        "bends": (1, 3, 5),
        "rolls": (2, 4, 6),
        "bend_rates": (8, 10, 12),
        "roll_rates": (7, 9, 11, 13),
    }
    for name, place in _SEEN.items():
        fields |= {name: Point(), f"{name}_height": Scalar()}
        at |= {name: (place, place + 1), f"{name}_height": (place + 2,)}
    return Symmetry(
        _group(model, group),
        {"observation": Parts(fields, at)},
        Concatenation(tuple(Scalar() if sign > 0 else Pseudoscalar() for sign in _SIGNS)),
        goal={"goal": "object", "goal_height": "object_height"},
        heading="heading",
        centre=_shoulder(model),
        flat=True,
        holds=_holds(model, group),
    )


def free_pusher(env: gym.Env) -> gym.Env:
    """Make a Pusher-v5 symmetric, in place: its first joint turns without an end, and its upper arm rolls as far to
    either side.

    Args:
        env: as `gym.make("Pusher-v5", …)` made it. Its copies do not know: give functions that copy it one that makes
            and frees it.

    >>> pusher_symmetry(free_pusher(gym.make("Pusher-v5")), "all").holds
    'everywhere, to 6e-05 where the hand touches the object'
    """
    model = env.unwrapped.model  # type: ignore[attr-defined]
    _shoulder(model)
    model.jnt_limited[_PAN] = 0
    least = np.abs(model.jnt_range[_ROLL]).min()
    model.jnt_range[_ROLL] = -least, least
    return env


def move_pusher(env: gym.Env, g: GroupElement) -> Array | None:
    """Bring a Pusher from s to g·s: its first joint θ ↦ arg R ± θ, rolls by sign, object and goal about the shoulder.

    The warm start of the solver, the last action and where bodies were seen last go with it.

    Args:
        env: reset.
        g: an element of O(2), about the shoulder.

    Returns:
        What is observed then, or None where wrappers change it.

    Raises:
        ArgumentError: it takes a joint out of its range.
    """
    base: Any = env.unwrapped
    model, data = base.model, base.data
    centre, home = np.array(_shoulder(model)), model.body_pos[-2:, :2]
    signs = np.where(g.determinant < 0, _SIGNS, 1)

    def tangent(rates: Array) -> Array:
        slides = g.rotate(rates[_ARM:].reshape(2, 2)[:, ::-1])
        return np.concatenate([signs * rates[:_ARM], slides[:, ::-1].ravel()])

    arm = signs * data.qpos[:_ARM]
    arm[_PAN] += np.arctan2(g.matrix[1, 0], g.matrix[0, 0])
    if model.jnt_limited[_PAN]:  # less full turns: its range is less than one
        arm[_PAN] = (arm[_PAN] + np.pi) % (2 * np.pi) - np.pi
    _check_ranges(model, data.qpos, arm)
    places = home + data.qpos[_ARM:].reshape(2, 2)[:, ::-1]  # slides along y come first
    slides = (centre + g.rotate(places - centre) - home)[:, ::-1]
    warm, bodies = tangent(data.qacc_warmstart), data.xpos.copy()
    bodies[:, :2] = centre + g.rotate(bodies[:, :2] - centre)
    data.ctrl[:] = signs * data.ctrl
    base.set_state(np.concatenate([arm, slides.ravel()]), tangent(data.qvel))
    # Last: mj_forward keeps its own solution as the warm start, and finds the bodies where they are at the end of a
    # step, while what is observed of them is where they were an instant before.
    data.qacc_warmstart[:], data.xpos[:] = warm, bodies
    return observed(env)


def _check_ranges(model: Any, before: Array, after: Array) -> None:
    """Refuse angles beyond their joint's range, which is soft, by more than they were before."""
    for joint in (_PAN, _ROLL):
        low, high = model.jnt_range[joint]
        beyond = [max(low - each[joint], each[joint] - high, 0.0) for each in (before, after)]
        if model.jnt_limited[joint] and beyond[1] > beyond[0] + _SLACK:
            got = f"one that takes joint {model.joint(joint).name!r} to {after[joint]:.4g}"
            raise ArgumentError("g", got, f"one that keeps it in its range, [{low:.4g}, {high:.4g}]")


def _group(model: Any, choice: Choice) -> Group:
    if choice == "turns":
        return SO2()
    if choice == "all":
        return O2()
    if choice == "mirror":
        middle = model.jnt_range[_PAN].mean() if model.jnt_limited[_PAN] else 0.0
        return left_right((-np.sin(middle), np.cos(middle)))
    raise ArgumentError("group", repr(choice), "a group of Pusher-v5", ("turns", "mirror", "all"))


def _holds(model: Any, choice: Choice) -> str:
    """Where no range is met that the group does not keep."""
    low, high = model.jnt_range[_ROLL]
    met = [_PAN] if choice != "mirror" and model.jnt_limited[_PAN] else []
    met += [_ROLL] if choice != "turns" and model.jnt_limited[_ROLL] and abs(low + high) > _SLACK else []
    if not met:
        return f"everywhere, {_TOUCHING}"
    ends = [", ".join(f"{end:.4g}" for end in model.jnt_range[joint]) for joint in met]
    words = [f"{model.joint(joint).name}, [{end}]" for joint, end in zip(met, ends, strict=True)]
    return f"where no limit is met of {', nor of '.join(words)}; {_TOUCHING}"


def _shoulder(model: Any) -> tuple[float, float]:
    """Where the axis stands that all turns about.

    Raises:
        ArgumentError: the model is not that of a Pusher.
    """
    alike = model.nv == len(_AXES) == model.nq and np.allclose(model.jnt_axis, _AXES) and model.nu == _ARM
    if not alike or np.abs(model.opt.gravity[:2]).max() > 0:
        raise ArgumentError("model", f"{model.njnt} joints", "those of a Pusher, about and along their axes")
    x, y = model.body_pos[model.jnt_bodyid[_PAN], :2].tolist()
    return x, y
