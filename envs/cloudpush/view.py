"""Pictures of a running episode, as `render` shows them: from one place, as long as nothing leaves the picture."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.envs.cloudpush.geometry import Array, Pose
from equiworld.envs.cloudpush.rendering import Camera, Scene, corners_of, ends_of_agent
from equiworld.envs.cloudpush.shapes import Shape
from equiworld.envs.cloudpush.simulation import CloudPushState

__all__ = ["SIZE", "View"]

SIZE = 480  # [pixels]
ROOM = 1.25  # about what an episode begins with
CAMERA = Camera(math.radians(315.0))


class View:
    """Draws states of episodes; the same state of the same episode always gives the same picture.

    Args:
        shape: of the body.
        table: whether there is one, at height 0.
    """

    def __init__(self, shape: Shape, table: bool) -> None:
        self.shape, self.table = shape, table
        self._key: Any = None
        self._scene: Scene | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return View, (self.shape, self.table)  # without what can be drawn again

    def draw(self, start: CloudPushState, body: Pose, agent: Array, cloud: Array) -> NDArray[np.uint8]:
        """A picture `(480, 480, 3)` uint8 of body, goal, end-effector and cloud.

        Args:
            start: what the episode began with, all of which the picture holds.
            body: where the body is now.
            agent: where the end-effector is `(3,)` [m].
            cloud: points `(n, 3)` [m].
        """
        first = [corners_of(self.shape, start.goal), corners_of(self.shape, start.body)]
        held = np.concatenate([*first, ends_of_agent(start.agent_pos)])
        now = np.concatenate([corners_of(self.shape, body), ends_of_agent(agent)])
        centre, radius = CAMERA.around(held, ROOM)
        if np.abs((now - centre) @ CAMERA.axes[:, :2]).max() > radius:
            centre, radius = CAMERA.around(np.concatenate([held, now]), ROOM)
        key = start.goal, tuple(centre.tolist()), radius
        if self._scene is None or key != self._key:
            floor = 0.0 if self.table else None
            self._scene = Scene(self.shape, start.goal, centre, radius, CAMERA, SIZE, floor)
            self._key = key
        return self._scene.draw(body, agent, cloud)
