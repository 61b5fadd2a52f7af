"""A scene of CloudPush drawn by casting rays: no display, no OpenGL, and everything hides what is behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.envs.cloudpush.engine import AGENT_RADIUS
from equiworld.envs.cloudpush.geometry import Array, Pose, rotation_matrix
from equiworld.envs.cloudpush.shapes import Shape
from equiworld.envs.cloudpush.surface import Solid

__all__ = ["Camera", "Scene", "cast"]

ELEVATION = 24.0  # [deg] of the camera above the horizon
FINER = 2  # pixels are averaged over so many by so many
FLOOR, TILE = 0.95, 0.05  # how far below the centre, as a share of the radius; [m] between lines
DOT, FOOTPRINT = 2, 1  # [finer pixels] radius of a point of the cloud, and of the trail

# In the colours of the environment's own pictures.
BODY, GOAL, AGENT = (np.array(one) for one in ((0.56, 0.66, 0.78), (0.20, 0.72, 0.30), (0.16, 0.36, 0.95)))
CLOUD, PAPER, LINE, EDGE = (
    np.array(one) for one in ((0.80, 0.12, 0.08), (1.0, 1.0, 1.0), (0.86, 0.87, 0.89), (0.17, 0.21, 0.27))
)


class Hits(NamedTuple):
    """What rays meet first: depth t `(n,)` [m], inf for nothing; normals `(n, 3)`; the facet `(n,)`, -1 for none."""

    depth: Array
    normal: Array
    facet: NDArray[np.int64]


class _Layer(NamedTuple):
    """What is seen of one body on its own: towards the camera [m], -inf for nothing; brightness; its edges."""

    near: Array
    light: Array
    edges: NDArray[np.bool_]


class Camera:
    """Where all pictures are taken from: far away, a little above the horizon, the world's z axis upwards.

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


