"""Where data for PushT's contact dynamics is worth collecting: starts near contact, pushes of every length."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.simulation import PushTState

__all__ = ["PushExploration"]

_ANYWHERE = np.ones(8)  # Dirichlet weights: all mixtures of the corners alike


class PushExploration:
    """Draws starts a short way from contact and log-uniform push lengths.

    Args:
        walls: whether starts must keep the block off the walls.
        gap: range [px] of the first gap between the agent's rim and the block.
        lengths: range [px] of the pushes, drawn log-uniformly.
        headings: range [rad] of the block's first heading; narrower than a turn for a slice of orientations.
        interior: gap [px] kept between the block and the walls at a start.
        action_repeat: environment steps that each push's target is held.
        steps_per_start: pushes in an episode.
    """

    def __init__(
        self,
        walls: bool = True,
        gap: tuple[float, float] = (1.0, 35.0),
        lengths: tuple[float, float] = (6.0, 95.0),
        headings: tuple[float, float] = (-np.pi, np.pi),
        interior: float = 0.0,
        action_repeat: int = 2,
        steps_per_start: int = 6,
    ) -> None:
        self.walls, self.gap, self.lengths, self.headings = walls, gap, lengths, headings
        self.interior = interior
        self.action_repeat, self.steps_per_start = action_repeat, steps_per_start

    def start(self, rng: np.random.Generator) -> dict[str, Any]:
        """Reset options for an episode that begins `gap` away from contact, at rest."""
        while True:
            # Many candidates at a time: drawing one by one would cost more than the episode.
            poses = self._blocks(rng, 32)
            agents = poses[:, :2] + rng.uniform(-140.0, 140.0, (len(poses), 2))
            gaps = geometry.distance_to_block(agents, poses) - geometry.AGENT_RADIUS
            fits = np.flatnonzero((gaps >= self.gap[0]) & (gaps <= self.gap[1]))
            if len(fits):
                agent, pose = agents[fits[0]].tolist(), poses[fits[0]].tolist()
                return {"state": PushTState(tuple(agent), (0.0, 0.0), tuple(pose), geometry.STOCK_GOAL)}

    def action(
        self, rng: np.random.Generator, observation: dict[str, NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """A displacement [px]: mostly towards a random point of the block, sometimes anywhere."""
        length = math.exp(rng.uniform(math.log(self.lengths[0]), math.log(self.lengths[1])))
        if rng.uniform() < 0.7:
            corners = observation["block_keypoints"].reshape(8, 2)
            x, y = (rng.dirichlet(_ANYWHERE) @ corners - observation["agent_pos"]).tolist()
            direction = math.atan2(y, x) + rng.normal() * 0.3
        else:
            direction = rng.uniform(-math.pi, math.pi)
        return np.array((length * math.cos(direction), length * math.sin(direction)))

    def is_free(self, state: PushTState) -> bool:
        """Whether the agent is outside the block and the block off the walls."""
        apart = geometry.distance_to_block(state.agent_pos, state.block) > geometry.AGENT_RADIUS
        return bool(apart and (not self.walls or geometry.wall_gap(state.block) > 0))

    def random_goal(self, rng: np.random.Generator) -> tuple[float, float, float]:
        """A goal pose well inside the walls, any heading."""
        while True:
            pose = (*rng.uniform(130.0, 381.0, 2).tolist(), float(rng.uniform(-np.pi, np.pi)))
            if geometry.wall_gap(pose) > 20.0:
                return pose

    def _blocks(self, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
        poses = np.concatenate(
            [rng.uniform(60.0, 451.0, (count, 2)), rng.uniform(*self.headings, (count, 1))], -1
        )
        return poses[geometry.wall_gap(poses) > self.interior] if self.walls else poses
