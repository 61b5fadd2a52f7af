"""What CloudPush shows: a Dict of clouds, positions and velocities, and poses where they are asked for."""

from __future__ import annotations

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

__all__ = ["Observation", "observation_space"]

Observation = dict[str, NDArray[np.float64]]

_POSE_SIZES = {"body_pos": 3, "body_rotation": 9, "body_vel": 3, "body_angular_vel": 3}
_POSE_SIZES |= {"goal_pos": 3, "goal_rotation": 9}


def observation_space(points: int, observe_pose: bool) -> spaces.Dict:
    """Unbounded but for rotations: there is no edge of space.

    Args:
        points: in a cloud; no clouds if 0.
        observe_pose: whether poses and velocities of the body, and the goal's pose, are observed.
    """
    sizes = {"agent_pos": 3, "agent_vel": 3}
    sizes |= {"cloud": 3 * points, "goal_cloud": 3 * points} if points else {}
    sizes |= _POSE_SIZES if observe_pose else {}
    return spaces.Dict({key: _box(key, size) for key, size in sizes.items()})


def _box(key: str, size: int) -> spaces.Box:
    # Entries of a rotation exceed 1 by rounding.
    bound = 1.0 + 1e-9 if key.endswith("rotation") else np.inf
    return spaces.Box(-bound, bound, (size,), np.float64)
