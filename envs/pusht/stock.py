"""gym-pusht's own environment behind equiworld's PushT interface."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from equiworld.envs.arguments import as_number
from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.observation import Observation, observation_space, pose_entries
from equiworld.envs.spaces import Ball
from numpy.typing import NDArray

from equiworld.errors import ArgumentError

__all__ = ["StockView"]


class StockView(gym.Wrapper[Observation, NDArray[np.float64], Any, Any], gym.utils.RecordConstructorArgs):
    """Show `gym_pusht/PushT-v0` as `equiworld/PushT-v0` shows itself; simulation, reward and end stay gym-pusht's.

    A policy made for equiworld's PushT plays gym-pusht's own environment through it. Velocity and unwrapped angle
    are taken from gym-pusht's `info`; actions, displacements [px] from the agent, become its absolute targets.
    It can be copied and pickled until its first reset, as what it wraps can.

    Args:
        env: `gym.make("gym_pusht/PushT-v0")`, any `obs_type`.
        max_displacement: radius [px] of the action disc.

    Raises:
        ArgumentError: `env` is not gym-pusht's, or an action is not two finite numbers in the disc.

    >>> import gymnasium as gym, gym_pusht, equiworld.envs
    >>> env = StockView(gym.make("gym_pusht/PushT-v0"))
    >>> own = gym.make("equiworld/PushT-v0")
    >>> bool((env.reset(seed=3)[0]["block_pos"] == own.reset(seed=3)[0]["block_pos"]).all())
    True
    """

    def __init__(self, env: gym.Env, max_displacement: float = 100.0) -> None:
        if not isinstance(env, gym.Env) or not isinstance(env.unwrapped, geometry.stock_class()):
            raise ArgumentError("env", repr(env), "an environment made with gym.make('gym_pusht/PushT-v0')")
        radius = as_number("max_displacement", max_displacement, "[px]")
        gym.utils.RecordConstructorArgs.__init__(self, max_displacement=radius)
        gym.Wrapper.__init__(self, env)
        self.disc = Ball(2, radius)
        self.observation_space = observation_space()  # type: ignore[assignment]
        self.action_space = self.disc  # type: ignore[assignment]

    def __getstate__(self) -> dict[str, Any]:
        if hasattr(self.unwrapped, "space"):
            raise TypeError(
                "gym-pusht's engine, once an episode has begun, cannot be copied or pickled: it does not tell all that "
                "it remembers; equiworld/PushT-v0, the same physics to the last bit, can be at any time"
            )
        return self.__dict__

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Reset gym-pusht's environment."""
        _, info = self.env.reset(seed=seed, options=options)
        return self._observe(info), info

    def step(self, action: NDArray[Any]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Hand the displaced agent position to gym-pusht as its target."""
        displacement = np.asarray(action, dtype=np.float64)
        if displacement.shape != (2,) or not self.disc.within(displacement):
            raise ArgumentError(
                "action",
                repr(action),
                f"a displacement in the disc of radius {self.disc.radius:g} px, shape (2,)",
            )
        target = self._agent_pos + displacement
        _, reward, terminated, truncated, info = self.env.step(target)
        return self._observe(info), float(reward), bool(terminated), truncated, info

    def _observe(self, info: dict[str, Any]) -> Observation:
        self._agent_pos = np.array(info["pos_agent"], np.float64)
        block = self.unwrapped.block  # type: ignore[attr-defined]
        # From the engine, as equiworld's own environment reads it: by way of the corner position, bits get lost.
        gravity = block.local_to_world(block.center_of_gravity)
        return {
            "agent_pos": self._agent_pos.copy(),
            "agent_vel": np.array(info["vel_agent"], np.float64),
            **pose_entries("block", (gravity.x, gravity.y, block.angle)),
            **pose_entries("goal", tuple(geometry.from_stock_pose(info["goal_pose"]).tolist())),
        }
