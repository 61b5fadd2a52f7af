"""What an isometry of a robot does to its MuJoCo model: which joint, actuator and body takes whose place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.symmetry import (
    Concatenation,
    Field,
    Orthogonal,
    Permuted,
    Point,
    Pseudovector,
    Rotation,
    Scalar,
    SignedPermutation,
    SymmetricMatrix,
    Vector,
)

__all__ = ["Exchange", "exchange_in_space", "exchange_of", "exchanges", "floating_fields", "holding"]
__all__ += ["motors", "move_floating", "observed", "signed", "spatial_fields"]

Array = NDArray[np.float64]
Model = Any
"""A mujoco.MjModel: nothing here imports MuJoCo before somebody has made an environment with it."""

_MATCH = 1e-6  # [m], and of unit axes: far above rounding, far below the distance of any two joints
_EQUAL = 1e-6  # relative: parameters of a model that differ by less are the same
_RATE = 8.0  # [rad/s] a typical size
_FREE, _HINGE, _PGS = 0, 3, 0  # mjJNT_FREE, mjJNT_HINGE, mjSOL_PGS

_PARAMETERS = {
    "joint": ("range", "qpos_spring", "stiffness", "armature", "damping", "frictionloss"),
    "actuator": ("gear", "ctrlrange", "forcerange", "gainprm"),
    "body": ("mass", "inertia"),
    "geom": ("size", "friction", "condim", "contype", "conaffinity", "margin"),
}
_CONSTANTS = {"joint": ("invweight0",), "body": ("invweight0",), "actuator": (), "geom": ()}
_ANGLES = ("range", "qpos_spring", "ctrlrange", "forcerange")  # which change their sign with the joint


@dataclass(frozen=True)
class Exchange:
    """Which joint, actuator and body takes whose place, and with which sign: x ↦ signs · x[order].

    Attributes:
        joints: of all joints but a free one, in the model's order, which one comes to each place.
        signs: ±1 for each of them.
        actuators: likewise, in the actuators' own order.
        actuator_signs: ±1 for each of them.
        bodies: of all bodies but the world, which one comes to each place.
    """

    joints: tuple[int, ...]
    signs: tuple[int, ...]
    actuators: tuple[int, ...]
    actuator_signs: tuple[int, ...]
    bodies: tuple[int, ...]


def exchange_in_space(model: Model, h: Array) -> Exchange:
    """What an isometry h `(3, 3)` of the own axes of a robot on a free joint does, found by where its hinges are.

    In the root's frame, in the reference pose, a hinge's anchor goes from p to h p and its axis, a pseudovector, from a
    to det(h) h a. The hinge found there is the image; the sign is that of the two axes' inner product.

    Raises:
        ArgumentError: the model has other joints, or h takes a joint or body to where there is none.

    >>> model = gym.make("Ant-v5").unwrapped.model
    >>> found = exchange_in_space(model, np.diag([1.0, -1.0, 1.0]))
    >>> [model.joint(1 + joint).name for joint in found.joints[:2]], found.signs[:2]
    (['hip_4', 'ankle_4'], (-1, 1))
    """
    import mujoco

    if model.njnt < 1 or model.jnt_type[0] != _FREE or (model.jnt_type[1:] != _HINGE).any():
        raise ArgumentError("model", "other joints", "one free joint, then hinges")
    data = mujoco.MjData(model)  # in the reference pose
    mujoco.mj_kinematics(model, data)
    root = model.jnt_bodyid[0]
    frame, origin = data.xmat[root].reshape(3, 3), data.xpos[root]
    anchors, middles = (data.xanchor[1:] - origin) @ frame, (data.xipos[1:] - origin) @ frame
    axes = data.xaxis[1:] @ frame
    turned = np.linalg.det(h) * axes @ h.T
    inner = turned @ axes.T  # of every joint's image with every joint
    apart = np.linalg.norm(turned[:, None] - np.sign(inner)[..., None] * axes, axis=-1)
    apart += np.linalg.norm((anchors @ h.T)[:, None] - anchors, axis=-1)
    images = _matched(model, "joint", apart)
    bodies = _matched(model, "body", np.linalg.norm((middles @ h.T)[:, None] - middles, axis=-1))
    signs = np.sign(inner[np.arange(len(images)), images]).astype(int)
    order = np.argsort(images)  # the images say where each goes, an order which comes
    return exchange_of(model, order.tolist(), signs[order].tolist(), np.argsort(bodies).tolist())


def exchange_of(model: Model, joints: Sequence[int], signs: Sequence[int], bodies: Sequence[int]) -> Exchange:
    """That of joints and bodies in these orders; each motor goes with its joint.

    Raises:
        ArgumentError: a motor moves no joint or remembers something, or a joint's twin has none.
    """
    moved = (model.actuator_trnid[:, 0] - int(model.jnt_type[0] == _FREE)).tolist()
    if model.na or (model.actuator_trntype != 0).any() or len(set(moved)) < len(moved):  # mjTRN_JOINT
        raise ArgumentError("model", "other actuators", "at most one motor a joint, without state of its own")
    try:
        actuators = [moved.index(joints[joint]) for joint in moved]
    except ValueError:
        raise ArgumentError("model", "one of two joints without its motor", "a motor for both") from None
    own = [signs[joint] for joint in moved]
    return Exchange(*(tuple(each) for each in (joints, signs, actuators, own, bodies)))


def _matched(model: Model, what: str, apart: Array) -> NDArray[np.int64]:
    """By row of `(n, n)` distances the nearest column; each once."""
    nearest, least = apart.argmin(1), apart.min(1)
    worst = int(least.argmax())
    if least[worst] > _MATCH or len(set(nearest.tolist())) < len(apart):
        name = getattr(model, what)(worst + 1).name
        got = f"an isometry that takes {what} {name!r} {least[worst]:.2g} away from any other, or two to one"
        raise ArgumentError("h", got, f"one that takes each {what} to another's place")
    return nearest


def exchanges(model: Model, group: Group) -> tuple[Exchange, ...]:
    """What each generator of a group's labels does to a floating robot."""
    own = group.labels.natural["body"]
    return tuple(exchange_in_space(model, own[index]) for _, index in group.labels.generators)


