"""A small task that turns: bring a point mass to a goal in the plane. Its physics commutes with E(2)."""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.groups import SE2
from equiworld.planners import KeypointDistance, Task, register_task
from equiworld.symmetry import Point, Symmetry, Vector, register_symmetry

__all__ = ["REACH", "ForwardPushes", "Reach"]

REACH = "equiworld-benchmarks/Reach-v0"
REACHED = 0.1  # [m]


class Reach(gym.Env[NDArray[np.float64], NDArray[np.float64]]):
    """Push a mass to a goal. Observed, in a row: position [m], velocity [m a step], goal [m].

    Args:
        half_width: of the directions that goals lie in, about +x [rad]; π for all of them.
        confined: whether an episode ends where the goal lies in none of twice those directions any more, as it does for
            one that has gone past it: what is learned then is learned of the slice alone.
    """

    def __init__(self, half_width: float = math.pi, confined: bool = False) -> None:
        self.half_width, self.confined = half_width, confined
        self.observation_space = gym.spaces.Box(-100.0, 100.0, (6,), np.float64)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float64)
        self._position, self._velocity, self._goal = (np.zeros(2) for _ in range(3))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Begin an episode; `options={"group_element": g}` begins it at g·s."""
        super().reset(seed=seed)
        rng, g = self.np_random, (options or {}).get("group_element") or SE2().identity()
        position = rng.uniform(-1.0, 1.0, 2)
        angle, distance = rng.uniform(-self.half_width, self.half_width), rng.uniform(0.3, 1.5)
        goal = position + distance * np.array([math.cos(angle), math.sin(angle)])
        self._position, self._velocity, self._goal = g.act(position), np.zeros(2), g.act(goal)
        return self._observation(), {"is_success": False}

    def step(self, action: NDArray[Any]) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """Push, by a vector that is shortened to 1 if it is longer."""
        push = np.asarray(action, np.float64)
        before = float(np.linalg.norm(self._position - self._goal))
        self._velocity = 0.7 * self._velocity + 0.05 * (push / max(1.0, float(np.linalg.norm(push))))
        self._position = self._position + self._velocity
        way = self._goal - self._position
        after = float(np.linalg.norm(way))
        reached = after < REACHED
        lost = self.confined and not reached and abs(math.atan2(way[1], way[0])) > 2 * self.half_width
        reward = before - after + reached - lost - 0.01
        return self._observation(), reward, reached or lost, False, {"is_success": reached}

    def _observation(self) -> NDArray[np.float64]:
        return np.concatenate([self._position, self._velocity, self._goal])


class ForwardPushes:
    """Pushes about +x: what a model that is trained on them has never seen elsewhere."""

    action_repeat = 1
    steps_per_start = 20

    def __init__(self, half_width: float) -> None:
        self.half_width = half_width

    def start(self, rng: np.random.Generator) -> dict[str, Any]:
        """The environment's own."""
        return {}

    def action(self, rng: np.random.Generator, observation: Any) -> NDArray[np.float64]:
        """A push of any strength up to 1."""
        angle = rng.uniform(-self.half_width, self.half_width)
        return rng.uniform(0.0, 1.0) * np.array([math.cos(angle), math.sin(angle)])


gym.register(REACH, "equiworld.benchmarks.worlds.reach:Reach", max_episode_steps=60)
_FIELDS = {"position": Point(), "velocity": Vector(scale=0.1), "goal": Point()}
_GOAL = {"goal": "position"}
register_symmetry(
    REACH, Symmetry(SE2(), _FIELDS, action=Vector(), goal=_GOAL, reference="position", flat=True)
)
register_task(REACH, Task(cost=KeypointDistance("position", "goal")))
