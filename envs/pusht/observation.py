"""What PushT shows: a Dict of poses, velocities and corners, each with its own way to transform."""

from __future__ import annotations

import math

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from equiworld.envs.pusht import geometry

__all__ = ["Observation", "observation_space", "pose_entries"]

Observation = dict[str, NDArray[np.float64]]

_SIZES = {"agent_pos": 2, "agent_vel": 2}
_SIZES |= {
    f"{name}_{part}": size
    for name in ("block", "goal")
    for part, size in (("pos", 2), ("heading", 1), ("keypoints", 16))
}


def observation_space() -> spaces.Dict:
    """Unbounded but for headings: without walls, and for the agent even with them, there is no edge."""
    return spaces.Dict(
        {
            key: spaces.Box(
                *((-np.pi, np.pi) if "heading" in key else (-np.inf, np.inf)), (size,), np.float64
            )
            for key, size in _SIZES.items()
        }
    )


def pose_entries(name: str, pose: tuple[float, float, float]) -> Observation:
    """Position, heading in [-π, π) and corners of the T at `pose` (centre of gravity x, y, heading)."""
    x, y, heading = pose
    return {
        f"{name}_pos": np.array((x, y)),
        f"{name}_heading": np.array(((heading + math.pi) % (2 * math.pi) - math.pi,)),
        f"{name}_keypoints": geometry.keypoints(pose).reshape(16),
    }