def signed(found: Sequence[Exchange], scale: float | None = None) -> SignedPermutation:
    """Numbers of all joints but a free one: angles [rad], rates, torques."""
    return SignedPermutation([each.joints for each in found], [each.signs for each in found], scale=scale)


def motors(found: Sequence[Exchange]) -> SignedPermutation:
    """Numbers of all actuators, in their order."""
    return SignedPermutation([each.actuators for each in found], [each.actuator_signs for each in found])


def floating_fields(group: Group, found: Sequence[Exchange], positions: bool) -> dict[str, Field]:
    """The fields of qpos and qvel of a floating robot; with `positions` x and y too, not the height alone."""
    labels = group.labels
    # The angular velocity is given in the body's own axes: ω ↦ det(h) h ω, however the world is turned.
    own = [labels.determinants[index] * labels.natural["body"][index] for _, index in labels.generators]
    return {
        **({"position": Point()} if positions else {"height": Scalar()}),
        "orientation": Rotation(form="wxyz", body=True),
        "joints": signed(found),
        "velocity": Vector(),
        "spin": Orthogonal([image.tolist() for image in own], scale=_RATE),
        "joint_rates": signed(found, _RATE),
    }


def spatial_fields(
    found: Sequence[Exchange], start: int, scale: float, *names: str
) -> tuple[dict[str, Field], dict[str, tuple[int, ...]]]:
    """The two fields, and their places, of six numbers a body: in world axes, an axial vector and a vector.

    Args:
        found: what becomes of the bodies.
        start: where the first body's numbers lie.
        scale: a typical size.
        names: of the two.
    """
    orders = [each.bodies for each in found]
    parts = (Permuted(Pseudovector(), orders, scale=scale), Permuted(Vector(), orders, scale=scale))
    first = start + 6 * np.arange(len(orders[0]))[:, None] + np.arange(3)
    at = {name: tuple((first + 3 * index).ravel().tolist()) for index, name in enumerate(names)}
    return dict(zip(names, parts, strict=True)), at


