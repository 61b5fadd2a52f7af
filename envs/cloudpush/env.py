"""`equiworld/CloudPush-v0`: push a rigid body through space onto its goal, seen as a cloud of points."""

from __future__ import annotations

import math
from typing import Any, Literal

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.arguments import flag
from equiworld.envs.arguments import (
    as_displacement,
    as_number,
    as_reset,
    as_turned,
    check_begun,
    check_choice,
    info_of_reset,
)
from equiworld.envs.cloudpush.context import contexts_of
from equiworld.envs.cloudpush.criterion import Criterion
from equiworld.envs.cloudpush.engine import Physics
from equiworld.envs.cloudpush.exploration import CloudPushExploration
from equiworld.envs.cloudpush.geometry import Metric, Pose, Triple, as_pose, rotation_matrix
from equiworld.envs.cloudpush.observation import Observation, observation_space
from equiworld.envs.cloudpush.sensor import Sensor
from equiworld.envs.cloudpush.shapes import make_shape
from equiworld.envs.cloudpush.simulation import CloudPushState, Simulation
from equiworld.envs.cloudpush.view import View
from equiworld.envs.spaces import Ball
from equiworld.errors import ArgumentError
from equiworld.symmetry import Context

__all__ = ["CloudPushEnv"]

_OPTIONS = ("state", "goal", "group_element")


