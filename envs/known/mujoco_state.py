"""What an isometry of a robot does to its MuJoCo model: which joint, actuator and body takes whose place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.symmetry import (
    Field,
    Orthogonal,
    Permuted,
    Point,
    Pseudovector,
    Rotation,
    Scalar,
    SignedPermutation,
    Vector,
)
from equiworld.verify.mechanism import ModelMap, derive_map
from equiworld.verify.mechanism.differences import differences_of, stale_constants
from equiworld.verify.mechanism.moving import move_data
from equiworld.verify.mechanism.quaternions import matrix_of

__all__ = ["bodies", "exchange_in_space", "exchanges", "floating_fields", "holding"]
__all__ += ["motors", "move_floating", "observed", "signed", "spatial_fields"]

Array = NDArray[np.float64]
Model = Any
"""A mujoco.MjModel: nothing here imports MuJoCo before somebody has made an environment with it."""

_RATE = 8.0  # [rad/s] a typical size
_FREE, _HINGE, _PGS = 0, 3, 0  # mjJNT_FREE, mjJNT_HINGE, mjSOL_PGS


def exchange_in_space(model: Model, h: Array) -> ModelMap:
    """What an isometry h `(3, 3)` of the own axes of a robot on a free joint does, derived from its model.

    Raises:
        ArgumentError: the model has other joints, or h takes a body to where there is none like it.

    >>> model = gym.make("Ant-v5").unwrapped.model
    >>> found = exchange_in_space(model, np.diag([1.0, -1.0, 1.0]))
    >>> found.joint_names(model)["hip_1"], found.joint_names(model)["ankle_1"]
    ('-hip_4', '+ankle_4')
    """
    if model.njnt < 1 or model.jnt_type[0] != _FREE or (model.jnt_type[1:] != _HINGE).any():
        raise ArgumentError("model", "other joints", "one free joint, then hinges")
    found = derive_map(model, _frame(model) @ h @ _frame(model).T)
    if model.na or (model.actuator_trntype != 0).any() or (found.orders.actuators < 0).any():  # mjTRN_JOINT
        raise ArgumentError("model", "other actuators", "at most one motor a joint, without state of its own")
    return found


def _frame(model: Model) -> Array:
    """The axes of a floating robot in its reference pose."""
    return matrix_of(np.array(model.qpos0[3:7]))


def exchanges(model: Model, group: Group) -> tuple[ModelMap, ...]:
    """What each generator of a group's labels does to a floating robot."""
    own = group.labels.natural["body"]
    return tuple(exchange_in_space(model, own[index]) for _, index in group.labels.generators)


def signed(found: Sequence[ModelMap], scale: float | None = None) -> SignedPermutation:
    """Numbers of all joints but a free one: angles [rad], rates, torques."""
    free = int(found[0].joint_types[0] == _FREE)
    orders = [(each.orders.joints[free:] - free).tolist() for each in found]
    return SignedPermutation(orders, [each.orders.joint_signs[free:].tolist() for each in found], scale=scale)


def motors(found: Sequence[ModelMap]) -> SignedPermutation:
    """Numbers of all actuators, in their order."""
    orders = [each.orders.actuators.tolist() for each in found]
    return SignedPermutation(orders, [each.orders.actuator_signs.tolist() for each in found])


def bodies(found: Sequence[ModelMap]) -> list[list[int]]:
    """Which of all bodies but the world comes to each place."""
    return [(each.bodies[1:] - 1).tolist() for each in found]


def floating_fields(group: Group, found: Sequence[ModelMap], positions: bool) -> dict[str, Field]:
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
    found: Sequence[ModelMap], start: int, scale: float, *names: str
) -> tuple[dict[str, Field], dict[str, tuple[int, ...]]]:
    """The two fields, and their places, of six numbers a body: in world axes, an axial vector and a vector.

    Args:
        found: what becomes of the bodies.
        start: where the first body's numbers lie.
        scale: a typical size.
        names: of the two.
    """
    orders = bodies(found)
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
    found = exchange_in_space(base.model, _body_of(g))
    turned = replace(found, isometry=np.asarray(g.matrix), centre=np.zeros(3))
    move_data(base.model, base.data, turned, np.asarray(g.translation))
    return observed(env)


def _body_of(g: GroupElement) -> Array:
    """h, what an element does to the body's own axes, `(3, 3)`."""
    own = g.group.labels.natural.get("body")
    if own is not None and own.shape[-1] == 3:
        return own[int(g.label)]
    if g.dim == 3 and g.determinant > 0:
        return np.eye(3)
    raise ArgumentError("g", f"an element of {g.group!r}", "one whose group says what it does to the body")


def holding(model: Model, found: Sequence[ModelMap]) -> str:
    """Where the symmetry holds, as far as the model says: "everywhere", or nowhere and because of what."""
    reasons = [str(one) for each in found for one in differences_of(model, each)]
    if not reasons:  # else they follow from what differs
        reasons = [f"{name}, made anew by mj_setConst" for name in stale_constants(model)]
    if model.opt.solver == _PGS:
        reasons.append("the solver PGS, whose sweep has an order")
    return f"nowhere, because of {'; '.join(dict.fromkeys(reasons))}" if reasons else "everywhere"


def observed(env: gym.Env) -> Array | None:
    """What a moved environment shows now; None where wrappers change that, and whoever moved it looks through them."""
    inner: Any = env
    while isinstance(inner, gym.Wrapper):
        if isinstance(inner, gym.ObservationWrapper):
            return None
        inner = inner.env
    return inner._get_obs()
