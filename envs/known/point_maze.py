"""The symmetries of Gymnasium-Robotics' PointMaze: a ball in the plane, and the walls around it."""

from __future__ import annotations

from typing import Any, Literal

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.groups import E2, SE2, Group, GroupElement, Isometries
from equiworld.symmetry import Parts, Point, Symmetry, Vector
from equiworld.tasks import KeypointDistance, Task

__all__ = ["TASK", "maze_group", "move_point_maze", "point_maze_symmetry"]

Array = NDArray[np.float64]
Choice = Literal["plane", "mirrors", "maze"]

_TOP_SPEED = 5.0  # [m/s] along x and along y, each clipped by itself
_REACH = 0.1 + 0.002  # [m] the ball's radius, and the margin of its contacts
_WALL = 1  # in a maze's map
_SLACK = 1e-9  # [m]
_LIMITS: tuple[str, ...] = (
    "away from walls",
    "for velocities below 5 m/s along x and along y",
    "for actions that no turn takes out of ±1",
)
TASK = Task(KeypointDistance("position", "desired_goal"))
"""Of mazes without walls on the way."""

_TURN, _FLIP = [[0.0, -1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, -1.0]]  # by a quarter; y ↦ −y


def point_maze_symmetry(env: gym.Env, group: Choice | None = None) -> Symmetry:
    """How a PointMaze transforms: its ball, which forces drive, slides in the plane and is the same everywhere.

    - "plane": SE(2). Forces, damping and mass know no direction, but three things do: a wall; the velocity, which is
      clipped to ±5 m/s along x and y, each by itself; and an action outside the unit disk, clipped to ±1 likewise. A
      policy that plans within the disk and slower than 5 m/s is exact wherever no wall is in its way.
    - "mirrors": E(2), the same with reflections. A ball at rest and its goal are their own mirror image, so that there
      a policy is exact in law only.
    - "maze": the turns by quarters and reflections about the maze's middle that take walls to walls. They hold
      everywhere, at walls and at full speed.

    A world model of "plane" or "mirrors" knows no places, so it cannot learn where walls are. It needs the least data
    where there are none on the way.

    Args:
        env: as `gym.make("PointMaze_Open-v3", …)` made it, with whatever map.
        group: one of these; if None "plane" where walls stand around the map only, or where no element keeps them,
            and "maze" in other mazes.

    Raises:
        ArgumentError: no such group; or "maze" where only the identity keeps the walls.
    """
    base: Any = env.unwrapped
    own, inside = maze_group(env), _walls(base)[1:-1, 1:-1]
    if group is None:
        group = "plane" if own is None or not inside.any() else "maze"
    if group not in ("plane", "mirrors", "maze"):
        raise ArgumentError("group", repr(group), "a group of a PointMaze", ("plane", "mirrors", "maze"))
    if group == "maze" and own is None:
        raise ArgumentError("group", "'maze' of a map that only the identity keeps", "'plane'")
    chosen: Group = SE2() if group == "plane" else E2()
    limits = _LIMITS
    if own is not None and group == "maze":
        chosen, limits = own, ()
    if base.continuing_task and base.reset_target:
        limits = (*limits, "until a goal that was reached is drawn anew")
    parts = Parts({"position": Point(scale=1.0), "velocity": Vector(scale=_TOP_SPEED)})
    return Symmetry(
        chosen,
        {"observation": parts, "achieved_goal": Point(scale=1.0), "desired_goal": Point(scale=1.0)},
        action=Vector(),
        state=("position", "velocity"),
        goal={"desired_goal": "position"},
        reference="position",
        holds=", ".join(limits) or "everywhere",
    )


def maze_group(env: gym.Env) -> Group | None:
    """The subgroup of D4, about the middle of a maze, that takes its walls to walls; None if only the identity does.

    Args:
        env: a PointMaze, with whatever map.
    """
    walls, kept = _walls(env.unwrapped), list[list[list[float]]]()
    for quarters in range(4):
        for flipped in (False, True):
            matrix = np.linalg.matrix_power(np.array(_TURN), quarters) @ (_FLIP if flipped else np.eye(2))
            image = np.rot90(np.flipud(walls) if flipped else walls, quarters)
            known = [each.matrix for each in Isometries(kept).elements()] if kept else [np.eye(2)]
            if np.array_equal(image, walls) and not any(np.allclose(matrix, each) for each in known):
                kept.append(matrix.tolist())
    return Isometries(kept) if kept else None


def move_point_maze(env: gym.Env, g: GroupElement) -> Any:
    """Bring a PointMaze from s to g·s: the ball, its velocity and the goal; the walls stay.

    The warm start of the solver and the last action go with it.

    Args:
        env: reset.
        g: an element of E(2), about the middle of the maze.

    Returns:
        What is observed then.

    Raises:
        ArgumentError: g takes the ball or the goal into a wall, or out of the maze.
    """
    base: Any = env.unwrapped
    data, walls = base.data, _walls(base)
    place, goal = g.act(data.qpos), g.act(base.goal)
    for what, here, there, reach in (("ball", data.qpos, place, _REACH), ("goal", base.goal, goal, 0.0)):
        if _room(walls, there) < min(reach, _room(walls, here)) - _SLACK:
            got = f"one that takes the {what} to ({there[0]:.2f}, {there[1]:.2f}), into a wall"
            raise ArgumentError("g", got, "one that leaves ball and goal between the walls")
    base.goal = goal
    base.update_target_site_pos()
    warm, data.ctrl[:] = g.rotate(data.qacc_warmstart), g.rotate(data.ctrl)
    base.point_env.set_state(place, g.rotate(data.qvel))
    data.qacc_warmstart[:] = warm  # last, for mj_forward keeps its own solution there
    observation, wrappers = base._get_obs(np.concatenate([data.qpos, data.qvel])), list[Any]()
    inner: Any = env
    while isinstance(inner, gym.Wrapper):
        wrappers.append(inner)
        inner = inner.env
    for wrapper in reversed(wrappers):
        if isinstance(wrapper, gym.ObservationWrapper):
            observation = wrapper.observation(observation)
    return observation


def _walls(base: Any) -> NDArray[np.bool_]:
    """Where walls stand, rows from the greatest y down."""
    return np.array([[cell == _WALL for cell in row] for row in base.maze.maze_map])


def _room(walls: NDArray[np.bool_], place: Array) -> float:
    """How far a place is from the nearest wall [m], in a maze of cells of 1 m about the origin; negative inside one."""
    rows, columns = walls.shape
    row, column = np.floor([rows / 2 - place[1], place[0] + columns / 2]).astype(int)
    if not (0 <= row < rows and 0 <= column < columns) or walls[row, column]:
        return -1.0
    i, j = np.nonzero(walls)
    middles = np.stack([j + 0.5 - columns / 2, rows / 2 - i - 0.5], -1)
    apart = np.maximum(np.abs(place - middles) - 0.5, 0.0)
    return float(np.linalg.norm(apart, axis=-1).min(initial=np.inf))
