"""The CloudPush scene from the side, by casting rays: without a display or OpenGL, and hidden is what is behind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.envs.cloudpush.engine import AGENT_RADIUS
from equiworld.envs.cloudpush.geometry import Array, Pose, rotation_matrix
from equiworld.envs.cloudpush.rays import cast
from equiworld.envs.cloudpush.shapes import Shape

__all__ = ["Camera", "Scene", "corners_of", "ends_of_agent"]

ELEVATION = 24.0  # [deg] of the camera above the horizon
FINER = 2  # pixels are averaged over so many by so many
FLOOR, TILE = 0.95, 0.05  # how far below the centre, as a share of the radius; [m] between lines
DOT, FOOTPRINT = 2, 1  # [finer pixels] radius of a point of the cloud, and of the trail
LOWER = 0.07  # how far the centre is below the middle of what a picture holds, for the floor; likewise

BODY, GOAL, AGENT, CLOUD = (143, 168, 199), (51, 184, 77), (41, 92, 242), (204, 31, 20)
PAPER, TILES, LINE, EDGE = (255, 255, 255), (249, 249, 249), (219, 222, 227), (43, 54, 69)

Floats = NDArray[np.floating]
Window = tuple[slice, slice]
"""Rows and columns of a picture."""


class _Layer(NamedTuple):
    """One body rendered on its own, in a window of the picture `(h, w)`.

    Towards the camera [m], -inf for nothing; brightness; both sides of its edges.
    """

    window: Window
    near: Floats
    light: Floats
    edges: NDArray[np.bool_]


class Camera:
    """An orthographic camera: far away, a little above the horizon, the world's z axis upwards.

    Args:
        azimuth: [rad] about the vertical.

    Attributes:
        axes: `(3, 3)`, columns to the right, up in the picture, and towards the camera: unit vectors.
    """

    def __init__(self, azimuth: float) -> None:
        level, rise = math.cos(math.radians(ELEVATION)), math.sin(math.radians(ELEVATION))
        self.towards = np.array([level * math.cos(azimuth), level * math.sin(azimuth), rise])
        self.right = np.array([-math.sin(azimuth), math.cos(azimuth), 0.0])
        self.up = np.cross(self.towards, self.right)
        self.axes = np.stack([self.right, self.up, self.towards], -1)

    def around(self, points: Array, room: float = 1.08) -> tuple[Array, float]:
        """The centre `(3,)` [m] and half the side [m] of a square picture that holds points `(n, 3)`, and some room."""
        flat = points @ self.axes
        low, high = flat.min(0), flat.max(0)
        radius = room * float((high - low)[:2].max()) / 2
        return self.axes @ ((low + high) / 2 - (0.0, LOWER * radius, 0.0)), radius


class Scene:
    """Draws a body, its goal, the end-effector and the cloud from one side, each hiding what is behind it.

    The rays are parallel, so that lengths look the same wherever they are. Shadows on the floor show what is above
    what. Without a table the floor is a hint to the eye: nothing touches it.

    Args:
        shape: of the body.
        goal: where it should be.
        centre: `(3,)` [m], in the middle of the picture.
        radius: half of the picture's side [m].
        camera: which way it is seen.
        size: of the picture, which is square [pixels].
        floor: its height [m]; below everything if None.
    """

    def __init__(
        self,
        shape: Shape,
        goal: Pose,
        centre: ArrayLike,
        radius: float,
        camera: Camera,
        size: int,
        floor: float | None = None,
    ) -> None:
        self.shape, self.radius = shape, radius
        self.side = FINER * size
        self.centre = np.asarray(centre, np.float64)
        self.axes, self.right, self.up, self.towards = camera.axes, camera.right, camera.up, camera.towards
        sun = self.towards + 0.9 * self.up - 0.7 * self.right
        self.sun = sun / np.linalg.norm(sun)
        self._steps = ((np.arange(self.side) + 0.5) / self.side * 2 - 1) * radius
        self.floor = self.centre[2] - FLOOR * radius if floor is None else floor
        # On the floor one looks at `_ground`, and one step up in the picture farther along `_slanted`.
        self._ground = self.centre - (self.centre[2] - self.floor) / self.towards[2] * self.towards
        self._slanted = self.up - self.up[2] / self.towards[2] * self.towards
        self._paper = self._tiled()
        self._goal = self._look(goal)
        near = np.pad(self._goal.near, 1, constant_values=-np.inf)
        shifts = [near[1:-1, 1:-1], near[:-2, 1:-1], near[2:, 1:-1], near[1:-1, :-2], near[1:-1, 2:]]
        self._goal_near = np.maximum.reduce(shifts)  # of its edges' outer sides too

    def draw(
        self, body: Pose, agent: ArrayLike, cloud: ArrayLike = (), trail: Sequence[ArrayLike] = ()
    ) -> NDArray[np.uint8]:
        """A picture `(size, size, 3)` uint8.

        Args:
            body: where the body is.
            agent: centre of the end-effector `(3,)` [m].
            cloud: points `(n, 3)` [m].
            trail: where the end-effector has been, each `(3,)` [m].
        """
        from PIL import Image

        agent = np.asarray(agent, np.float64)
        colour = self._paper.copy()
        self._shade_floor(colour, body, agent)
        layer, near = self._look(body), np.full((self.side, self.side), -np.inf)
        near[layer.window] = layer.near
        seen = np.isfinite(layer.near)
        colour[layer.window][seen] = _lit(BODY, layer.light[seen])
        colour[layer.window][layer.edges] = EDGE
        self._add_agent(colour, near, agent)
        self._add_points(colour, near, np.reshape(np.asarray(cloud, np.float64), (-1, 3)), CLOUD, DOT)
        pale = tuple(round(0.4 * ink + 0.6 * 255) for ink in AGENT)
        self._add_points(colour, near, _dense(trail), pale, FOOTPRINT)
        self._add_goal(colour, near)
        return np.asarray(Image.fromarray(colour).reduce(FINER))

    # --- where things are in the picture ---------------------------------------------------------------

    def _flat(self, points: Array) -> Array:
        """To the right, up and towards the camera from the centre: `(n, 3)` [m]."""
        return (points - self.centre) @ self.axes

    def _window(self, points: Array) -> Window:
        """The part of the picture that holds points `(n, 3)`, and two finer pixels around them."""
        flat = self._flat(points)[:, :2]
        pixel = 2 * self.radius / self.side
        low, high = flat.min(0) - 2 * pixel, flat.max(0) + 2 * pixel
        left, right = np.searchsorted(self._steps, (low[0], high[0])).tolist()
        top, bottom = np.searchsorted(self._steps, (-high[1], -low[1])).tolist()
        return slice(top, bottom), slice(left, right)

    def _spread(self, window: Window, origin: Array, right: Array, up: Array) -> Floats:
        """origin + x·right + y·up of all pixels (x, y) of a window, `(h·w, 3)`."""
        rows, columns = self._steps[window[0]][:, None], self._steps[window[1]]
        spread = [o + x * columns - y * rows for o, x, y in zip(origin, right, up, strict=True)]
        return np.stack(spread, dtype=np.float32).reshape(3, -1).T  # half the time of float64

    def _look(self, pose: Pose) -> _Layer:
        rotation = rotation_matrix(pose.quaternion)
        window = self._window(corners_of(self.shape, pose))
        origin = (self.centre - pose.position) @ rotation
        origins = self._spread(window, origin, self.right @ rotation, self.up @ rotation)
        hits = cast(self.shape.surface.solids, origins, -self.towards @ rotation)
        shape = len(self._steps[window[0]]), len(self._steps[window[1]])
        light = _brightness(hits.normal @ (rotation.T @ self.sun)).reshape(shape)
        return _Layer(window, -hits.depth.reshape(shape), light, _boundaries(hits.facet.reshape(shape)))

    # --- the floor -----------------------------------------------------------------------------------

    def _tiled(self) -> NDArray[np.uint8]:
        """An empty picture: the floor's tiles, whose lines go through the centre, fading with the distance."""
        x, y, _ = self._spread(
            (slice(None), slice(None)), self._ground - self.centre, self.right, self._slanted
        ).T
        # Equally thick in the picture, whichever way they run: by how much the ground changes from pixel to pixel.
        across, along = 2.4 * self.radius / self.side / TILE * np.hypot(self.right, self._slanted)[:2]
        x_tile, y_tile = x / TILE, y / TILE
        line = (np.abs(x_tile - np.rint(x_tile)) < across) | (np.abs(y_tile - np.rint(y_tile)) < along)
        faded = PAPER + np.linspace(0, 1, 256)[:, None, None] * (np.array((TILES, LINE)) - PAPER)
        level = np.rint(255 * self._fade(x, y)).astype(np.uint8)
        colour = np.rint(faded).astype(np.uint8)[level, line.astype(np.uint8)]
        return colour.reshape(self.side, self.side, 3)

    def _fade(self, x: Floats, y: Floats) -> Floats:
        """The opacity of the floor, in [0, 1], at a place (x, y) from below the centre [m]."""
        return np.clip(2.5 * (1.0 - np.sqrt(x * x + y * y) / self.radius), 0.0, 1.0)

    def _shade_floor(self, colour: NDArray[np.uint8], body: Pose, agent: Array) -> None:
        """The shadows that a light straight above throws."""
        dark = np.zeros((self.side, self.side), np.bool_)
        rotation = rotation_matrix(body.quaternion)
        fallen = ends_of_agent(agent)
        fallen[:, 2] = self.floor
        window = self._window(fallen)
        x, y, _ = self._spread(window, self._ground - agent, self.right, self._slanted).T
        dark[window] = (x**2 + y**2 < AGENT_RADIUS**2).reshape(dark[window].shape)
        fallen = corners_of(self.shape, body)
        fallen[:, 2] = self.floor
        window = self._window(fallen)
        origin = (self._ground - body.position) @ rotation
        origins = self._spread(window, origin, self.right @ rotation, self._slanted @ rotation)
        dark[window] |= (cast(self.shape.surface.solids, origins, rotation[2]).facet >= 0).reshape(
            dark[window].shape
        )
        rows, columns = np.nonzero(dark)
        right, up = self._steps[columns, None], -self._steps[rows, None]
        x, y, _ = (self._ground - self.centre + right * self.right + up * self._slanted).T
        colour[rows, columns] = np.rint(colour[rows, columns] * (1.0 - 0.16 * self._fade(x, y)[:, None]))

    # --- what is in the air ----------------------------------------------------------------------------

    def _add_agent(self, colour: NDArray[np.uint8], near: Array, agent: Array) -> None:
        window = self._window(ends_of_agent(agent))
        middle = self._flat(agent[None])[0]
        up, right = np.meshgrid(
            -self._steps[window[0]] - middle[1], self._steps[window[1]] - middle[0], indexing="ij"
        )
        height = AGENT_RADIUS**2 - right**2 - up**2
        rise = np.sqrt(np.maximum(height, 0.0))
        front = (height > 0.0) & (middle[2] + rise > near[window])
        normal = np.stack([right[front], up[front], rise[front]], -1) @ self.axes.T / AGENT_RADIUS
        facing = normal @ self.sun
        shine = 165.0 * np.clip(facing, 0.0, 1.0)[:, None] ** 30
        colour[window][front] = np.minimum(_lit(AGENT, _brightness(facing)) + shine, 255.0)
        near[window][front] = middle[2] + rise[front]

    def _add_points(
        self, colour: NDArray[np.uint8], near: Array, points: Array, ink: Sequence[int], size: int
    ) -> None:
        """Discs where points are seen."""
        flat = self._flat(points)
        column = np.floor((flat[:, 0] / self.radius + 1) / 2 * self.side).astype(int)
        row = np.floor((1 - flat[:, 1] / self.radius) / 2 * self.side).astype(int)
        inside = ((np.stack([row, column]) >= size) & (np.stack([row, column]) < self.side - size)).all(0)
        row, column, depth = row[inside], column[inside], flat[inside, 2]
        seen = depth > near[row, column] - 0.001
        for down in range(-size, size + 1):
            for over in range(-size, size + 1):
                if down**2 + over**2 <= size**2 + 1:
                    colour[row[seen] + down, column[seen] + over] = ink

    def _add_goal(self, colour: NDArray[np.uint8], near: Array) -> None:
        """A ghost: its surface where nothing is before it, its edges everywhere."""
        goal = self._goal
        here, behind = colour[goal.window], near[goal.window]
        before = goal.near > behind + 0.0005
        share = np.where(np.isfinite(behind[before]), 0.16, 0.30)
        here[before] = _mixed(here[before], _lit(GOAL, goal.light[before]), share)
        share = np.where(self._goal_near[goal.edges] > behind[goal.edges] - 0.002, 0.9, 0.55)
        here[goal.edges] = _mixed(here[goal.edges], 0.8 * np.asarray(GOAL), share)