class Scene:
    """Draws a body, its goal, the end-effector and the cloud from one side, each hiding what is behind it.

    The rays are parallel, so that lengths look the same wherever they are. The floor is a hint to the eye: it shows
    what is up in the world, and shadows show what is above what. Nothing touches it.

    Args:
        shape: of the body.
        goal: where it should be.
        centre: `(3,)` [m], in the middle of the picture.
        radius: half of the picture's side [m].
        camera: which way it is seen.
        size: of the picture, which is square [pixels].
    """

    def __init__(
        self, shape: Shape, goal: Pose, centre: ArrayLike, radius: float, camera: Camera, size: int
    ) -> None:
        self.shape, self.radius = shape, radius
        self.side = FINER * size
        self.centre = np.asarray(centre, np.float64)
        self.axes, self.right, self.up, self.towards = camera.axes, camera.right, camera.up, camera.towards
        self.sun = _unit(self.towards + 0.9 * self.up - 0.7 * self.right)
        self._steps = ((np.arange(self.side) + 0.5) / self.side * 2 - 1) * radius
        across, along = np.meshgrid(self._steps, -self._steps)
        self.rays = self.centre + across.reshape(-1, 1) * self.right + along.reshape(-1, 1) * self.up
        self._lay_floor()
        self._goal = self._look(goal)
        near = self._goal.near.reshape(self.side, self.side)
        shifts = [np.roll(near, shift, axis) for axis in (0, 1) for shift in (-1, 1)]
        self._goal_near = np.maximum.reduce([near, *shifts]).ravel()  # of its edges' outer sides too

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
        agent = np.asarray(agent, np.float64)
        colour = self._floor.copy()
        self._shade_floor(colour, body, agent)
        layer = self._look(body)
        near = layer.near.copy()
        seen = np.isfinite(near)
        colour[seen] = BODY * layer.light[seen, None]
        colour[layer.edges] = EDGE
        self._add_agent(colour, near, agent)
        self._add_points(colour, near, np.reshape(np.asarray(cloud, np.float64), (-1, 3)), CLOUD, DOT)
        self._add_points(colour, near, _dense(trail), 0.4 * AGENT + 0.6, FOOTPRINT)
        self._add_goal(colour, near)
        finer = colour.reshape(self.side // FINER, FINER, self.side // FINER, FINER, 3)
        return np.round(255 * finer.mean((1, 3))).astype(np.uint8)

    def _look(self, pose: Pose) -> _Layer:
        rotation = rotation_matrix(pose.quaternion)
        chosen = self._around(pose.position, self.shape.surface.reach)
        origins = (self.rays[chosen] - pose.position) @ rotation
        hits = cast(self.shape.surface.solids, origins, -self.towards @ rotation)
        near = np.full(self.side**2, -np.inf)
        light = np.zeros(self.side**2)
        facet = np.full(self.side**2, -1, np.int64)
        near[chosen], facet[chosen] = -hits.depth, hits.facet
        light[chosen] = _brightness(hits.normal @ (rotation.T @ self.sun))
        return _Layer(near, light, _boundaries(facet.reshape(self.side, self.side)).ravel())

    def _around(self, centre: ArrayLike, reach: float) -> NDArray[np.intp]:
        """The rays that can meet what is so near [m] to a point `(3,)`."""
        right, up, _ = self._flat(np.asarray(centre)[None])[0]
        rows = np.flatnonzero(np.abs(self._steps + up) < reach)
        columns = np.flatnonzero(np.abs(self._steps - right) < reach)
        return (rows[:, None] * self.side + columns).ravel()

    def _flat(self, points: Array) -> Array:
        """To the right, up and towards the camera from the centre: `(n, 3)` [m]."""
        return (points - self.centre) @ self.axes

    # --- the floor -----------------------------------------------------------------------------------

    def _lay_floor(self) -> None:
        height = self.centre[2] - FLOOR * self.radius
        distance = (self.rays[:, 2] - height) / self.towards[2]
        ground = self.rays - distance[:, None] * self.towards
        apart = np.linalg.norm(ground[:, :2] - self.centre[:2], axis=-1) / self.radius
        self._ground_at = np.flatnonzero(apart < 1.0)
        self._ground = ground[self._ground_at]
        self._fade = np.clip(2.5 * (1.0 - apart[self._ground_at]), 0.0, 1.0)[:, None]
        # Lines about the centre of the picture, so that all pictures have the same.
        offset = (self._ground[:, :2] - self.centre[:2]) / TILE
        # Equally thick in the picture, whichever way they run: by how much the ground changes from pixel to pixel.
        slanted = self.up - self.up[2] / self.towards[2] * self.towards
        width = 2.4 * self.radius / self.side / TILE * np.hypot(self.right, slanted)[:2]
        thin = np.abs(offset - np.round(offset)) < width
        self._floor = np.tile(PAPER, (self.side**2, 1))
        tiles = np.where(thin.any(-1)[:, None], LINE, PAPER - 0.025)
        self._floor[self._ground_at] += self._fade * (tiles - PAPER)

    def _shade_floor(self, colour: Array, body: Pose, agent: Array) -> None:
        """The shadows that a light straight above throws."""
        flat = self._ground[:, :2]
        dark = ((flat - agent[:2]) ** 2).sum(-1) < AGENT_RADIUS**2
        close = np.flatnonzero(((flat - body.position[:2]) ** 2).sum(-1) < self.shape.surface.reach**2)
        rotation = rotation_matrix(body.quaternion)
        origins = (self._ground[close] - body.position) @ rotation
        dark[close] |= cast(self.shape.surface.solids, origins, rotation[2]).facet >= 0
        colour[self._ground_at[dark]] *= 1.0 - 0.16 * self._fade[dark]

    # --- what is in the air ----------------------------------------------------------------------------

    def _add_agent(self, colour: Array, near: Array, agent: Array) -> None:
        middle = self._flat(agent[None])[0]
        chosen = self._around(agent, AGENT_RADIUS)
        apart = (self.rays[chosen] - agent) @ self.axes
        height = AGENT_RADIUS**2 - (apart[:, :2] ** 2).sum(-1)
        rise = np.sqrt(np.maximum(height, 0.0))
        front = (height > 0.0) & (middle[2] + rise > near[chosen])
        chosen, rise = chosen[front], rise[front]
        normal = np.column_stack([apart[front, :2], rise]) @ self.axes.T / AGENT_RADIUS
        facing = normal @ self.sun
        shine = 0.65 * np.clip(facing, 0.0, 1.0)[:, None] ** 30
        colour[chosen] = np.clip(AGENT * _brightness(facing)[:, None] + shine, 0.0, 1.0)
        near[chosen] = middle[2] + rise

    def _add_points(self, colour: Array, near: Array, points: Array, ink: Array, size: int) -> None:
        """Discs where points are seen."""
        flat = self._flat(points)
        column = np.floor((flat[:, 0] / self.radius + 1) / 2 * self.side).astype(int)
        row = np.floor((1 - flat[:, 1] / self.radius) / 2 * self.side).astype(int)
        inside = ((np.stack([row, column]) >= size) & (np.stack([row, column]) < self.side - size)).all(0)
        place = row[inside] * self.side + column[inside]
        place = place[flat[inside, 2] > near[place] - 0.001]
        for down in range(-size, size + 1):
            for over in range(-size, size + 1):
                if down**2 + over**2 <= size**2 + 1:
                    colour[place + down * self.side + over] = ink

    def _add_goal(self, colour: Array, near: Array) -> None:
        """A ghost: its surface where nothing is before it, its edges everywhere."""
        before = np.isfinite(self._goal.near) & (self._goal.near > near + 0.0005)
        glass = GOAL * self._goal.light[before, None]
        colour[before] += np.where(np.isfinite(near[before, None]), 0.16, 0.30) * (glass - colour[before])
        edges = np.flatnonzero(self._goal.edges)
        alpha = np.where(self._goal_near[edges] > near[edges] - 0.002, 0.9, 0.55)[:, None]
        colour[edges] += alpha * (0.8 * GOAL - colour[edges])


def cast(solids: Sequence[Solid], origins: Array, along: Array) -> Hits:
    """Where lines from the origins `(n, 3)` [m] along a unit vector first meet any of the solids, in body axes.

    They begin infinitely far back: t may be negative. Facets that lie in one plane have one number.
    """
    along = np.where(np.abs(along) < 1e-12, 1e-12, along)
    columns = np.ascontiguousarray(origins.T)
    best = Hits(np.full(len(origins), np.inf), np.zeros(origins.shape), np.full(len(origins), -1, np.int64))
    for solid in solids:
        meet = _box if solid.kind == "box" else _cylinder
        chosen, hits = meet(solid, columns, along)
        nearer = hits.depth < best.depth[chosen]
        for whole, one in zip(best, hits, strict=True):
            whole[chosen[nearer]] = one[nearer]
    return best


def _box(solid: Solid, origins: Array, along: Array) -> tuple[NDArray[np.intp], Hits]:
    """Which of the rays, `(3, n)`, meet a box, and where these do."""
    sign, size = -np.sign(along), np.asarray(solid.size)
    enter = ((sign * size + solid.centre)[:, None] - origins) / along[:, None]
    leave = enter + (2 * size / np.abs(along))[:, None]
    chosen = np.flatnonzero(enter.max(0) < leave.min(0))
    axis = enter[:, chosen].argmax(0)
    offset = (sign * size + solid.centre)[axis]
    facet = _number(2 * axis + (sign[axis] > 0), offset)
    return chosen, Hits(enter[axis, chosen], (np.eye(3) * sign)[axis], facet)


def _cylinder(solid: Solid, origins: Array, along: Array) -> tuple[NDArray[np.intp], Hits]:
    """Which of the rays, `(3, n)`, meet a cylinder, and where these do."""
    radius, half = solid.size
    x, y, z = origins - np.asarray(solid.centre)[:, None]
    a, b = along[0] ** 2 + along[1] ** 2, x * along[0] + y * along[1]
    inside = b * b - a * (x * x + y * y - radius**2)
    root = np.sqrt(np.where(inside > 0.0, inside, np.nan))  # nan where the wall is missed
    sign = -np.sign(along[2])
    wall, cap = (-b - root) / a, (sign * half - z) / along[2]
    chosen = np.flatnonzero(np.maximum(wall, cap) < np.minimum((root - b) / a, (-sign * half - z) / along[2]))
    wall, cap = wall[chosen], cap[chosen]
    by_cap = cap > wall
    round_ = np.stack([x[chosen] + wall * along[0], y[chosen] + wall * along[1], 0.0 * wall], -1) / radius
    normal = np.where(by_cap[:, None], (0.0, 0.0, sign), round_)
    kind = np.where(by_cap, 4 + (sign > 0), 6)
    facet = _number(kind, np.where(by_cap, solid.centre[2] + sign * half, radius))
    return chosen, Hits(np.maximum(wall, cap), normal, facet)


def _number(kind: NDArray[np.int_], offset: Array) -> NDArray[np.int64]:
    """One number for each plane, to a hundredth of a millimetre."""
    return kind.astype(np.int64) * 10**6 + np.round((offset + 1.0) * 1e5).astype(np.int64)


def _boundaries(facet: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Both sides of wherever one facet ends and another, or nothing, begins."""
    found = np.zeros(facet.shape, np.bool_)
    for whole, marks in ((facet, found), (facet.T, found.T)):
        differ = whole[1:] != whole[:-1]
        marks[1:] |= differ
        marks[:-1] |= differ
    return found


def _brightness(facing: Array) -> Array:
    return 0.62 + 0.46 * np.clip(facing, -0.4, 1.0)


def _unit(vector: Array) -> Array:
    return vector / np.linalg.norm(vector)


def _dense(trail: Sequence[ArrayLike]) -> Array:
    """Points `(n, 3)` along a path, close enough to look like a line."""
    path = np.reshape(np.asarray(trail, np.float64), (-1, 3))
    if len(path) < 2:
        return path[:0]
    share = np.linspace(0.0, len(path) - 1.0, 40 * (len(path) - 1) + 1)
    return np.stack([np.interp(share, np.arange(len(path)), axis) for axis in path.T], -1)
