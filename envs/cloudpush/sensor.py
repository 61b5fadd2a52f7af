"""A depth sensor: the cloud of points that it sees of a body."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from equiworld.arguments import integer
from equiworld.envs.arguments import as_number, finite
from equiworld.envs.cloudpush.geometry import Array, Pose, Triple, rotation_matrix
from equiworld.envs.cloudpush.shapes import Shape
from equiworld.errors import ArgumentError

__all__ = ["Sensor"]


@dataclass(frozen=True)
class Sensor:
    """Draws clouds that belong to the body: what is random about them is drawn in the body's axes.

    So the cloud of a turned body is the turned cloud, exactly, noise and all. The only thing that can spoil this is
    a camera that stays put in the world.

    Attributes:
        points: N in a cloud.
        noise: standard deviation [m] of each coordinate, the same in every direction.
        view: None to see the whole surface; "random" for a camera far away in a direction that is drawn for each
            episode and belongs to the scene, so that it turns along; or a direction `(3,)` in the world, from
            the scene to the camera, for a camera that stays put.
        dropout: probability that a point is lost; points that are left stand in for it, so some come twice.
    """

    points: int = 128
    noise: float = 0.0
    view: Literal["random"] | Triple | None = None
    dropout: float = 0.0

    def __post_init__(self) -> None:
        plain = {
            "points": integer("points", self.points, least=0),
            "noise": as_number("noise", self.noise, "[m]", zero=True),
            "dropout": as_number("dropout", self.dropout, "(a probability)", high=1.0 - 1e-9, zero=True),
        }
        for name, value in plain.items():
            object.__setattr__(self, name, value)
        if self.view is None or (isinstance(self.view, str) and self.view == "random"):
            return
        try:
            direction = np.array(finite("view", self.view, 3))
        except ArgumentError:
            direction = np.zeros(3)
        length = float(np.linalg.norm(direction))
        if not 0 < length < math.inf:
            raise ArgumentError(
                "view", repr(self.view), 'None, "random", or a direction in the world, shape (3,)'
            )
        object.__setattr__(self, "view", tuple((direction / length).tolist()))

    @property
    def stays_put(self) -> bool:
        """Whether the camera has its place in the world rather than in the scene."""
        return isinstance(self.view, tuple)

    def cloud(self, shape: Shape, pose: Pose, key: int, number: int, camera: Triple | None) -> Array:
        """Points `(N, 3)` [m] of a body, in world axes.

        Args:
            shape: of the body.
            pose: where it is.
            key: of the episode.
            number: of the cloud in the episode. The same key and number draw the same places on the body.
            camera: unit vector from the scene to the camera, in world axes; needed for a "random" view.
        """
        # Philox is a function of key and counter: any cloud can be drawn again without those before it.
        rng = np.random.Generator(np.random.Philox(key=key, counter=[0, number, 0, 0]))
        rotation = rotation_matrix(pose.quaternion)
        eye = self.view if isinstance(self.view, tuple) else camera
        if self.view is None or eye is None:
            points, _ = shape.surface.sample(rng, self.points)
        else:
            points = self._visible(shape, rng, np.asarray(eye) @ rotation)
        if self.noise > 0:
            points = points + self.noise * rng.standard_normal(points.shape)
        if self.dropout > 0:
            points = self._lose(points, rng)
        return points @ rotation.T + pose.position

    def _visible(self, shape: Shape, rng: np.random.Generator, direction: Array) -> Array:
        """Points seen from a direction in body axes."""
        found = np.empty((0, 3))
        while len(found) < self.points:
            points, normals = shape.surface.sample(rng, 3 * self.points)
            found = np.concatenate([found, points[shape.surface.visible(points, normals, direction)]])
        return found[: self.points]

    def _lose(self, points: Array, rng: np.random.Generator) -> Array:
        kept = rng.random(len(points)) >= self.dropout
        stand_ins = rng.integers(max(int(kept.sum()), 1), size=len(points))
        left = points[kept] if kept.any() else points[:1]
        return np.where(kept[:, None], points, left[stand_ins])
