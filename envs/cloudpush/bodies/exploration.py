"""Where episodes of several bodies begin: one to be moved, the others about its way, the end-effector near any."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.envs.cloudpush.bodies.state import BodiesState
from equiworld.envs.cloudpush.engine import AGENT_RADIUS
from equiworld.envs.cloudpush.exploration import CloudPushExploration
from equiworld.envs.cloudpush.geometry import Pose, Triple, rotation_matrix
from equiworld.envs.cloudpush.surface import Array

__all__ = ["BodiesExploration"]


class BodiesExploration:
    """Draws bodies that do not touch, the end-effector near one of them, a goal, and pushes at any of them.

    The other bodies are drawn about the middle of the way from the named one to its goal, without regard for which
    side, and clear of both ends. All that is drawn prefers neither a direction nor a place in the order.

    Args:
        one: what is drawn for one body.
        bodies: how many.
        crowd: [m] how far from the middle of the way the others' centres are at most.
        clearance: [m] between the bodies, and between the others and the goal, at a start.
    """

    def __init__(
        self, one: CloudPushExploration, bodies: int, crowd: float = 0.12, clearance: float = 0.004
    ) -> None:
        self.one, self.bodies, self.crowd, self.clearance = one, bodies, crowd, clearance
        self.action_repeat, self.steps_per_start = one.action_repeat, 12

    def start(self, rng: np.random.Generator) -> dict[str, Any]:
        """Reset options for an episode that begins a short way from contact, at rest."""
        return {"state": self.draw(rng)}

    def draw(self, rng: np.random.Generator) -> BodiesState:
        """A start at rest, with its goal."""
        while True:
            first = self.one.draw(rng)
            poses = self._others(rng, first.body, first.goal)
            if poses is None:
                continue
            order = rng.permutation(self.bodies)
            poses = [poses[body] for body in order]
            agent = self._agent(rng, poses)
            if agent is not None:
                return BodiesState(agent, tuple(poses), first.goal, int(np.flatnonzero(order == 0)[0]))

    def action(
        self, rng: np.random.Generator, observation: dict[str, NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """A displacement [m]: mostly towards a random point of a random body, sometimes anywhere."""
        shown = observation.get("bodies_cloud")
        clouds = None if shown is None else shown.reshape(self.bodies, -1, 3)
        places = observation["bodies_pos"].reshape(-1, 3) if clouds is None else clouds.mean(1)
        # Bodies are drawn by how near they are, so that most pushes meet one.
        apart = np.linalg.norm(places - observation["agent_pos"], axis=-1)
        weights = np.exp(-(apart - apart.min()) / 0.05)
        body = int(rng.choice(len(places), p=weights / weights.sum()))
        seen = {"agent_pos": observation["agent_pos"]}
        if clouds is None:
            turns = observation["bodies_rotation"].reshape(-1, 9)
            seen |= {"body_pos": places[body], "body_rotation": turns[body]}
        else:
            seen["cloud"] = clouds[body].ravel()
        return self.one.action(rng, seen)

    def goes_on(self, info: dict[str, Any]) -> bool:
        """Whether all bodies are still within the slice of orientations: data of a slice begins there."""
        return all(
            self.one.goes_on({"body_rotation": each}) for each in info["bodies_rotation"].reshape(-1, 9)
        )

    def draw_goal(self, rng: np.random.Generator, state: BodiesState) -> Pose:
        """A goal of the named body that no other stands in, where some tries find one."""
        others = [pose for body, pose in enumerate(state.bodies) if body != state.named]
        for _ in range(100):
            goal = self.one.draw_goal(rng, state.bodies[state.named])
            if all(self.gap(goal, pose) >= self.clearance for pose in others):
                break
        return goal

    def gap(self, here: Pose, there: Pose) -> float:
        """About how far two bodies are apart [m], by points laid over their surfaces; negative where they overlap."""
        return min(self._gap(here, there), self._gap(there, here))

    def is_free(self, state: BodiesState) -> bool:
        """Whether nothing touches anything."""
        bodies = state.bodies
        apart = all(
            self.gap(bodies[i], bodies[j]) > 0 for i in range(len(bodies)) for j in range(i + 1, len(bodies))
        )
        return apart and all(self.agent_gap(state.agent_pos, pose) > 0 for pose in bodies)

    def agent_gap(self, agent: Triple, body: Pose) -> float:
        """Gap [m] between the end-effector and a body; negative where they overlap."""
        inside = np.subtract(agent, body.position) @ rotation_matrix(body.quaternion)
        return float(self.one.shape.surface.distance(inside[None])[0]) - AGENT_RADIUS

    def _gap(self, here: Pose, there: Pose) -> float:
        surface = self.one.shape.surface
        if math.dist(here.position, there.position) > 2 * surface.reach + self.clearance:
            return math.dist(here.position, there.position) - 2 * surface.reach
        points = np.concatenate([self.one.shape.points, surface.corners])
        placed = points @ rotation_matrix(here.quaternion).T + here.position
        inside = (placed - there.position) @ rotation_matrix(there.quaternion)
        return float(surface.distance(inside).min())

    def _others(self, rng: np.random.Generator, named: Pose, goal: Pose) -> list[Pose] | None:
        """The named body and the others, or None if these find no place."""
        poses, middle = [named], np.add(named.position, goal.position) / 2
        for _ in range(60):
            if len(poses) == self.bodies:
                break
            arrow = rng.standard_normal(3)
            place = middle + self.crowd * rng.uniform() ** (1 / 3) * arrow / np.linalg.norm(arrow)
            x, y, z = place.tolist()
            pose = Pose((x, y, z), self.one.draw(rng).body_quat)
            if all(self.gap(pose, each) >= self.clearance for each in (*poses, goal)):
                poses.append(pose)
        return poses if len(poses) == self.bodies else None

    def _agent(self, rng: np.random.Generator, poses: list[Pose]) -> Triple | None:
        """A place of the end-effector near one of the bodies, clear of all; None if many were not."""
        low, high = self.one.gap
        surface = self.one.shape.surface
        for _ in range(8):
            body = poses[int(rng.integers(len(poses)))]
            points, normals = surface.sample(rng, 1)
            ways: Array = normals + 0.5 * rng.standard_normal(normals.shape)
            ways /= np.linalg.norm(ways, axis=-1, keepdims=True)
            local = points[0] + ways[0] * (AGENT_RADIUS + rng.uniform(low, high))
            x, y, z = (rotation_matrix(body.quaternion) @ local + body.position).tolist()
            if all(self.agent_gap((x, y, z), pose) >= low for pose in poses):
                return x, y, z
        return None
