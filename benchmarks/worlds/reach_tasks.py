"""Reach tasks in worlds where something is pushed: bring the agent to a point, the body in its way or not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.envs.spaces import Ball
from equiworld.symmetry import Point, symmetry_of

__all__ = ["ReachTask", "cloudpush_reach", "pusht_reach"]

_AGENT = "agent_pos"


class ReachTask(gym.Wrapper):
    """Bring the agent to a goal; observed in one row are the goal and all that the environment counts as its state.

    Actions are shares of the environment's largest, as learners expect whose first mean is 0 and first spread 1.

    Reward: by how much the agent came nearer, in units of the symmetry's length scale, 1 for being there, -1 for a goal
    that is lost, and -0.01 a step.

    Args:
        env: a PushT or a CloudPush whose state is observed.
        half_width: of the directions from agent to goal, about +x [rad]; π for all of them.
        confined: whether an episode ends where the goal lies more than twice that from +x: what is learned then is
            learned of the slice alone.
        near: of goals [length scales].
        far: likewise.
        reached: within this distance the episode ends with success [length scales].

    >>> env = pusht_reach(0.5)
    >>> seen, _ = env.reset(seed=0)
    >>> way = seen[2:4] - seen[:2]
    >>> bool(abs(math.atan2(way[1], way[0])) <= 0.5)
    True
    """

    def __init__(
        self,
        env: gym.Env,
        half_width: float = math.pi,
        confined: bool = False,
        near: float = 0.3,
        far: float = 1.5,
        reached: float = 0.15,
    ) -> None:
        super().__init__(env)
        self.half_width, self.confined = half_width, confined
        self.near, self.far, self.reached = near, far, reached
        whole = symmetry_of(env)
        state = [name for name in whole.state if name != _AGENT]
        fields = {_AGENT: Point(), "goal": Point(), **{name: whole.observation[name] for name in state}}
        self._names = state
        self.symmetry = replace(
            whole,
            observation=fields,
            state=(_AGENT, *state),
            goal={"goal": _AGENT},
            reference=_AGENT,
            heading=None,
            info={},
            flat=True,
        )
        size = sum(field.size(whole.dim) for field in fields.values())
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (size,), np.float64)
        self.observation_space.symmetry = self.symmetry  # type: ignore[attr-defined]
        self._goal = np.zeros(whole.dim)
        ball: Any = env.action_space
        self._most = ball.radius
        self.action_space = Ball(whole.dim, 1.0)

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Begin an episode; `options={"group_element": g}` begins it at g·s."""
        g = (options or {}).get("group_element")
        seen, _ = self.env.reset(seed=seed)
        self._goal = self._drawn(seen[_AGENT])
        if g is not None:
            row = self.symmetry.transform_observation(g, self._shown(seen))
            self._goal = row[len(self._goal) : 2 * len(self._goal)].copy()
            state: Any = self.unwrapped
            seen, _ = self.env.reset(options={"state": state.get_state(), "group_element": g})
        self._distance = self._away(seen)
        return self._shown(seen), {"is_success": False}

    def step(self, action: Any) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """As the environment does; its reward and its end are those of reaching."""
        seen, _, _, cut, _ = self.env.step(self._most * np.asarray(action, np.float64))
        before, after = self._distance, self._away(seen)
        self._distance = after
        way = self._goal - seen[_AGENT]
        reached = after < self.reached
        outside = math.acos(max(-1.0, min(1.0, way[0] / max(float(np.linalg.norm(way)), 1e-12))))
        lost = self.confined and not reached and outside > 2 * self.half_width
        reward = before - after + reached - lost - 0.01
        return self._shown(seen), reward, reached or lost, cut, {"is_success": reached}

    def _drawn(self, agent: NDArray[np.float64]) -> NDArray[np.float64]:
        """A goal, in a direction and at a distance that are equally likely."""
        rng = self.np_random
        if len(agent) == 2:
            angle = rng.uniform(-self.half_width, self.half_width)
            way = np.array([math.cos(angle), math.sin(angle)])
        else:
            along, round_it = rng.uniform(math.cos(self.half_width), 1.0), rng.uniform(-math.pi, math.pi)
            aside = math.sqrt(1.0 - along * along)
            way = np.array([along, aside * math.cos(round_it), aside * math.sin(round_it)])
        return agent + rng.uniform(self.near, self.far) * self.symmetry.length_scale * way

    def _away(self, seen: Mapping[str, NDArray[np.float64]]) -> float:
        return float(np.linalg.norm(seen[_AGENT] - self._goal)) / self.symmetry.length_scale

    def _shown(self, seen: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        return np.concatenate([seen[_AGENT], self._goal, *(seen[name] for name in self._names)])


def pusht_reach(half_width: float = math.pi, confined: bool = False) -> gym.Env:
    """The plane of PushT without walls, targets within 30 px; 40 steps."""
    env = gym.make(
        "equiworld/PushT-v0",
        max_episode_steps=40,
        walls=False,
        starts="free",
        max_displacement=30.0,
        outside="project",
    )
    return ReachTask(env, half_width, confined)


def cloudpush_reach(half_width: float = math.pi, confined: bool = False) -> gym.Env:
    """The space of CloudPush, the body's pose in view instead of its cloud, targets within 3 cm; 40 steps."""
    env = gym.make(
        "equiworld/CloudPush-v0",
        max_episode_steps=40,
        points=0,
        observe_pose=True,
        max_displacement=0.03,
        outside="project",
    )
    return ReachTask(env, half_width, confined)
