"""Worlds of several bodies that are alike, as slices of orientations, and when the named body is at its goal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym

import equiworld.envs.cloudpush.bodies
import equiworld.envs.pusht.blocks  # noqa: F401  registers it

__all__ = ["BODIES_WORLDS", "BodiesWorld"]

_ANGLE = math.radians(10.0)  # [rad] within which the named body must be when the episode ends


@dataclass(frozen=True)
class BodiesWorld:
    """One of them.

    Attributes:
        env_id: of the environment.
        bodies, width: names of its arguments: how many bodies, and the half width [rad] of the slice of orientations.
        places: the observation, or the part of a latent, that holds where all bodies are.
        distance: the entry of `info` that says how far the named one is from its goal.
        near: how far it may be when the episode ends, in the unit of `distance`.
        points: of each body's cloud, where bodies are seen as clouds. Data to train on has twice as many, for encoders
            train on halves.
    """

    env_id: str
    bodies: str
    width: str
    places: str
    distance: str
    near: float
    points: int = 0

    def make(self, bodies: int, half_width: float, endless: bool = False, trained: bool = False) -> gym.Env:
        """The environment in a slice of orientations [deg].

        Args:
            bodies: how many.
            half_width: of the slice.
            endless: whether an episode goes on whatever happens.
            trained: whether it is for data to train on.
        """
        arguments: dict[str, Any] = {"success_distance": 1e-9} if endless else {}
        arguments |= {self.bodies: bodies, self.width: math.radians(half_width)}
        if self.points:
            arguments["points"] = self.points * (2 if trained else 1)
        return gym.make(self.env_id, disable_env_checker=True, **arguments)

    def solved(self, final: Mapping[str, float]) -> bool:
        """Whether an episode ended with the named body within `near` and 10° of its goal."""
        return final[self.distance] < self.near and final["angle"] < _ANGLE


_SPACE = BodiesWorld(
    "equiworld/CloudPushBodies-v0", "bodies", "max_angle", "bodies_pos", "mean_point_distance", 0.02
)

BODIES_WORLDS: Mapping[str, BodiesWorld] = {
    "cloudpush-bodies": _SPACE,
    "cloudpush-bodies-clouds": replace(_SPACE, places="keypoints", points=128),
    "pusht-blocks": BodiesWorld(
        "equiworld/PushTBlocks-v0", "blocks", "max_heading", "blocks_pos", "distance", 10.0
    ),
}
