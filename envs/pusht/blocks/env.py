"""`equiworld/PushTBlocks-v0`: bring one of several Ts to its goal, past the others."""

from __future__ import annotations

import math
from typing import Any, Literal

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from equiworld.arguments import integer
from equiworld.envs.arguments import (
    as_displacement,
    as_number,
    as_reset,
    as_turned,
    check_begun,
    check_choice,
    finite,
    info_of_reset,
)
from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.blocks.exploration import BlocksExploration
from equiworld.envs.pusht.blocks.simulation import BlocksSimulation
from equiworld.envs.pusht.blocks.state import BlocksState
from equiworld.envs.pusht.simulation import Pose
from equiworld.envs.spaces import Ball
from equiworld.errors import ArgumentError

__all__ = ["PushTBlocksEnv"]

_OPTIONS = ("state", "goal", "group_element")
Observation = dict[str, NDArray[np.float64]]


class PushTBlocksEnv(gym.Env[Observation, NDArray[np.float64]]):
    """Push one of several Ts onto its goal with a disc, past the others, on gym-pusht's physics without walls.

    Agent, blocks and pushes are those of `equiworld/PushT-v0`, and the blocks touch each other too.

    Observation, a Dict of float64 [px], [px/s], [rad], of n blocks:

    | key | shape | transforms as |
    | --- | --- | --- |
    | `agent_pos`, `agent_vel` | (2,) | point, vector |
    | `blocks_pos` (centres of gravity), `blocks_heading` in [-π, π) | (2n,), (n,) | objects |
    | `named`: 1 for the block that is to be moved, 0 for the others | (n,) | objects |
    | `goal_pos`, `goal_heading`: where the named one should be | (2,), (1,) | point, heading |

    Action: where the agent's target is put, as a displacement [px], in the disc `Ball(2, max_displacement)`.
    Reward: min(coverage / 0.95, 1) of the goal by the named block. `info` has its `distance` [px] and `angle` [rad]
    from the goal; the episode terminates with success once they are below `success_distance` and `success_angle`.

    `reset(options=…)` takes
    `state`: a `BlocksState`, set exactly;
    `goal`: a pose (x, y, heading) of the named block, or `"random"`;
    `group_element`: an element g of E(2), or of its product with `Permutation(n)`: the same episode, started at g·s.

    Args:
        blocks: n, from 2 to 4.
        max_heading: [rad], blocks start within this angle of heading 0; π for any.
        goal_distance, goal_angle: [px], [rad] between the named block's start and its goal.
        success_distance, success_angle: [px], [rad].
        max_displacement: radius [px] of the action disc.
        outside: what to do with an action outside the disc: `"raise"`, or `"project"` it radially.
        render_mode: None; these scenes are not drawn.

    >>> import gymnasium as gym, equiworld.envs
    >>> env = gym.make("equiworld/PushTBlocks-v0", blocks=2)
    >>> observation, info = env.reset(seed=0)
    >>> observation["blocks_pos"].shape
    (4,)
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(
        self,
        blocks: int = 2,
        max_heading: float = math.pi,
        goal_distance: float = 100.0,
        goal_angle: float = math.radians(45.0),
        success_distance: float = 10.0,
        success_angle: float = math.radians(10.0),
        max_displacement: float = 100.0,
        outside: Literal["raise", "project"] = "raise",
        render_mode: None = None,
    ) -> None:
        check_choice("outside", outside, "what to do with an action outside", ("raise", "project"))
        check_choice("render_mode", render_mode, "a render mode", (None,))
        self.blocks = integer("blocks", blocks, least=2, most=4)
        half = as_number("max_heading", max_heading, "[rad]", math.pi)
        self.exploration = BlocksExploration(
            self.blocks,
            (-half, half),
            as_number("goal_distance", goal_distance, "[px]", zero=True),
            as_number("goal_angle", goal_angle, "[rad]", math.pi, zero=True),
        )
        self.success_distance = as_number("success_distance", success_distance, "[px]")
        self.success_angle = as_number("success_angle", success_angle, "[rad]")
        self._radius = as_number("max_displacement", max_displacement, "[px]")
        self.outside, self.render_mode = outside, render_mode
        self.simulation = BlocksSimulation()
        sizes = {"agent_pos": 2, "agent_vel": 2, "blocks_pos": 2 * blocks, "blocks_heading": blocks}
        sizes |= {"named": blocks, "goal_pos": 2, "goal_heading": 1}
        self.observation_space = spaces.Dict(  # type: ignore[assignment]
            {name: _box(name, size) for name, size in sizes.items()}
        )
        self.action_space = Ball(2, self._radius)  # type: ignore[assignment]
        self._begun = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; see the class for `options`."""
        seed, options = as_reset(seed, options, _OPTIONS)
        super().reset(seed=seed)
        state = options.get("state")
        if state is None:
            state = self.exploration.draw(self.np_random)
        state = self._checked("options['state']", state)
        goal = options.get("goal")
        if isinstance(goal, str):
            check_choice("options['goal']", goal, "a pose (x, y, heading), or a name", ("random",))
            state = state.replace(goal=self.exploration.draw_goal(self.np_random, state.blocks[state.named]))
        elif goal is not None:
            state = state.replace(goal=finite("options['goal']", goal, 3))
        g = options.get("group_element")
        if g is not None:
            expected = f"one isometry of the plane, or with an order of {self.blocks} blocks"
            state = as_turned(state, g, 2, expected)
        self.set_state(state)
        info = info_of_reset(self._info(), g)
        return self._observation(), info

    def step(self, action: NDArray[Any]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Drive the agent towards `agent_pos + action` for 0.1 s.

        Raises:
            ArgumentError: `action` is not two finite numbers inside the disc.
            SimulationError: the physics left the finite numbers.
            gymnasium.error.ResetNeeded: No episode has begun.
        """
        check_begun(self._begun, "step")
        dx, dy = as_displacement(action, self._radius, self.outside, 2, "disc of radius {:g} px").tolist()
        x, y = self.simulation.agent_pos
        self.simulation.step((x + dx, y + dy))
        info = self._info()
        success = info["distance"] < self.success_distance and info["angle"] < self.success_angle
        info["is_success"] = success
        reward = min(info["coverage"] / geometry.SUCCESS_COVERAGE, 1.0)
        return self._observation(), reward, success, False, info

    def get_state(self) -> BlocksState:
        """The full state, whatever the engine remembers included."""
        check_begun(self._begun, "get_state")
        return self.simulation.get_state()

    def set_state(self, state: BlocksState) -> None:
        """Put the env in `state`, exactly: what follows is bit for bit what followed it before."""
        self._state = state = self._checked("state", state)
        self.simulation.set_state(state)
        self._begun = True

    def _checked(self, name: str, state: Any) -> BlocksState:
        if not isinstance(state, BlocksState):
            raise ArgumentError(name, type(state).__name__, "a BlocksState")
        if len(state.blocks) != self.blocks:
            raise ArgumentError(name, f"{len(state.blocks)} blocks", f"{self.blocks}, as the env has")
        return state

    def _observation(self) -> Observation:
        poses, goal = np.array(self.simulation.poses), np.array(self._state.goal)
        return {
            "agent_pos": np.array(self.simulation.agent_pos),
            "agent_vel": np.array(self.simulation.agent_vel),
            "blocks_pos": poses[:, :2].ravel(),
            "blocks_heading": _wrapped(poses[:, 2]),
            "named": np.eye(self.blocks)[self._state.named],
            "goal_pos": goal[:2],
            "goal_heading": _wrapped(goal[2:]),
        }

    def _info(self) -> dict[str, Any]:
        pose: Pose = self.simulation.poses[self._state.named]
        goal = self._state.goal
        return {
            "distance": math.dist(pose[:2], goal[:2]),
            "angle": abs(math.remainder(pose[2] - goal[2], 2 * math.pi)),
            "coverage": geometry.coverage(pose, goal),
            "blocks_heading": _wrapped(np.array(self.simulation.poses)[:, 2]),
        }


def _wrapped(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles [rad] in [-π, π)."""
    return (angles + math.pi) % (2 * math.pi) - math.pi


def _box(name: str, size: int) -> spaces.Box:
    low, high = (-np.pi, np.pi) if "heading" in name else (0.0, 1.0) if name == "named" else (-np.inf, np.inf)
    return spaces.Box(low, high, (size,), np.float64)
