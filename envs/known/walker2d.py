"""The symmetry of Gymnasium's Walker2d-v5: its two legs are alike and stand in one place."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.envs.known.mujoco_state import Exchange, exchange_of, holding, motors, observed
from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement, left_right
from equiworld.symmetry import Parts, Scalar, SignedPermutation, Symmetry

__all__ = ["move_walker2d", "walker2d_symmetry"]

_ROOT = 3  # joints that place the torso in the plane: x, z, pitch
_RATE = 8.0  # [rad/s] a typical size


def walker2d_symmetry(env: gym.Env) -> Symmetry:
    """How a Walker2d-v5 transforms where its legs change places: the mirror y ↦ −y of space, under which the plane of
    motion stays as it is. So all is scalar, and legs are exchanged without signs.

    A robot whose legs stand side by side is its own mirror image: an exactly equivariant policy without memory keeps
    it so, and it hops.

    Args:
        env: as `gym.make("Walker2d-v5", …)` made it, or with a changed model.

    Raises:
        ArgumentError: a joint or body has no twin of its name.

    >>> symmetry = walker2d_symmetry(gym.make("Walker2d-v5"))
    >>> mirror = symmetry.group.elements()[1]
    >>> symmetry.transform_action(mirror, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    array([4., 5., 6., 1., 2., 3.])
    """
    base: Any = env.unwrapped
    found = _exchange(base.model)
    legs = [[joint - _ROOT for joint in found.joints[_ROOT:]]]
    fields = {
        "torso": Scalar(_ROOT - base.observation_structure["skipped_qpos"]),
        "joints": SignedPermutation(legs),
        "torso_rates": Scalar(_ROOT),
        "joint_rates": SignedPermutation(legs, scale=_RATE),
    }
    observation, holds = {"observation": Parts(fields)}, holding(base.model, [found])
    return Symmetry(left_right(), observation, motors([found]), flat=True, holds=holds)


def move_walker2d(env: gym.Env, g: GroupElement) -> NDArray[np.float64] | None:
    """Bring a Walker2d from s to g·s: each leg to the other's place where g reflects.

    The warm start of the solver and the last action go with it.

    Args:
        env: reset.
        g: an element of `left_right()`.

    Returns:
        What is observed then, or None where wrappers change it.
    """
    base: Any = env.unwrapped
    data = base.data
    if g.determinant < 0:
        found = _exchange(base.model)
        joints = list(found.joints)
        data.ctrl[:] = data.ctrl[list(found.actuators)]
        warm = data.qacc_warmstart[joints]
        base.set_state(data.qpos[joints], data.qvel[joints])
        data.qacc_warmstart[:] = warm  # last, for mj_forward solves too, and keeps that as its warm start
    return observed(env)


def _exchange(model: Any) -> Exchange:
    """Each leg for the other, by name: no geometry tells them apart."""

    def order(names: list[str]) -> list[int]:
        try:
            return [names.index(_twin(name, names)) for name in names]
        except ValueError as error:
            raise ArgumentError("model", f"{names} ({error})", "a left one of each of a leg's") from None

    joints = order([model.joint(index).name for index in range(model.njnt)])
    bodies = order([model.body(index).name for index in range(1, model.nbody)])
    return exchange_of(model, joints, [1] * len(joints), bodies)


def _twin(name: str, names: list[str]) -> str:
    """The name of the other leg's: "thigh_left_joint" of "thigh_joint"; of what has no other its own."""
    if "_left" in name:
        return name.replace("_left", "")
    part, joined, rest = name.partition("_joint")
    left = f"{part}_left{joined}{rest}"
    return left if left in names else name
