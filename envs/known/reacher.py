"""The symmetry of Gymnasium's Reacher-v5: an arm in the plane, about its shoulder, with all reflections."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.envs.known.mujoco_state import observed
from equiworld.groups import O2, GroupElement
from equiworld.symmetry import Parts, Pseudoscalar, Scalar, Symmetry, Vector

__all__ = ["move_reacher", "reacher_symmetry"]

_RATE = 8.0  # [rad/s] a typical size


def reacher_symmetry(env: gym.Env) -> Symmetry:
    """How a Reacher-v5 transforms: O(2) about the shoulder, which stands at the origin, as do the goal's coordinates.

    The upper arm is a vector, (cos q1, sin q1); the elbow's angle q2 is relative to it, so that its cosine stays and
    its sine, like rates and torques, changes sign under a reflection. The goal is observed, as a vector from the
    shoulder; the way from it to the tip is part of the state. Walls are only painted; no two geoms touch, and where
    the elbow's range ends it ends on both sides.

    Args:
        env: as `gym.make("Reacher-v5", …)` made it.

    >>> symmetry = reacher_symmetry(gym.make("Reacher-v5"))
    >>> symmetry.group, symmetry.goal, symmetry.transform_action(symmetry.group.reflection(0.3), [1.0, -2.0])
    (O2(), {'goal': None}, array([-1.,  2.]))
    """
    parts = Parts(
        {
            "upper_arm": Vector(),
            "elbow_cosine": Scalar(),
            "elbow_sine": Pseudoscalar(),
            "goal": Vector(scale=0.1),
            "rates": Pseudoscalar(2, scale=_RATE),
            "tip_from_goal": Vector(scale=0.1),
        },
        at={"upper_arm": (0, 2), "elbow_cosine": (1,)},
    )
    return Symmetry(O2(), {"observation": parts}, Pseudoscalar(2), goal=("goal",), flat=True)


def move_reacher(env: gym.Env, g: GroupElement) -> NDArray[np.float64] | None:
    """Bring a Reacher from s to g·s: q1 ↦ arg R ± q1, q2 ↦ ± q2, the goal turned.

    The warm start of the solver and the last action go with it.

    Args:
        env: reset.
        g: an element of O(2).

    Returns:
        What is observed then, or None where wrappers change it.
    """
    base: Any = env.unwrapped
    data, sign = base.data, float(g.determinant)

    def tangent(rates: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([sign * rates[:2], g.rotate(rates[2:])])

    angles = sign * data.qpos[:2] + [np.arctan2(g.matrix[1, 0], g.matrix[0, 0]), 0.0]
    goal, warm, bodies = g.rotate(data.qpos[2:]), tangent(data.qacc_warmstart), data.xpos.copy()
    bodies[:, :2] = g.rotate(bodies[:, :2])
    data.ctrl[:] = sign * data.ctrl
    base.goal = goal
    base.set_state(np.concatenate([angles, goal]), tangent(data.qvel))
    # Last: mj_forward keeps its own solution as the warm start, and finds the bodies where they are at the end of a
    # step, while what is observed of them is where they were an instant before.
    data.qacc_warmstart[:], data.xpos[:] = warm, bodies
    return observed(env)
