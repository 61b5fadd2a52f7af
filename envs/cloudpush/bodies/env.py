"""`equiworld/CloudPushBodies-v0`: bring one of several bodies to its goal, past the others."""

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
    info_of_reset,
)
from equiworld.envs.cloudpush.bodies.exploration import BodiesExploration
from equiworld.envs.cloudpush.bodies.simulation import BodiesSimulation
from equiworld.envs.cloudpush.bodies.state import BodiesState
from equiworld.envs.cloudpush.criterion import Criterion
from equiworld.envs.cloudpush.engine import Physics
from equiworld.envs.cloudpush.exploration import CloudPushExploration
from equiworld.envs.cloudpush.geometry import Metric, Pose, Triple, as_pose, rotation_matrix
from equiworld.envs.cloudpush.sensor import Sensor
from equiworld.envs.cloudpush.shapes import make_shape
from equiworld.envs.spaces import Ball
from equiworld.errors import ArgumentError

__all__ = ["CloudPushBodiesEnv"]

_OPTIONS = ("state", "goal", "group_element")
_SIZES = {"bodies_pos": 3, "bodies_rotation": 9, "bodies_vel": 3, "bodies_angular_vel": 3}
Observation = dict[str, NDArray[np.float64]]


class CloudPushBodiesEnv(gym.Env[Observation, NDArray[np.float64]]):
    """Push one of several floating bodies onto its goal with a small sphere, past the others, on MuJoCo.

    The physics is that of `equiworld/CloudPush-v0`, and the bodies, all of one shape, touch each other too. So it
    commutes with every rotation and translation and with every exchange of the bodies: S_n × SE(3).

    Observation, a Dict of float64 [m], [m/s], [rad/s], of n bodies:

    | key | shape | transforms as |
    | --- | --- | --- |
    | `agent_pos`, `agent_vel` | (3,) | point, vector |
    | `bodies_pos` (centres of mass), `bodies_rotation` (matrices, row by row) | (3n,), (9n,) | objects |
    | `bodies_vel`, `bodies_angular_vel` | (3n,) | objects |
    | `named`: 1 for the body that is to be moved, 0 for the others | (n,) | objects |
    | `goal_pos`, `goal_rotation`: where the named one should be | (3,), (9,) | point, rotation |

    or, with `points`, N for each body, in place of poses and their velocities

    | key | shape | transforms as |
    | --- | --- | --- |
    | `bodies_cloud`: N points of each body's surface, drawn anew at each step, the same on each | (3nN,) | objects |
    | `goal_cloud`: N points of the named body in its goal, drawn once an episode | (3N,) | cloud |

    Action, reward and success are those of CloudPush; distance and angle are the named body's.

    `reset(options=…)` takes
    `state`: a `BodiesState`, set exactly;
    `goal`: a pose (position, and a quaternion (w, x, y, z) or a matrix) of the named body, or `"random"`;
    `group_element`: an element g of SE(3), or of its product with `Permutation(n)`: the same episode, started at g·s.

    Args:
        bodies: n, from 2 to 4.
        points: N in each cloud; 0 to show poses.
        shape, shape_seed: of all of them; see CloudPush.
        goal_angle: [rad] between the named body's start and its goal.
        goal_distance: [m] likewise; the others start about the middle of the way.
        max_angle: [rad], starts are within this angle of the unturned orientation.
        cone, friction, drag: see `Physics`; what is not the default may break the symmetry.
        metric, success_distance, success_angle, max_displacement, outside: see CloudPush.
        render_mode: None; these scenes are not drawn.

    >>> import gymnasium as gym, equiworld.envs
    >>> env = gym.make("equiworld/CloudPushBodies-v0", bodies=3)
    >>> observation, info = env.reset(seed=0)
    >>> observation["bodies_pos"].shape, observation["named"].sum()
    ((9,), np.float64(1.0))
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(
        self,
        bodies: int = 2,
        points: int = 0,
        shape: Literal["bracket", "zed", "bottle", "random"] = "bracket",
        shape_seed: int = 0,
        goal_angle: float = math.radians(45.0),
        goal_distance: float = 0.12,
        max_angle: float = math.pi,
        cone: Literal["elliptic", "pyramidal"] = "elliptic",
        friction: float = 0.5,
        drag: float | Triple = 50.0,
        metric: Metric | None = None,
        success_distance: float = 0.02,
        success_angle: float = math.radians(10.0),
        max_displacement: float = 0.05,
        outside: Literal["raise", "project"] = "raise",
        render_mode: None = None,
    ) -> None:
        check_choice("outside", outside, "what to do with an action outside", ("raise", "project"))
        check_choice("render_mode", render_mode, "a render mode", (None,))
        self._radius = as_number("max_displacement", max_displacement, "[m]")
        self.bodies = integer("bodies", bodies, least=2, most=4)
        self.shape, self.sensor = make_shape(shape, shape_seed), Sensor(points)
        self.physics = Physics(cone, friction, drag=drag)
        self.criterion = Criterion(
            ("ADD" if self.shape.fold == 1 else "ADD-S") if metric is None else metric,
            success_distance,
            success_angle,
        )
        self.outside, self.render_mode = outside, render_mode
        self.simulation = BodiesSimulation(self.shape, self.physics, self.bodies)
        lengths = (min(0.005, self._radius / 10), min(0.05, self._radius))
        one = CloudPushExploration(
            self.shape, self.physics, goal_angle, goal_distance, max_angle, lengths=lengths
        )
        self.exploration = BodiesExploration(one, self.bodies)
        self.observation_space = self._space()  # type: ignore[assignment]
        self.action_space = Ball(3, self._radius)  # type: ignore[assignment]
        self._begun = False

    @property
    def symmetry_breakers(self) -> tuple[str, ...]:
        """Names of the effects that break SE(3), such as "anisotropic drag"; none by default."""
        return self.physics.symmetry_breakers

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
        state = self._checked("options['state']", state)
        if options.get("goal") is not None:
            state = state.replace(goal=self._choose_goal(options["goal"], state))
        g = options.get("group_element")
        if g is not None:
            expected = f"one proper isometry of space, or with an order of {self.bodies} bodies"
            state = as_turned(state, g, 3, expected)
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

    # --- state ---------------------------------------------------------------------------------------

    def get_state(self) -> BodiesState:
        """The full state, whatever the engine remembers included."""
        check_begun(self._begun, "get_state")
        return self.simulation.get_state(self._episode.replace(step=self._step))

    def set_state(self, state: BodiesState) -> None:
        """Put the env in `state`, exactly: what follows is bit for bit what followed it before."""
        state = self._checked("state", state)
        if state.cloud_key is None:
            state = state.replace(cloud_key=int(self.np_random.integers(2**63 - 1)))
        self._episode, self._step = state, state.step
        self.simulation.set_state(state)
        self._begun = True
        self._named = {"named": np.eye(self.bodies)[state.named]}
        self._goal = {
            "goal_pos": np.array(state.goal.position),
            "goal_rotation": rotation_matrix(state.goal.quaternion).ravel(),
        }
        self._goal_cloud = self._cloud(0, state.goal) if self.sensor.points else None

    def _checked(self, name: str, state: Any) -> BodiesState:
        if not isinstance(state, BodiesState):
            raise ArgumentError(name, type(state).__name__, "a BodiesState")
        if len(state.bodies) != self.bodies:
            raise ArgumentError(name, f"{len(state.bodies)} bodies", f"{self.bodies}, as the env has")
        return state

    def _choose_goal(self, goal: Any, state: BodiesState) -> Pose:
        if isinstance(goal, str):
            check_choice("options['goal']", goal, "a pose (position, rotation), or a name", ("random",))
            return self.exploration.draw_goal(self.np_random, state)
        return as_pose("options['goal']", goal)

    # --- what is shown -------------------------------------------------------------------------------

    def _space(self) -> spaces.Dict:
        """Unbounded but for rotations, whose entries exceed 1 by rounding, and the one that is named."""
        cloud = 3 * self.sensor.points
        each = {"bodies_cloud": cloud} if cloud else _SIZES
        goal = {"goal_cloud": cloud} if cloud else {"goal_pos": 3, "goal_rotation": 9}
        sizes = {"agent_pos": 3, "agent_vel": 3}
        sizes |= {name: size * self.bodies for name, size in (*each.items(), ("named", 1))} | goal

        def box(name: str, size: int) -> spaces.Box:
            high = 1.0 + 1e-9 if name.endswith("rotation") else 1.0 if name == "named" else np.inf
            return spaces.Box(0.0 if name == "named" else -high, high, (size,), np.float64)

        return spaces.Dict({name: box(name, size) for name, size in sizes.items()})

    def _measure(self) -> tuple[float, float]:
        pose = self.simulation.poses[self._episode.named]
        return self.criterion.measure(self.shape, pose, self._episode.goal)

    def _poses(self) -> Observation:
        poses = self.simulation.poses
        return {
            "bodies_pos": np.concatenate([pose.position for pose in poses]),
            "bodies_rotation": np.concatenate([rotation_matrix(pose.quaternion).ravel() for pose in poses]),
        }

    def _cloud(self, number: int, pose: Pose) -> NDArray[np.float64]:
        key = self._episode.cloud_key
        assert key is not None
        return self.sensor.cloud(self.shape, pose, key, number, None).ravel()

    def _observation(self) -> Observation:
        simulation, goal = self.simulation, self._goal
        found = {"agent_pos": simulation.agent_pos, "agent_vel": simulation.agent_vel}
        if self._goal_cloud is not None:
            # One number for all: which points of a body are seen must not depend on its place in the order.
            clouds = [self._cloud(self._step + 1, pose) for pose in simulation.poses]
            found["bodies_cloud"], goal = np.concatenate(clouds), {"goal_cloud": self._goal_cloud}
        else:
            found |= self._poses()
            found["bodies_vel"] = simulation.velocities.ravel()
            found["bodies_angular_vel"] = simulation.angular_velocities.ravel()
        return found | {name: array.copy() for name, array in {**self._named, **goal}.items()}

    def _info(self, distance: float, angle: float) -> dict[str, Any]:
        shown = {name: array.copy() for name, array in {**self._named, **self._goal}.items()}
        return {"mean_point_distance": distance, "angle": angle, **self._poses(), **shown}
