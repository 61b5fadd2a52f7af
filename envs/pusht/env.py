"""`equiworld/PushT-v0`: gym-pusht's task with everything an equivariant agent needs in view."""

from __future__ import annotations

from typing import Any, Literal

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.arguments import flag
from equiworld.envs.arguments import (
    as_displacement,
    as_number,
    as_real,
    as_reset,
    as_turned,
    check_begun,
    check_choice,
    finite,
    info_of_reset,
)
from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.context import walls_context
from equiworld.envs.pusht.exploration import PushExploration
from equiworld.envs.pusht.observation import Observation, observation_space, pose_entries
from equiworld.envs.pusht.simulation import Pose, PushTState, Simulation
from equiworld.envs.spaces import Ball
from equiworld.errors import ArgumentError
from equiworld.symmetry import Context

__all__ = ["PushTEnv"]

_OPTIONS = ("state", "goal", "group_element")
_TOUCHING = 1.0  # [px] nearer than that things count as in contact


class PushTEnv(gym.Env[Observation, NDArray[np.float64]]):
    """Push the T onto its goal with a disc, on gym-pusht's own physics, reward and success.

    Observation, a Dict of float64 [px], [px/s], [rad]:

    | key | shape | transforms as |
    | --- | --- | --- |
    | `agent_pos`, `agent_vel` | (2,) | point, vector |
    | `block_pos` (centre of gravity), `block_heading` in [-π, π) | (2,), (1,) | point, heading |
    | `block_keypoints`: the T's 8 corners, x0 y0 x1 y1 … | (16,) | points |
    | `goal_pos`, `goal_heading`, `goal_keypoints` | likewise | likewise |

    Action: where the agent's target is put, as a displacement [px] from the agent's position, in the disc
    `Ball(2, max_displacement)`. A PD controller drives the agent to the target for one period of 0.1 s.

    Reward: min(coverage / 0.95, 1), where coverage is the share of the goal T that the block covers.
    The episode terminates with success once coverage > `success_coverage`.

    Starts: `"gym-pusht"` draws what gym-pusht draws: the same seed gives the same start, overlaps included
    (the agent in the block 7.7 % of the time, the block in a wall 2.5 %). `"free"` redraws those.

    `reset(options=…)` takes
    `state`: a `PushTState`, set exactly;
    `goal`: a pose (x, y of the centre of gravity, heading), or `"random"`;
    `group_element`: an element g of E(2): the same episode, started at g·s with goal g·goal.

    Args:
        walls: whether the four walls of gym-pusht stand. Without them the physics commutes with E(2), mirrors included.
        goal: `"gym-pusht"` for its fixed goal, `"random"` for a new one each episode, or a pose `(3,)`.
        starts: see above.
        success_coverage: coverage above which the episode ends with success.
        max_displacement: radius [px] of the action disc.
        outside: what to do with an action outside the disc: `"raise"`, or `"project"` it radially (for
            learners that only know boxes).
        render_mode: `"rgb_array"` or None.

    >>> import gymnasium as gym, equiworld.envs
    >>> env = gym.make("equiworld/PushT-v0")
    >>> observation, info = env.reset(seed=0)
    >>> observation["block_keypoints"].shape
    (16,)
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(
        self,
        walls: bool = True,
        goal: Literal["gym-pusht", "random"] | tuple[float, float, float] = "gym-pusht",
        starts: Literal["gym-pusht", "free"] = "gym-pusht",
        success_coverage: float = geometry.SUCCESS_COVERAGE,
        max_displacement: float = 100.0,
        outside: Literal["raise", "project"] = "raise",
        render_mode: str | None = None,
    ) -> None:
        check_choice("starts", starts, "a start distribution", ("gym-pusht", "free"))
        check_choice("outside", outside, "what to do with an action outside", ("raise", "project"))
        check_choice("render_mode", render_mode, "a render mode", (None, "rgb_array"))
        share = as_real(success_coverage)
        if share is None or not 0 < share < 1:
            raise ArgumentError("success_coverage", repr(success_coverage), "a share between 0 and 1")
        self.success_coverage = share
        radius = as_number("max_displacement", max_displacement, "[px]")
        self.walls, self.starts = flag("walls", walls), starts
        self.outside = outside
        self.render_mode = render_mode
        self.simulation = Simulation(self.walls)
        self.exploration = PushExploration(self.walls)
        # A wrong goal is refused now, not at a reset.
        chosen = self._choose_goal(goal, np.random.default_rng(0))
        self.goal = goal if isinstance(goal, str) else chosen
        self.observation_space = observation_space()  # type: ignore[assignment]
        self.action_space = Ball(2, radius)  # type: ignore[assignment]
        self._begun = False

    @property
    def contexts(self) -> tuple[Context, ...]:
        """What breaks the symmetry, for `WithContext`: the walls, if they stand."""
        return (walls_context(),) if self.walls else ()

    # --- episode -------------------------------------------------------------------------------------

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; see the class for `options`."""
        seed, options = as_reset(seed, options, _OPTIONS)
        super().reset(seed=seed)
        if options.get("state") is not None:
            state = options["state"]
            if not isinstance(state, PushTState):
                raise ArgumentError("options['state']", type(state).__name__, "a PushTState")
            goal = (
                state.goal
                if options.get("goal") is None
                else self._choose_goal(options["goal"], self.np_random)
            )
        else:
            state = self._draw_start()
            wanted = self.goal if options.get("goal") is None else options["goal"]
            goal = self._choose_goal(wanted, self.np_random)
        if goal != state.goal:
            state = state.replace(goal=goal)
        g = options.get("group_element")
        if g is not None:
            state = self._turn(state, g)
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
        radius = self.action_space.radius  # type: ignore[attr-defined]
        dx, dy = as_displacement(action, radius, self.outside, 2, "disc of radius {:g} px").tolist()
        x, y = self.simulation.agent_pos
        self.simulation.step((x + dx, y + dy))
        covered = self._coverage()
        success = covered > self.success_coverage
        info = self._info()
        info["is_success"] = success
        return self._observation(), min(covered / geometry.SUCCESS_COVERAGE, 1.0), success, False, info

    def render(self) -> NDArray[np.uint8] | None:
        """The scene from above as `(680, 680, 3)` uint8, or None without a render mode."""
        if self.render_mode is None:
            return None
        check_begun(self._begun, "render")
        from equiworld.envs.pusht.rendering import draw_scene

        return draw_scene(
            self.simulation.agent_pos, self.simulation.block_pose, self._goal, walls=self.walls, size=680
        )

    # --- state ---------------------------------------------------------------------------------------

    def get_state(self) -> PushTState:
        """The full state, whatever the engine remembers included."""
        check_begun(self._begun, "get_state")
        return self.simulation.get_state()

    def set_state(self, state: PushTState) -> None:
        """Put the env in `state`, exactly: what follows is bit for bit what followed it before."""
        if not isinstance(state, PushTState):
            raise ArgumentError("state", type(state).__name__, "a PushTState")
        self.simulation.set_state(state)
        self._begun = True
        self._goal = state.goal
        self._goal_entries = pose_entries("goal", self._goal)
        self._stock_goal = geometry.to_stock_pose(self._goal)
        self._covered: tuple[Pose, float] | None = None

    def fresh_state(self) -> PushTState:
        """The present state as a start of its own: what the engine remembers of contacts is not in it."""
        check_begun(self._begun, "fresh_state")
        simulation = self.simulation
        return PushTState(simulation.agent_pos, simulation.agent_vel, simulation.block_pose, self._goal)

    def region(self) -> str:
        """Where the state lies: "against what is fixed" within 1 px of a wall, "in contact", or "free"."""
        check_begun(self._begun, "region")
        pose = self.simulation.block_pose
        if self.walls and geometry.wall_gap(pose) < _TOUCHING:
            return "against what is fixed"
        gap = geometry.distance_to_block(self.simulation.agent_pos, pose) - geometry.AGENT_RADIUS
        return "in contact" if gap < _TOUCHING else "free"

    def _draw_start(self) -> PushTState:
        while True:
            # gym-pusht's draws, in gym-pusht's order. It sets position before angle, which turns the block
            # about its centre of gravity, and lets one engine step pass.
            agent = (float(self.np_random.integers(50, 450)), float(self.np_random.integers(50, 450)))
            x, y = self.np_random.integers(100, 400), self.np_random.integers(100, 400)
            heading = self.np_random.uniform(-np.pi, np.pi)
            offset_x, offset_y = geometry.GRAVITY
            block = (float(x + offset_x), float(y + offset_y), float(heading))
            stock = self.starts == "gym-pusht"
            state = PushTState(agent, (0.0, 0.0), block, geometry.STOCK_GOAL, settle=stock)
            if stock or self.exploration.is_free(state):
                return state

    def _choose_goal(self, goal: Any, rng: np.random.Generator) -> tuple[float, float, float]:
        if isinstance(goal, str):
            if goal == "gym-pusht":
                return geometry.STOCK_GOAL
            if goal == "random":
                return self.exploration.random_goal(rng)
            raise ArgumentError(
                "goal", repr(goal), "a pose (x, y, heading) or a name", ("gym-pusht", "random")
            )
        try:
            x, y, heading = finite("goal", goal, 3)
        except ArgumentError:
            raise ArgumentError(
                "goal", repr(goal), "a finite pose (x, y, heading) or a name", ("gym-pusht", "random")
            ) from None
        return x, y, heading

    def _turn(self, state: PushTState, g: Any) -> PushTState:
        turned = as_turned(state, g, 2, "one isometry of the plane")
        before, after = (float(geometry.wall_gap(each.block)) for each in (state, turned))
        if self.walls and self.simulation.placed_walls is None and after < min(0.0, before) - 1e-9:
            raise ArgumentError(
                "options['group_element']",
                repr(g),
                "an element that keeps the block inside the walls; or walls=False",
            )
        return turned

    # --- what is shown -------------------------------------------------------------------------------

    def _coverage(self) -> float:
        pose = self.simulation.block_pose
        if self._covered is None or self._covered[0] != pose:  # most steps do not move the block
            self._covered = (pose, geometry.coverage(pose, self._goal))
        return self._covered[1]

    def _observation(self) -> Observation:
        return {
            "agent_pos": np.array(self.simulation.agent_pos),
            "agent_vel": np.array(self.simulation.agent_vel),
            **pose_entries("block", self.simulation.block_pose),
            **{key: value.copy() for key, value in self._goal_entries.items()},
        }

    def _info(self) -> dict[str, Any]:
        return {
            "pos_agent": np.array(self.simulation.agent_pos),
            "vel_agent": np.array(self.simulation.agent_vel),
            "block_pose": geometry.to_stock_pose(self.simulation.block_pose),
            "goal_pose": self._stock_goal.copy(),
            "coverage": self._coverage(),
        }
