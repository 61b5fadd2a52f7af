"""Where episodes of several blocks begin: one to be moved, the others about its way, the agent near any."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.blocks.state import BlocksState
from equiworld.envs.pusht.exploration import PushExploration
from equiworld.envs.pusht.simulation import Pose

__all__ = ["BlocksExploration"]

_NEAR = 30.0  # [px] over which a block that is farther is less likely to be pushed
_CENTRE = 256.0  # [px]


class BlocksExploration:
    """Draws blocks that do not touch, the agent near one of them, a goal, and pushes at any of them.

    Args:
        blocks: how many.
        headings: range [rad] of the blocks' first headings; narrower than a turn for a slice of orientations.
        goal_distance: [px] between the named block's start and its goal.
        goal_angle: [rad] likewise.
        crowd: [px] how far from the middle of the way the others are at most.
        clearance: [px] between blocks, and between the others and the goal, at a start.
        steps_per_start: pushes in an episode.
    """

    def __init__(
        self,
        blocks: int,
        headings: tuple[float, float] = (-np.pi, np.pi),
        goal_distance: float = 100.0,
        goal_angle: float = math.radians(45.0),
        crowd: float = 130.0,
        clearance: float = 5.0,
        steps_per_start: int = 10,
    ) -> None:
        self.one = PushExploration(walls=False, headings=headings)
        self.blocks, self.headings = blocks, headings
        self.goal_distance, self.goal_angle = goal_distance, goal_angle
        self.crowd, self.clearance = crowd, clearance
        self.action_repeat, self.steps_per_start = self.one.action_repeat, steps_per_start

    def start(self, rng: np.random.Generator) -> dict[str, Any]:
        """Reset options for an episode that begins a short way from contact, at rest."""
        return {"state": self.draw(rng)}

    def draw(self, rng: np.random.Generator) -> BlocksState:
        """A start at rest, with its goal."""
        while True:
            x, y = (_CENTRE + rng.uniform(-60.0, 60.0, 2)).tolist()
            named: Pose = (x, y, float(rng.uniform(*self.headings)))
            goal = self.draw_goal(rng, named)
            poses = self._others(rng, named, goal)
            if poses is None:
                continue
            order = rng.permutation(self.blocks)
            placed = tuple(poses[block] for block in order)
            near = np.array(placed[int(rng.integers(self.blocks))][:2])
            for agent in (near + rng.uniform(-140.0, 140.0, (40, 2))).tolist():
                gaps = [self._agent_gap(agent, pose) for pose in placed]
                if self.one.gap[0] <= min(gaps) <= self.one.gap[1]:
                    return BlocksState(tuple(agent), placed, goal, int(np.flatnonzero(order == 0)[0]))

    def draw_goal(self, rng: np.random.Generator, named: Pose) -> Pose:
        """A goal at its distance and angle, either way round."""
        way, turn = float(rng.uniform(-np.pi, np.pi)), float(rng.choice((-1.0, 1.0)) * self.goal_angle)
        x, y, heading = named
        distance = self.goal_distance
        return x + distance * math.cos(way), y + distance * math.sin(way), heading + turn

    def action(
        self, rng: np.random.Generator, observation: dict[str, NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """A displacement [px]: mostly towards a random point of a near block, sometimes anywhere."""
        places = observation["blocks_pos"].reshape(-1, 2)
        apart = np.linalg.norm(places - observation["agent_pos"], axis=-1)
        weights = np.exp(-(apart - apart.min()) / _NEAR)
        block = int(rng.choice(len(places), p=weights / weights.sum()))
        pose = (*places[block].tolist(), float(observation["blocks_heading"][block]))
        seen = {
            "agent_pos": observation["agent_pos"],
            "block_keypoints": geometry.keypoints(pose).ravel(),
        }
        return self.one.action(rng, seen)

    def goes_on(self, info: dict[str, Any]) -> bool:
        """Whether all blocks are still within the slice of headings: data of a slice begins there."""
        low, high = self.headings
        found = (info["blocks_heading"] - low) % (2 * math.pi)
        return bool((found <= high - low).all())

    def is_free(self, state: BlocksState) -> bool:
        """Whether nothing touches anything."""
        poses = state.blocks
        apart = all(
            self.gap(poses[i], poses[j]) > 0 for i in range(len(poses)) for j in range(i + 1, len(poses))
        )
        return apart and all(self._agent_gap(state.agent_pos, pose) > 0 for pose in poses)

    def gap(self, here: Pose, there: Pose) -> float:
        """About how far two blocks are apart [px], by points along their outlines; negative where they overlap."""
        return min(
            float(geometry.distance_to_block(_outline(one), other).min())
            for one, other in ((here, there), (there, here))
        )

    def _agent_gap(self, agent: Any, pose: Pose) -> float:
        return float(geometry.distance_to_block(agent, pose)) - geometry.AGENT_RADIUS

    def _others(self, rng: np.random.Generator, named: Pose, goal: Pose) -> list[Pose] | None:
        poses, middle = [named], np.add(named[:2], goal[:2]) / 2
        for _ in range(60):
            if len(poses) == self.blocks:
                break
            way, far = rng.uniform(-np.pi, np.pi), self.crowd * math.sqrt(rng.uniform())
            x, y = (middle + far * np.array((math.cos(way), math.sin(way)))).tolist()
            pose: Pose = (x, y, float(rng.uniform(*self.headings)))
            if all(self.gap(pose, each) >= self.clearance for each in (*poses, goal)):
                poses.append(pose)
        return poses if len(poses) == self.blocks else None


def _outline(pose: Pose) -> NDArray[np.float64]:
    """Points `(64, 2)` along the outline of a T [px]."""
    corners = geometry.block_outline(pose)
    share = np.linspace(0.0, 1.0, 9)[:-1, None, None]
    return (corners + share * (np.roll(corners, -1, 0) - corners)).reshape(-1, 2)
