"""How environments of other people transform: Gymnasium's own robots, simulated by MuJoCo.

>>> import gymnasium as gym
>>> from equiworld.symmetry import symmetry_of
>>> symmetry_of(gym.make("Walker2d-v5")).holds
'everywhere'
"""

from equiworld.envs.known.ant import ant_group, ant_symmetry, move_ant
from equiworld.envs.known.humanoid import humanoid_symmetry, mend_humanoid, move_humanoid
from equiworld.envs.known.reacher import move_reacher, reacher_symmetry
from equiworld.envs.known.walker2d import move_walker2d, walker2d_symmetry

from equiworld.symmetry import register_symmetry

__all__ = ["ant_group", "ant_symmetry", "humanoid_symmetry", "mend_humanoid"]
__all__ += ["reacher_symmetry", "walker2d_symmetry"]

register_symmetry("Ant-v5", ant_symmetry, move_ant)
register_symmetry("Humanoid-v5", humanoid_symmetry, move_humanoid)
register_symmetry("Reacher-v5", reacher_symmetry, move_reacher)
register_symmetry("Walker2d-v5", walker2d_symmetry, move_walker2d)
