"""Where CloudPush's episodes begin, and what is worth trying: starts near contact, pushes of every length."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.envs.arguments import as_number
from equiworld.envs.cloudpush.engine import AGENT_RADIUS, Physics
from equiworld.envs.cloudpush.geometry import Array, Pose, Quad, Triple, multiply, rotation_matrix, turn
from equiworld.envs.cloudpush.shapes import Shape
from equiworld.envs.cloudpush.simulation import CloudPushState

__all__ = ["CloudPushExploration"]

_AGENT_ABOVE, _BODY_ABOVE = 1e-3, 1e-4  # [m] of the table: whether things touch must not depend on rounding


class CloudPushExploration:
    """Draws starts a short way from contact, goals, and pushes with log-uniform lengths.

    Everything is drawn without preference for a direction, except what a table asks for: with one, the body lies
    on one of its stable sides, and its goal is another place and heading there.

    Args:
        shape: of the body.
        physics: whether there is a table.
        goal_angle: [rad] between a start and its goal.
        goal_distance: [m] likewise.
        max_angle: [rad], the body's first orientation is drawn uniformly among those within this angle of the
            unturned one; less than π for a slice of orientations.
        region: [m] radius of the ball in which the body starts.
        gap: range [m] of the first gap between the end-effector and the body.
        lengths: range [m] of the pushes.
        action_repeat: environment steps that each push's target is held.
        steps_per_start: pushes in an episode.

    Raises:
        ArgumentError: a goal or an angle is out of range.
    """

    def __init__(
        self,
        shape: Shape,
        physics: Physics,
        goal_angle: float,
        goal_distance: float,
        max_angle: float = math.pi,
        region: float = 0.1,
        gap: tuple[float, float] = (0.005, 0.05),
        lengths: tuple[float, float] = (0.005, 0.05),
        action_repeat: int = 1,
        steps_per_start: int = 8,
    ) -> None:
        self.shape, self.physics = shape, physics
        self.goal_angle = as_number("goal_angle", goal_angle, "[rad]", math.pi, zero=True)
        self.goal_distance = as_number("goal_distance", goal_distance, "[m]", zero=True)
        self.max_angle, self.region = as_number("max_angle", max_angle, "[rad]", math.pi), region
        self.gap, self.lengths = gap, lengths
        self.action_repeat, self.steps_per_start = action_repeat, steps_per_start

    def start(self, rng: np.random.Generator) -> dict[str, Any]:
        """Reset options for an episode that begins `gap` away from contact, at rest."""
        return {"state": self.draw(rng)}

    def draw(self, rng: np.random.Generator) -> CloudPushState:
        """A start at rest, with its goal."""
        while True:
            body = self._body(rng)
            agent = self._agent(rng, body)
            if agent is not None:
                goal = self.draw_goal(rng, body)
                return CloudPushState(agent, body.position, body.quaternion, goal.position, goal.quaternion)

    def draw_goal(self, rng: np.random.Generator, body: Pose) -> Pose:
        """A goal `goal_distance` and `goal_angle` away, in directions drawn uniformly (on the table, if any)."""
        axis, way = _directions(rng, 2)
        if self.physics.table:
            axis = np.array((0.0, 0.0, math.copysign(1.0, axis[2])))
            way = np.array((way[0], way[1], 0.0)) / math.hypot(way[0], way[1])
        elif self.shape.fold == 0:
            # A turn about the axis of a body of revolution would not be one.
            own = rotation_matrix(body.quaternion)[:, 2]
            axis = np.cross(own, axis) / np.linalg.norm(np.cross(own, axis))
        quaternion = multiply(turn(axis.tolist(), self.goal_angle), body.quaternion)
        return Pose(_triple(body.position + self.goal_distance * way), quaternion)

    def action(
        self, rng: np.random.Generator, observation: dict[str, NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """A displacement [m]: mostly towards a random point of the surface, sometimes anywhere."""
        length = math.exp(rng.uniform(math.log(self.lengths[0]), math.log(self.lengths[1])))
        way = _directions(rng, 1)[0]
        if rng.uniform() < 0.7:
            towards = self._somewhere(rng, observation) - observation["agent_pos"]
            way = towards / max(float(np.linalg.norm(towards)), 1e-9) + 0.3 * rng.standard_normal(3)
            way /= max(float(np.linalg.norm(way)), 1e-9)
        return length * way

    def goes_on(self, info: dict[str, Any]) -> bool:
        """Whether the body is still within `max_angle` of the unturned orientation: data of a slice begins there.

        On a table, where `max_angle` is of the heading on whichever side the body lies, episodes go on.
        """
        cosine = (float(np.trace(info["body_rotation"].reshape(3, 3))) - 1) / 2
        return self.physics.table or self.max_angle >= math.pi or cosine >= math.cos(self.max_angle)

    def is_free(self, state: CloudPushState) -> bool:
        """Whether the end-effector is outside the body, and both are above the table, if there is one."""
        return self.agent_gap(state) > 0 and (not self.physics.table or self.table_gap(state) >= -1e-9)

    def agent_gap(self, state: CloudPushState) -> float:
        """Gap [m] between the end-effector and the body; negative where they overlap."""
        inside = np.subtract(state.agent_pos, state.body_pos) @ rotation_matrix(state.body_quat)
        return float(self.shape.surface.distance(inside[None])[0]) - AGENT_RADIUS

    def table_gap(self, state: CloudPushState) -> float:
        """Height [m] above z = 0 of the lowest point of body and end-effector."""
        heights = self.shape.surface.corners @ rotation_matrix(state.body_quat)[2]
        return min(float(heights.min()) + state.body_pos[2], state.agent_pos[2] - AGENT_RADIUS)

    def _somewhere(self, rng: np.random.Generator, observation: dict[str, NDArray[np.float64]]) -> Array:
        """A random point of the surface, as far as it is observed."""
        if "cloud" in observation:
            cloud = observation["cloud"].reshape(-1, 3)
            return cloud[rng.integers(len(cloud))]
        point = self.shape.surface.sample(rng, 1)[0][0]
        return observation["body_rotation"].reshape(3, 3) @ point + observation["body_pos"]

    def _body(self, rng: np.random.Generator) -> Pose:
        way = _directions(rng, 1)[0]
        if not self.physics.table:
            position = self.region * rng.uniform() ** (1 / 3) * way
            return Pose(_triple(position), self._orientation(rng))
        downs = self.shape.surface.resting_directions()
        heading = turn((0.0, 0.0, 1.0), rng.uniform(-self.max_angle, self.max_angle))
        quaternion = multiply(heading, _downwards(downs[rng.integers(len(downs))]))
        lowest = float((self.shape.surface.corners @ rotation_matrix(quaternion)[2]).min())
        x, y = (self.region * math.sqrt(rng.uniform()) / math.hypot(way[0], way[1]) * way[:2]).tolist()
        return Pose((x, y, _BODY_ABOVE - lowest), quaternion)

    def _orientation(self, rng: np.random.Generator) -> Quad:
        """Uniform (Haar) among the rotations by at most `max_angle`."""
        axis = _directions(rng, 1)[0]
        while True:
            # The angle's density is sin²(θ/2); draw from θ² and thin out.
            angle = self.max_angle * rng.uniform() ** (1 / 3)
            if rng.uniform() * (angle / 2) ** 2 <= math.sin(angle / 2) ** 2:
                return turn(axis.tolist(), angle)

    def _agent(self, rng: np.random.Generator, body: Pose) -> Triple | None:
        """A place of the end-effector near the body, or None if none of many was fit."""
        points, normals = self.shape.surface.sample(rng, 16)
        ways = normals + 0.5 * rng.standard_normal(normals.shape)
        ways /= np.linalg.norm(ways, axis=-1, keepdims=True)
        places = points + ways * (AGENT_RADIUS + rng.uniform(*self.gap, (16, 1)))
        gaps = self.shape.surface.distance(places) - AGENT_RADIUS
        placed = places @ rotation_matrix(body.quaternion).T + body.position
        fits = (gaps >= self.gap[0]) & (gaps <= self.gap[1])
        if self.physics.table:
            fits &= placed[:, 2] >= AGENT_RADIUS + _AGENT_ABOVE
        return _triple(placed[np.argmax(fits)]) if fits.any() else None


def _directions(rng: np.random.Generator, count: int) -> Array:
    """Unit vectors `(count, 3)` drawn uniformly."""
    arrows = rng.standard_normal((count, 3))
    return arrows / np.linalg.norm(arrows, axis=-1, keepdims=True)


def _downwards(direction: Array) -> Quad:
    """A quaternion that takes a unit vector `(3,)` to −z."""
    x, y, z = direction.tolist()
    if z > 1 - 1e-9:
        return 0.0, 1.0, 0.0, 0.0  # half a turn about x
    w = 1.0 - z  # the half-way turn, from 1 + a·b and a × b
    length = math.hypot(w, y, x)
    return w / length, -y / length, x / length, 0.0


def _triple(vector: Array) -> Triple:
    x, y, z = vector.tolist()
    return x, y, z
