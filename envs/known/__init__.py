"""Environments of other people: how Gymnasium's own robots and Gymnasium-Robotics transform, and some of their tasks.

>>> import gymnasium as gym
>>> from equiworld.symmetry import symmetry_of
>>> symmetry_of(gym.make("Walker2d-v5")).holds
'everywhere'
"""

from equiworld.envs.known import fetch_task, point_maze
from equiworld.envs.known.ant import ant_group, ant_symmetry, move_ant
from equiworld.envs.known.fetch import fetch_symmetry, move_fetch
from equiworld.envs.known.fetch_exploration import FetchPushExploration
from equiworld.envs.known.half_cheetah import half_cheetah_symmetry
from equiworld.envs.known.humanoid import humanoid_symmetry, mend_humanoid, move_humanoid
from equiworld.envs.known.inverted_pendulum import inverted_pendulum_symmetry, move_inverted_pendulum
from equiworld.envs.known.point_maze import maze_group, move_point_maze, point_maze_symmetry
from equiworld.envs.known.pusher import free_pusher, move_pusher, pusher_symmetry
from equiworld.envs.known.reacher import move_reacher, reacher_symmetry
from equiworld.envs.known.swimmer import move_swimmer, swimmer_symmetry
from equiworld.envs.known.walker2d import move_walker2d, walker2d_symmetry
from equiworld.symmetry import register_symmetry
from equiworld.tasks import register_task

__all__ = [
    "FetchPushExploration",
    "ant_group",
    "ant_symmetry",
    "fetch_symmetry",
    "free_pusher",
    "half_cheetah_symmetry",
    "humanoid_symmetry",
    "inverted_pendulum_symmetry",
    "maze_group",
    "mend_humanoid",
    "point_maze_symmetry",
    "pusher_symmetry",
    "reacher_symmetry",
    "swimmer_symmetry",
    "walker2d_symmetry",
]

register_symmetry("Ant-v5", ant_symmetry, move_ant)
register_symmetry("HalfCheetah-v5", half_cheetah_symmetry)
register_symmetry("Humanoid-v5", humanoid_symmetry, move_humanoid)
register_symmetry("InvertedPendulum-v5", inverted_pendulum_symmetry, move_inverted_pendulum)
register_symmetry("Pusher-v5", pusher_symmetry, move_pusher)
register_symmetry("Reacher-v5", reacher_symmetry, move_reacher)
register_symmetry("Swimmer-v5", swimmer_symmetry, move_swimmer)
register_symmetry("Walker2d-v5", walker2d_symmetry, move_walker2d)

_OPEN = ("Open", "Open_Diverse_G", "Open_Diverse_GR")
_SIZES = ("Medium", "Large")
_MAPS = (
    *_OPEN,
    "UMaze",
    *(f"{size}{goals}" for size in _SIZES for goals in ("", "_Diverse_G", "_Diverse_GR")),
)

for _reward in ("", "Dense"):  # of Gymnasium-Robotics, which need not be installed
    for _name, _task in (("Reach", fetch_task.REACH), ("Push", fetch_task.PUSH)):
        register_symmetry(f"Fetch{_name}{_reward}-v4", fetch_symmetry, move_fetch)
        register_task(f"Fetch{_name}{_reward}-v4", _task)
    for _map in _MAPS:
        register_symmetry(f"PointMaze_{_map}{_reward}-v3", point_maze_symmetry, move_point_maze)
    for _map in _OPEN:
        register_task(f"PointMaze_{_map}{_reward}-v3", point_maze.TASK)
