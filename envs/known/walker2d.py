"""The symmetry of Gymnasium's Walker2d-v5: its two legs are alike and stand in one place."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.envs.known.mujoco_state import holding, motors, observed
from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement, left_right
from equiworld.symmetry import Parts, Scalar, SignedPermutation, Symmetry
from equiworld.verify.mechanism import ModelMap, derive_map
from equiworld.verify.mechanism.moving import move_data

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
        ArgumentError: a leg has no partner, or stands elsewhere.

    >>> symmetry = walker2d_symmetry(gym.make("Walker2d-v5"))
    >>> mirror = symmetry.group.elements()[1]
    >>> symmetry.transform_action(mirror, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    array([4., 5., 6., 1., 2., 3.])
    """
    base: Any = env.unwrapped
    found = _exchange(base.model)
    legs = [(found.orders.joints[_ROOT:] - _ROOT).tolist()]
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
    if g.determinant < 0:
        move_data(base.model, base.data, _exchange(base.model))
    return observed(env)


def _exchange(model: Any) -> ModelMap:
    """Each leg for the other: the mirror y ↦ −y leaves the plane of motion alone."""
    found = derive_map(model, np.diag([1.0, -1.0, 1.0]))
    if found.trivial or not (found.orders.joint_signs == 1).all() or (found.orders.actuators < 0).any():
        raise ArgumentError("model", "legs that are not in one place", "two legs, one the other's image")
    return found
