"""What stands between clouds and a model that is told none, and a policy that sees through it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.rollout import Policy

__all__ = ["Array", "Eyes", "PoseEyes", "Seeing", "SeeingState"]

Array = NDArray[np.float64]


class Eyes(ABC):
    """Turn a cloud of a body into `size` numbers that say where the body is."""

    size: int

    @abstractmethod
    def see(self, clouds: Array, before: Array) -> Array:
        """The numbers `(B, size)` of clouds `(B, N, 3)` [m], in world axes, each of one body.

        `before` is what was seen of it a step before, `(B, size)`; rows of NaN where nothing was.
        """

    @abstractmethod
    def shown(self, body: Array, goal: Array) -> dict[str, Array]:
        """The fields `(B, …)` that a model is told in place of the clouds of body and goal."""

    def first(self, clouds: Array) -> Array:
        """`see` of bodies that were not seen before."""
        return self.see(clouds, np.full((len(clouds), self.size), np.nan))


class PoseEyes(Eyes):
    """Eyes that see poses: the rotation from body to world axes, row by row, and the centre of mass [m].

    A model of poses is told velocities too, which no cloud shows. They are said to be 0: the drag stops a body within
    20 ms, of the 100 ms between two looks.
    """

    size = 12

    def shown(self, body: Array, goal: Array) -> dict[str, Array]:
        still = np.zeros((len(body), 3))
        seen = {"body_pos": body[:, 9:], "body_rotation": body[:, :9], "body_vel": still}
        wanted = {"goal_pos": goal[:, 9:], "goal_rotation": goal[:, :9]}
        return {**seen, "body_angular_vel": still, **wanted}


class SeeingState(NamedTuple):
    """What was seen of the body, and of the goal as the episode began, `(B, size)`; the state of the policy inside."""

    body: Array
    goal: Array
    inner: Any


class Seeing:
    """A policy that is shown clouds and tells the one inside what its eyes see of them; goals are looked at once.

    Args:
        eyes: that look.
        policy: that acts on what they see.
    """

    def __init__(self, eyes: Eyes, policy: Policy) -> None:
        self.eyes, self.policy = eyes, policy

    def predict(
        self,
        observation: Mapping[str, Array],
        state: SeeingState | None = None,
        episode_start: ArrayLike | None = None,
        deterministic: bool = True,
    ) -> tuple[Any, SeeingState]:
        """Actions `(B, 3)` for a batch of CloudPush's observations, and the state; stable-baselines3's protocol."""
        count = len(observation["cloud"])
        clouds, goals = (observation[key].reshape(count, -1, 3) for key in ("cloud", "goal_cloud"))
        unseen = np.full((count, self.eyes.size), np.nan)
        before, goal, inner = (unseen, unseen, None) if state is None else state
        begins = np.isnan(before[:, 0]) | (
            False if episode_start is None else np.asarray(episode_start, bool)
        )
        body = self.eyes.see(clouds, np.where(begins[:, None], np.nan, before))
        goal = goal.copy()
        if begins.any():
            goal[begins] = self.eyes.first(goals[begins])
        told = {name: observation[name] for name in ("agent_pos", "agent_vel")} | self.eyes.shown(body, goal)
        action, inner = self.policy.predict(told, inner, episode_start, deterministic)
        return action, SeeingState(body, goal, inner)