def move_floating(env: gym.Env, g: GroupElement) -> Array | None:
    """Bring a floating robot from s to g·s: its pose Q to R Q hᵀ, its joints to each other's places.

    With the state go the warm start of the solver, the last action, and what the last step left behind to be observed
    and rewarded: places, forces and inertias belong to an instant before its end, and no `mj_forward` makes them so.

    Returns:
        What is observed then, or None where wrappers change it.
    """
    base: Any = env.unwrapped
    model, data, own = base.model, base.data, _body_of(g)
    found = exchange_in_space(model, own)
    bodies, reflects = [0, *(1 + body for body in found.bodies)], np.sign(np.linalg.det(own))

    def joints(numbers: Array) -> Array:
        return np.array(found.signs) * numbers[list(found.joints)]

    def tangent(rates: Array) -> Array:
        spin = reflects * own @ rates[3:6]
        return np.concatenate([g.matrix @ rates[:3], spin, joints(rates[6:])])

    pose = _turned(data.qpos[3:7], g.determinant * g.matrix, reflects * own)
    qpos = np.concatenate([g.act(data.qpos[:3]), pose, joints(data.qpos[7:])])
    spatial = Concatenation((Pseudovector(), Vector()))
    inertia = Concatenation((SymmetricMatrix(), Vector(), Scalar()))  # and mass, about the robot's centre
    left = {name: spatial.transform(g, getattr(data, name)[bodies]) for name in ("cvel", "cfrc_ext")}
    left["cinert"] = inertia.transform(g, data.cinert[bodies])
    left |= {name: g.act(getattr(data, name)[bodies]) for name in ("xpos", "xipos")}
    left |= {name: tangent(getattr(data, name)) for name in ("qfrc_actuator", "qacc_warmstart")}
    data.ctrl[:] = np.array(found.actuator_signs) * data.ctrl[list(found.actuators)]
    base.set_state(qpos, tangent(data.qvel))
    for name, array in left.items():  # last, for mj_forward solves too, and keeps that as its warm start
        getattr(data, name)[:] = array
    return observed(env)


def _body_of(g: GroupElement) -> Array:
    """h, what an element does to the body's own axes, `(3, 3)`."""
    own = g.group.labels.natural.get("body")
    if own is not None and own.shape[-1] == 3:
        return own[int(g.label)]
    if g.dim == 3 and g.determinant > 0:
        return np.eye(3)
    raise ArgumentError("g", f"an element of {g.group!r}", "one whose group says what it does to the body")


def _turned(quaternion: Array, turn: Array, own: Array) -> Array:
    """The quaternion wxyz of R Q hᵀ from that of Q, of any norm, for rotations det(R) R and det(h) h."""
    import mujoco

    left, back, result = np.zeros((3, 4))
    mujoco.mju_mat2Quat(left, turn.ravel())
    mujoco.mju_mat2Quat(back, own.T.ravel())
    mujoco.mju_mulQuat(result, left, quaternion)
    mujoco.mju_mulQuat(result, result.copy(), back)
    return result


def holding(model: Model, found: Sequence[Exchange]) -> str:
    """Where the symmetry holds, as far as the model says: "everywhere", or nowhere and because of what."""
    reasons = list(_unequal(model, found, _PARAMETERS))
    if not reasons:  # else they follow from what differs
        reasons = [f"{one}, made anew by mj_setConst" for one in _unequal(model, found, _CONSTANTS)]
    if model.opt.solver == _PGS:
        reasons.append("the solver PGS, whose sweep has an order")
    return f"nowhere, because of {'; '.join(dict.fromkeys(reasons))}" if reasons else "everywhere"


def _unequal(
    model: Model, found: Sequence[Exchange], parameters: dict[str, tuple[str, ...]]
) -> Iterator[str]:
    """In words, each parameter that differs between what takes each other's place."""
    for kind, i, j, sign in (pair for each in found for pair in _pairs(model, each)):
        one, other = (getattr(model, kind)(index) for index in sorted((i, j)))
        for word in parameters[kind]:
            first, second = np.ravel(getattr(one, word)), np.ravel(getattr(other, word))
            second = np.sort(sign * second) if word in _ANGLES else second
            if not np.allclose(first, second, _EQUAL, 1e-12):
                values = ", ".join(" ".join(f"{value:.4g}" for value in each) for each in (first, second))
                names = " and ".join(each.name or str(each.id) for each in (one, other))
                yield f"{word} of {kind}s {names} ({values})"


def _pairs(model: Model, found: Exchange) -> Iterator[tuple[str, int, int, int]]:
    """What comes to each place: its kind, that place, its own, and the sign."""
    free = int(model.jnt_type[0] == _FREE)
    for i, (j, sign) in enumerate(zip(found.joints, found.signs, strict=True)):
        yield "joint", i + free, j + free, sign
    for i, (j, sign) in enumerate(zip(found.actuators, found.actuator_signs, strict=True)):
        yield "actuator", i, j, sign
    for i, j in enumerate(found.bodies):
        yield "body", i + 1, j + 1, 1
        first, second = model.body_geomadr[[i + 1, j + 1]].tolist()
        for geom in range(int(model.body_geomnum[[i + 1, j + 1]].min())):
            yield "geom", first + geom, second + geom, 1


def observed(env: gym.Env) -> Array | None:
    """What a moved environment shows now; None where wrappers change that, and whoever moved it looks through them."""
    inner: Any = env
    while isinstance(inner, gym.Wrapper):
        if isinstance(inner, gym.ObservationWrapper):
            return None
        inner = inner.env
    return inner._get_obs()