class CloudPushEnv(gym.Env[Observation, NDArray[np.float64]]):
    """Push a free rigid body onto its goal with a small sphere, in space, on MuJoCo.

    Body and end-effector float: no gravity, nothing to lean on, a viscous drag that stops the body when it is let
    go of. Friction cones are elliptic. So the physics commutes with every rotation and translation.

    Observation, a Dict of float64 [m], [m/s], [rad/s]:

    | key | shape | transforms as |
    | --- | --- | --- |
    | `agent_pos`, `agent_vel` | (3,) | point, vector |
    | `cloud`: N points of the body's surface, drawn anew at each step, x0 y0 z0 x1 … | (3N,) | cloud |
    | `goal_cloud`: N points of the body in its goal, drawn once an episode | (3N,) | cloud |

    and, with `observe_pose`, what a cloud only hints at:

    | key | shape | transforms as |
    | --- | --- | --- |
    | `body_pos` (centre of mass), `body_rotation` (matrix, row by row) | (3,), (9,) | point, rotation |
    | `body_vel`, `body_angular_vel` | (3,) | vector, pseudovector |
    | `goal_pos`, `goal_rotation` | (3,), (9,) | point, rotation |

    Action: where the end-effector's target is put, as a displacement [m] from where it is, in the ball
    `Ball(3, max_displacement)`. Springs and dampers draw it there for one period of 0.1 s.

    `info` has `mean_point_distance` [m] and `angle` [rad] to the goal, `is_success`, and both poses. By `metric`:

    - `"ADD"`: the mean over 256 points of the surface of their distance to where they are in the goal, and the angle
      of the rotation that is left;
    - `"ADD-S"`: the mean distance of the points to the surface of the body in its goal, and the smallest angle
      over the body's own symmetries. For bodies that look the same in several poses.

    Reward: 1 − tanh(mean_point_distance / 0.1 m), in (0, 1]. The episode terminates with success once the distance
    is below `success_distance` and the angle below `success_angle`.

    `reset(options=…)` takes
    `state`: a `CloudPushState`, set exactly;
    `goal`: a pose (position, and a quaternion (w, x, y, z) or a matrix), or `"random"` as for `goal_angle`;
    `group_element`: an element g of SE(3): the same episode, started at g·s with goal g·goal, cloud by cloud.

    Args:
        shape: `"bracket"` (no symmetry), `"zed"` (half a turn), `"bottle"` (of revolution), `"random"`.
        shape_seed: of the random one.
        points: N; 0 for no clouds, with `observe_pose`.
        noise, view, dropout: of the clouds; see `Sensor`.
        observe_pose: see above.
        goal_angle: [rad] between a start and its goal.
        goal_distance: [m] likewise.
        max_angle: [rad], starts are within this angle of the unturned orientation.
        cone, friction, gravity, table, drag: see `Physics`; what is not the default may break the symmetry.
        metric: see above; by default `"ADD"` for a body without symmetry, else `"ADD-S"`.
        success_distance: [m].
        success_angle: [rad].
        max_displacement: radius [m] of the action ball.
        outside: what to do with an action outside the ball: `"raise"`, or `"project"` it radially.
        render_mode: `"rgb_array"` or None.

    >>> import gymnasium as gym, equiworld.envs
    >>> env = gym.make("equiworld/CloudPush-v0")
    >>> observation, info = env.reset(seed=0)
    >>> observation["cloud"].shape
    (384,)
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(
        self,
        shape: Literal["bracket", "zed", "bottle", "random"] = "bracket",
        shape_seed: int = 0,
        points: int = 128,
        noise: float = 0.0,
        view: Literal["random"] | Triple | None = None,
        dropout: float = 0.0,
        observe_pose: bool = False,
        goal_angle: float = math.radians(45.0),
        goal_distance: float = 0.12,
        max_angle: float = math.pi,
        cone: Literal["elliptic", "pyramidal"] = "elliptic",
        friction: float = 0.5,
        gravity: float = 0.0,
        table: bool = False,
        drag: float | Triple = 50.0,
        metric: Metric | None = None,
        success_distance: float = 0.02,
        success_angle: float = math.radians(10.0),
        max_displacement: float = 0.05,
        outside: Literal["raise", "project"] = "raise",
        render_mode: str | None = None,
    ) -> None:
        check_choice("outside", outside, "what to do with an action outside", ("raise", "project"))
        check_choice("render_mode", render_mode, "a render mode", (None, "rgb_array"))
        self._radius = as_number("max_displacement", max_displacement, "[m]")
        self.observe_pose = flag("observe_pose", observe_pose)
        self.shape = make_shape(shape, shape_seed)
        self.physics = Physics(cone, friction, gravity, table, drag)
        self.sensor = Sensor(points, noise, view, dropout)
        if not self.sensor.points and not self.observe_pose:
            raise ArgumentError("points", 0, "at least 1; or observe_pose=True, else nothing shows the body")
        self.criterion = Criterion(
            ("ADD" if self.shape.fold == 1 else "ADD-S") if metric is None else metric,
            success_distance,
            success_angle,
        )
        self.outside, self.render_mode = outside, render_mode
        self.simulation = Simulation(self.shape, self.physics)
        lengths = (min(0.005, self._radius / 10), min(0.05, self._radius))
        self.exploration = CloudPushExploration(
            self.shape, self.physics, goal_angle, goal_distance, max_angle, lengths=lengths
        )
        self.observation_space = observation_space(self.sensor.points, self.observe_pose)  # type: ignore[assignment]
        self.action_space = Ball(3, self._radius)  # type: ignore[assignment]
        self._begun = False
        self._view = View(self.shape, self.physics.table)

    @property
    def symmetry_breakers(self) -> tuple[str, ...]:
        """Names of the effects that break SE(3), such as "gravity"; none by default."""
        return (
            *self.physics.symmetry_breakers,
            *(("a camera that stays put",) if self.sensor.stays_put else ()),
        )

    @property
    def contexts(self) -> tuple[Context, ...]:
        """What breaks the symmetry, for `WithContext`: gravity and the table, if there are any."""
        return contexts_of(self.physics, self.shape.surface.corners if self.observe_pose else None)

    # --- episode -------------------------------------------------------------------------------------

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; see the class for `options`."""
        seed, options = as_reset(seed, options, _OPTIONS)
        super().reset(seed=seed)
        state = options.get("state")
        if state is None:
            state = self.exploration.draw(self.np_random)
        elif not isinstance(state, CloudPushState):
            raise ArgumentError("options['state']", type(state).__name__, "a CloudPushState")
        if options.get("goal") is not None:
            goal = self._choose_goal(options["goal"], state.body)
            state = state.replace(goal_pos=goal.position, goal_quat=goal.quaternion)
        state = self._complete(state)
        g = options.get("group_element")
        if g is not None:
            state = self._turn(state, g)
        self.set_state(state)
        info = info_of_reset(self._info(*self._measure()), g)
        return self._observation(), info

    def step(self, action: NDArray[Any]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Draw the end-effector towards `agent_pos + action` for 0.1 s.

        Raises:
            ArgumentError: `action` is not three finite numbers inside the ball.
            SimulationError: the physics left the finite numbers.
            gymnasium.error.ResetNeeded: No episode has begun.
        """
        check_begun(self._begun, "step")
        displacement = as_displacement(action, self._radius, self.outside)
        self.simulation.step(self.simulation.agent_pos + displacement)
        self._step += 1
        distance, angle = self._measure()
        info = self._info(distance, angle)
        success = info["is_success"] = self.criterion.success(distance, angle)
        return self._observation(), self.criterion.reward(distance), success, False, info

    def render(self) -> NDArray[np.uint8] | None:
        """The scene as `(480, 480, 3)` uint8, goal and cloud included, or None without a render mode.

        Without a display and without OpenGL.
        """
        if self.render_mode is None:
            return None
        check_begun(self._begun, "render")
        pose = self.simulation.body_pose
        cloud = self._cloud(self._step + 1, pose).reshape(-1, 3)
        return self._view.draw(self._episode, pose, self.simulation.agent_pos, cloud)

    # --- state ---------------------------------------------------------------------------------------

    def get_state(self) -> CloudPushState:
        """The full state, whatever the engine and the sensor remember included."""
        check_begun(self._begun, "get_state")
        return self.simulation.get_state(self._episode.replace(step=self._step))

    def set_state(self, state: CloudPushState) -> None:
        """Put the env in `state`, exactly: what follows is bit for bit what followed it before."""
        if not isinstance(state, CloudPushState):
            raise ArgumentError("state", type(state).__name__, "a CloudPushState")
        self._episode = state = self._complete(state)
        self._step = state.step
        self.simulation.set_state(state)
        self._begun = True
        self._goal_rotation = rotation_matrix(state.goal_quat).ravel()
        self._goal_cloud = self._cloud(0, state.goal) if self.sensor.points else None

    def _complete(self, state: CloudPushState) -> CloudPushState:
        """The state with what was left to chance drawn."""
        if state.cloud_key is None:
            state = state.replace(cloud_key=int(self.np_random.integers(2**63 - 1)))
        if state.camera is None and self.sensor.view == "random":
            arrow = self.np_random.standard_normal(3)
            state = state.replace(camera=tuple((arrow / np.linalg.norm(arrow)).tolist()))
        return state

    def _choose_goal(self, goal: Any, body: Pose) -> Pose:
        if isinstance(goal, str):
            check_choice("options['goal']", goal, "a pose (position, rotation), or a name", ("random",))
            return self.exploration.draw_goal(self.np_random, body)
        return as_pose("options['goal']", goal)

    def _turn(self, state: CloudPushState, g: Any) -> CloudPushState:
        turned = as_turned(state, g, 3, "one proper isometry of space")
        if self.physics.table and not self.simulation.table_placed:
            before, after = map(self.exploration.table_gap, (state, turned))
            if after < min(0.0, before) - 1e-9:
                expected = "an element that keeps body and end-effector above the table; or table=False"
                raise ArgumentError("options['group_element']", repr(g), expected)
        return turned

    # --- what is shown -------------------------------------------------------------------------------

    def _measure(self) -> tuple[float, float]:
        return self.criterion.measure(self.shape, self.simulation.body_pose, self._episode.goal)

    def _cloud(self, number: int, pose: Pose) -> NDArray[np.float64]:
        key, camera = self._episode.cloud_key, self._episode.camera
        assert key is not None
        return self.sensor.cloud(self.shape, pose, key, number, camera).ravel()

    def _observation(self) -> Observation:
        simulation = self.simulation
        observation = {"agent_pos": simulation.agent_pos, "agent_vel": simulation.agent_vel}
        if self._goal_cloud is not None:
            observation["cloud"] = self._cloud(self._step + 1, simulation.body_pose)
            observation["goal_cloud"] = self._goal_cloud.copy()
        if self.observe_pose:
            observation |= self._poses()
            observation["body_vel"] = simulation.body_vel
            observation["body_angular_vel"] = simulation.body_angular_vel
        return observation

    def _poses(self) -> dict[str, NDArray[np.float64]]:
        position, quaternion = self.simulation.body_pose
        return {
            "body_pos": np.array(position),
            "body_rotation": rotation_matrix(quaternion).ravel(),
            "goal_pos": np.array(self._episode.goal_pos),
            "goal_rotation": self._goal_rotation.copy(),
        }

    def _info(self, distance: float, angle: float) -> dict[str, Any]:
        return {"mean_point_distance": distance, "angle": angle, **self._poses()}
