"""What an observation of a MuJoCo environment is made of, and how each of that transforms under a map."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from equiworld.verify.mechanism.model_map import BALL, FREE, HINGE, Array, Indices, Model, ModelMap
from equiworld.verify.mechanism.tensors import six_of, tensor_of

__all__ = ["Source", "sources_of_model"]

_POSE = 7  # numbers of a free joint in qpos


class Source(NamedTuple):
    """An array of MuJoCo's data that environments observe.

    Attributes:
        name: such as "qpos" or "cfrc_ext".
        read: its numbers `(n,)` from the data.
        matrix: the linear action of a map on them, `(n, n)`.
        quaternions: the places where quaternions begin, which transform otherwise.
        offset: of a map, `(n,)`: what it adds.
    """

    name: str
    read: Callable[[Any], Array]
    matrix: Callable[[ModelMap], Array]
    quaternions: tuple[int, ...] = ()
    offset: Callable[[ModelMap], Array] | None = None


def sources_of_model(model: Model) -> Iterator[Source]:
    """In the order in which they are preferred where several fit."""
    yield Source("qpos", _copy("qpos"), _positions(model), _quaternions(model), _offsets(model))
    yield Source("qvel", _copy("qvel"), lambda found: found.tangent_matrix)
    hinges = np.flatnonzero(model.jnt_type == HINGE)
    at = model.jnt_qposadr[hinges]
    yield Source("cos qpos", lambda data: np.cos(data.qpos[at]), _hinges(hinges, signed=False))
    yield Source("sin qpos", lambda data: np.sin(data.qpos[at]), _hinges(hinges, signed=True))
    yield Source("cinert", _copy("cinert"), lambda found: _bodies(found, _inertia(found.isometry)))
    yield Source("cvel", _copy("cvel"), lambda found: _bodies(found, _spatial(found)))
    yield Source("qfrc_actuator", _copy("qfrc_actuator"), lambda found: found.tangent_matrix)
    yield Source("cfrc_ext", _copy("cfrc_ext"), lambda found: _bodies(found, _spatial(found)))
    yield Source("qfrc_constraint", _copy("qfrc_constraint"), lambda found: found.tangent_matrix)
    yield Source("xpos", _copy("xpos"), lambda found: _bodies(found, found.isometry), (), _about)
    yield Source("xipos", _copy("xipos"), lambda found: _bodies(found, found.isometry), (), _about)
    yield Source(
        "subtree_com", _copy("subtree_com"), lambda found: _bodies(found, found.isometry), (), _about
    )
    if model.nsite:
        yield Source("site_xpos", _copy("site_xpos"), _sites, (), _about_sites)
    if model.nu:
        yield Source("actuator_force", _copy("actuator_force"), _actuators)
        yield Source("ctrl", _copy("ctrl"), _actuators)


def _copy(name: str) -> Callable[[Any], Array]:
    return lambda data: np.array(getattr(data, name), np.float64).ravel()


def _quaternions(model: Model) -> tuple[int, ...]:
    free = model.jnt_qposadr[model.jnt_type == FREE] + 3
    return tuple(np.concatenate([free, model.jnt_qposadr[model.jnt_type == BALL]]).tolist())


def _positions(model: Model) -> Callable[[ModelMap], Array]:
    def matrix(found: ModelMap) -> Array:
        whole, at = np.zeros((model.nq, model.nq)), found.addresses["qpos"]
        for place, source in enumerate(found.orders.joints.tolist()):
            to, come, kind = int(at[place]), int(at[source]), int(model.jnt_type[place])
            if kind == FREE:
                whole[to : to + 3, come : come + 3] = found.isometry
                whole[to + 3 : to + 7, come + 3 : come + 7] = np.eye(4)
            elif kind == BALL:
                whole[to : to + 4, come : come + 4] = np.eye(4)
            else:
                whole[to, come] = found.orders.joint_signs[place]
        return whole

    return matrix


def _offsets(model: Model) -> Callable[[ModelMap], Array]:
    def offset(found: ModelMap) -> Array:
        zero = np.zeros(model.nq)
        for place in _quaternions(model):
            zero[place] = 1.0
        moved = found.move_positions(zero)
        for place in _quaternions(model):
            moved[place : place + 4] = 0.0
        return np.where(np.abs(moved) < 1e-12, 0.0, moved)

    return offset


def _hinges(hinges: Indices, signed: bool) -> Callable[[ModelMap], Array]:
    def matrix(found: ModelMap) -> Array:
        whole, places = np.zeros((len(hinges), len(hinges))), {int(h): i for i, h in enumerate(hinges)}
        for i, joint in enumerate(hinges.tolist()):
            sign = found.orders.joint_signs[joint] if signed else 1
            whole[i, places[int(found.orders.joints[joint])]] = sign
        return whole

    return matrix


def _placed(order: Indices, block: Array) -> Array:
    """A permutation of items, each turned by a block; nothing comes to places of −1."""
    permutation = np.zeros((len(order), len(order)))
    known = order >= 0
    permutation[np.flatnonzero(known), order[known]] = 1.0
    return np.asarray(np.kron(permutation, block), np.float64)


def _sites(found: ModelMap) -> Array:
    return _placed(found.orders.sites, found.isometry)


def _about(found: ModelMap) -> Array:
    """What an isometry about another centre than the origin adds to places of bodies."""
    return np.tile(found.centre - found.isometry @ found.centre, len(found.bodies))


def _about_sites(found: ModelMap) -> Array:
    return np.tile(found.centre - found.isometry @ found.centre, len(found.orders.sites))


def _bodies(found: ModelMap, block: Array) -> Array:
    return _placed(found.bodies, block)


def _spatial(found: ModelMap) -> Array:
    """An axial vector and a vector, in world axes."""
    matrix = np.zeros((6, 6))
    matrix[:3, :3], matrix[3:, 3:] = np.linalg.det(found.isometry) * found.isometry, found.isometry
    return np.asarray(
        np.where(np.abs(matrix - np.round(matrix)) < 1e-12, np.round(matrix), matrix), np.float64
    )


def _inertia(isometry: Array) -> Array:
    """Six numbers of a symmetric matrix, a vector, and a mass."""
    matrix = np.zeros((10, 10))
    matrix[:6, :6] = six_of(isometry @ tensor_of(np.eye(6)) @ isometry.T).T
    matrix[6:9, 6:9], matrix[9, 9] = isometry, 1.0
    return matrix


def _actuators(found: ModelMap) -> Array:
    return _placed(found.orders.actuators, np.eye(1)) * found.orders.actuator_signs[:, None]
