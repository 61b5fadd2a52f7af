"""Gymnasium's HalfCheetah-v5 has no symmetry, and says so."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from equiworld.groups import Cyclic
from equiworld.symmetry import Parts, Scalar, Symmetry

__all__ = ["half_cheetah_symmetry"]

_RATE = 8.0  # [rad/s] a typical size


def half_cheetah_symmetry(env: gym.Env) -> Symmetry:
    """How a HalfCheetah-v5 transforms: not at all. Its group is the identity alone, and all it shows are scalars.

    Its two legs differ in length, in stiffness and in their motors, so they do not exchange; it runs in the plane, and
    the mirror of space across that plane moves nothing. The ground is the same along x, but x is not observed unless
    asked for, and no group here is of shifts alone.

    World models, planners and evaluation work as for any other environment, and gain nothing; `check_symmetry` and
    `certify` refuse it, for there is nothing to compare.

    Args:
        env: as `gym.make("HalfCheetah-v5", …)` made it, with or without its position in what it observes.

    >>> symmetry = half_cheetah_symmetry(gym.make("HalfCheetah-v5"))
    >>> symmetry.group, list(symmetry.observation)
    (Cyclic(1), ['torso', 'joints', 'torso_rates', 'joint_rates'])
    """
    base: Any = env.unwrapped
    joints = base.model.nu
    root = base.model.nq - joints  # x, z, pitch
    fields = {
        "torso": Scalar(root - base.observation_structure["skipped_qpos"]),
        "joints": Scalar(joints),
        "torso_rates": Scalar(root),
        "joint_rates": Scalar(joints, scale=_RATE),
    }
    holds = "everywhere, for its group is the identity alone: front and back differ, and nothing is gained"
    return Symmetry(Cyclic(1), {"observation": Parts(fields)}, Scalar(joints), flat=True, holds=holds)
