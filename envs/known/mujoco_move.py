"""Any MuJoCo simulator brought from s to g·s; see `equiworld.verify.mujoco_move`."""

from equiworld.verify.mujoco_move import mujoco_move

__all__ = ["mujoco_move"]