def corners_of(shape: Shape, pose: Pose) -> Array:
    """Points `(k, 3)` [m] whose convex hull holds a body."""
    return shape.surface.corners @ rotation_matrix(pose.quaternion).T + pose.position


def ends_of_agent(agent: ArrayLike) -> Array:
    """The corners `(8, 3)` [m] of a cube around the end-effector at `(3,)`."""
    return np.asarray(agent) + AGENT_RADIUS * (2.0 * np.indices((2, 2, 2)).reshape(3, 8).T - 1.0)


def _boundaries(facet: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Both sides of wherever one facet ends and another, or nothing, begins."""
    found = np.zeros(facet.shape, np.bool_)
    for whole, marks in ((facet, found), (facet.T, found.T)):
        differ = whole[1:] != whole[:-1]
        marks[1:] |= differ
        marks[:-1] |= differ
    return found


def _brightness(facing: Floats) -> Floats:
    return 0.62 + 0.46 * np.clip(facing, -0.4, 1.0)


def _lit(ink: Sequence[int], light: Floats) -> Floats:
    """A colour in a light: `(n, 3)`."""
    return np.minimum(np.asarray(ink, np.float32) * light.astype(np.float32)[:, None], 255.0)


def _mixed(below: NDArray[np.uint8], above: Floats, share: Floats) -> Floats:
    """A share `(n,)` of the colours above, and the rest of those below."""
    return below + share.astype(np.float32)[:, None] * (above - below) + np.float32(0.5)


def _dense(trail: Sequence[ArrayLike]) -> Array:
    """Points `(n, 3)` along a path, close enough to look like a line."""
    path = np.reshape(np.asarray(trail, np.float64), (-1, 3))
    if len(path) < 2:
        return path[:0]
    share = np.linspace(0.0, len(path) - 1.0, 40 * (len(path) - 1) + 1)
    return np.stack([np.interp(share, np.arange(len(path)), axis) for axis in path.T], -1)
