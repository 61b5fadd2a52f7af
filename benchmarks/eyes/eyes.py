"""What stands between clouds and a model that is told none, and a policy that sees through it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.rollout import Policy
from equiworld.training import Dataset

__all__ = ["Array", "Coast", "Eyes", "PoseEyes", "Seeing", "SeeingState"]

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
    """Eyes that see poses: the rotation from body to world axes, row by row, and the centre of mass [m]."""

    size = 12

    def shown(self, body: Array, goal: Array) -> dict[str, Array]:
        seen = {"body_pos": body[:, 9:], "body_rotation": body[:, :9]}
        return seen | {"goal_pos": goal[:, 9:], "goal_rotation": goal[:, :9]}


@dataclass(frozen=True)
class Coast:
    """How fast a body still is after a step that moved it: no cloud shows velocities, which models of poses are told.

    Attributes:
        shift: velocity over displacement [1/s].
        turn: angular velocity over rotation vector [1/s].
    """

    shift: float
    turn: float

    @staticmethod
    def of(data: Dataset) -> Coast:
        """By least squares over transitions of poses, those that the model is trained on."""
        pairs = (
            (each["body_rotation"], each["body_pos"]) for each in (data.next_observation, data.observation)
        )
        moved = _motion(*(np.concatenate(pair, 1).astype(np.float64) for pair in pairs))
        speeds = (data.next_observation[name] for name in ("body_vel", "body_angular_vel"))
        return Coast(*(float((v * d).sum() / (d * d).sum()) for v, d in zip(speeds, moved, strict=True)))

    def velocities(self, body: Array, before: Array) -> dict[str, Array]:
        """Of bodies `(B, 12)` that were seen a step before; 0, as episodes begin, where they were not."""
        shift, turn = _motion(body, np.where(np.isnan(before), body, before))
        return {"body_vel": self.shift * shift, "body_angular_vel": self.turn * turn}


def _motion(after: Array, before: Array) -> tuple[Array, Array]:
    """Displacements and rotation vectors `(B, 3)` between poses `(B, 12)`."""
    from scipy.spatial.transform import Rotation  # slow to import

    now, then = (each[:, :9].reshape(-1, 3, 3) for each in (after, before))
    return after[:, 9:] - before[:, 9:], Rotation.from_matrix(now @ np.swapaxes(then, -1, -2)).as_rotvec()


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
        coast: what velocities it is told; None if it is told none.
    """

    def __init__(self, eyes: Eyes, policy: Policy, coast: Coast | None = None) -> None:
        self.eyes, self.policy, self.coast = eyes, policy, coast

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
        before = np.where(begins[:, None], np.nan, before)
        body = self.eyes.see(clouds, before)
        goal = goal.copy()
        if begins.any():
            goal[begins] = self.eyes.first(goals[begins])
        told = {name: observation[name] for name in ("agent_pos", "agent_vel")} | self.eyes.shown(body, goal)
        told |= self.coast.velocities(body, before) if self.coast else {}
        action, inner = self.policy.predict(told, inner, episode_start, deterministic)
        return action, SeeingState(body, goal, inner)
