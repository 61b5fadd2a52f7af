"""gym-pusht's own environment behind equiworld's PushT interface: with all that it knows, or with what it shows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.envs.arguments import as_action, as_number, check_begun
from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.controller import Pair, followed
from equiworld.envs.pusht.observation import Observation, observation_space, pose_entries
from equiworld.envs.pusht.simulation import Pose, PushTState
from equiworld.envs.pusht.symmetry import pusht_symmetry
from equiworld.envs.spaces import Ball
from equiworld.errors import ArgumentError

__all__ = ["StockStateView", "StockView"]


class _View(gym.Wrapper[Observation, NDArray[np.float64], Any, Any], gym.utils.RecordConstructorArgs, ABC):
    """What both views share: the spaces, and displacements that become absolute targets."""

    _agent_pos: Pair

    def __init__(self, env: gym.Env, max_displacement: float = 100.0) -> None:
        if not isinstance(env, gym.Env) or not isinstance(env.unwrapped, geometry.stock_class()):
            raise ArgumentError("env", repr(env), "an environment made with gym.make('gym_pusht/PushT-v0')")
        radius = as_number("max_displacement", max_displacement, "[px]")
        gym.utils.RecordConstructorArgs.__init__(self, max_displacement=radius)
        gym.Wrapper.__init__(self, env)
        self.symmetry = pusht_symmetry(env)
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
        shown, info = self.env.reset(seed=seed, options=options)
        return self._observe(shown, info, None), info

    def step(self, action: NDArray[Any]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Hand the displaced agent position to gym-pusht as its target.

        Raises:
            ArgumentError: `action` is not two finite numbers in the disc.
        """
        displacement = as_action(action, 2)
        if not self.disc.within(displacement):
            raise ArgumentError(
                "action",
                repr(action),
                f"a displacement in the disc of radius {self.disc.radius:g} px, shape (2,)",
            )
        target: Any = self._target(self._agent_pos + displacement)
        shown, reward, terminated, truncated, info = self.env.step(target)
        return self._observe(shown, info, target), float(reward), bool(terminated), truncated, info

    @abstractmethod
    def _target(self, place: NDArray[np.float64]) -> NDArray[np.floating]:
        """What gym-pusht is sent for a target `(2,)` [px]."""

    @abstractmethod
    def _observe(self, shown: Any, info: dict[str, Any], target: NDArray[np.floating] | None) -> Observation:
        """What is seen after a step towards a target, or after a reset; sets `_agent_pos`."""


class StockView(_View):
    """Show `gym_pusht/PushT-v0` as `equiworld/PushT-v0` shows itself; simulation, reward and end stay gym-pusht's.

    A policy made for equiworld's PushT plays gym-pusht's own environment through it. Velocity and unwrapped angle
    are taken from gym-pusht's `info` and engine; actions, displacements [px] from the agent, become its absolute
    targets as they are. It can be copied and pickled until its first reset, as what it wraps can.

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

    def _target(self, place: NDArray[np.float64]) -> NDArray[np.floating]:
        return place

    def _observe(self, shown: Any, info: dict[str, Any], target: NDArray[np.floating] | None) -> Observation:
        x, y = np.asarray(info["pos_agent"], np.float64).tolist()
        self._agent_pos = x, y
        block = self.unwrapped.block  # type: ignore[attr-defined]
        # From the engine, as equiworld's own environment reads it: by way of the corner position, bits get lost.
        gravity = block.local_to_world(block.center_of_gravity)
        return {
            "agent_pos": np.array(self._agent_pos),
            "agent_vel": np.array(info["vel_agent"], np.float64),
            **pose_entries("block", (gravity.x, gravity.y, block.angle)),
            **pose_entries("goal", tuple(geometry.from_stock_pose(info["goal_pose"]).tolist())),
        }


class StockStateView(_View):
    """Show `gym_pusht/PushT-v0` as `equiworld/PushT-v0` shows itself, from its stock observations alone.

    The stock observation is five numbers: the agent's position, the block's position and its angle. What they hide:

    - the goal, which gym-pusht never moves;
    - the agent's velocity. The agent is kinematic and starts at rest, so its velocity follows from the targets that
      it was sent: a PD controller of ten steps of .01 s from each observed position.

    Neither `info` nor the engine is looked at. Targets are legal actions of gym-pusht's: clipped to its action space
    and in its dtype. Simulation, reward and end stay gym-pusht's.

    Args:
        env: `gym.make("gym_pusht/PushT-v0", obs_type="state")`, wrapped or not, as long as the five numbers come.
        max_displacement: radius [px] of the action disc.

    Raises:
        ArgumentError: `env` is not gym-pusht's with these observations, or an action is not two finite numbers in
            the disc.
        gymnasium.error.ResetNeeded: No episode has begun.

    >>> import gymnasium as gym, gym_pusht, equiworld.envs
    >>> env = StockStateView(gym.make("gym_pusht/PushT-v0", obs_type="state"))
    >>> observation, info = env.reset(seed=3)
    >>> observation, *_, info = env.step(np.array([30.0, 40.0]))
    >>> bool(abs(observation["agent_vel"] - info["vel_agent"]).max() < 1e-9)
    True
    """

    def __init__(self, env: gym.Env, max_displacement: float = 100.0) -> None:
        super().__init__(env, max_displacement)
        space, limits = env.observation_space, env.action_space
        if not isinstance(space, gym.spaces.Box) or space.shape != (5,):
            expected = "five numbers: gym.make('gym_pusht/PushT-v0', obs_type='state')"
            raise ArgumentError("env", f"observations in {space}", expected)
        if not isinstance(limits, gym.spaces.Box) or limits.shape != (2,):
            raise ArgumentError("env", f"actions in {limits}", "gym-pusht's absolute targets, a Box of two")
        self._limits = limits
        self._state: PushTState | None = None

    def get_state(self) -> PushTState:
        """What is known of the present state, as a fresh start: what the engine remembers of contacts is not."""
        check_begun(self._state is not None, "get_state")
        assert self._state is not None
        return self._state

    def step(self, action: NDArray[Any]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        check_begun(self._state is not None, "step")
        return super().step(action)

    def _target(self, place: NDArray[np.float64]) -> NDArray[np.floating]:
        return np.clip(place, self._limits.low, self._limits.high).astype(self._limits.dtype)

    def _observe(self, shown: Any, info: dict[str, Any], target: NDArray[np.floating] | None) -> Observation:
        agent_x, agent_y, *stock_pose = np.asarray(shown, np.float64).tolist()
        velocity = 0.0, 0.0
        if target is not None and self._state is not None:
            x, y = target.tolist()
            velocity = followed(self._state.agent_pos, self._state.agent_vel, (x, y))[1]
        block: Pose = tuple(geometry.from_stock_pose(stock_pose).tolist())
        self._agent_pos = agent_x, agent_y
        self._state = PushTState(self._agent_pos, velocity, block, geometry.STOCK_GOAL)
        return {
            "agent_pos": np.array(self._agent_pos),
            "agent_vel": np.array(velocity),
            **pose_entries("block", block),
            **pose_entries("goal", geometry.STOCK_GOAL),
        }
