"""The symmetries of Gymnasium's Ant-v5: its four legs are alike, and the ground is the same everywhere."""

from __future__ import annotations

from typing import Any, Literal

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.envs.known.mujoco_state import (
    exchanges,
    floating_fields,
    holding,
    motors,
    move_floating,
    spatial_fields,
)
from equiworld.errors import ArgumentError
from equiworld.groups import O2, Dihedral, Group, GroupElement, Isometries, Product, left_right
from equiworld.symmetry import Parts, Symmetry

__all__ = ["ant_group", "ant_symmetry", "move_ant"]

Choice = Literal["mirror", "turns", "both", "gravity"]

_UP = (0.0, 0.0, 1.0)
_QUARTER = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
_MIRROR = [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]]
_STILL = np.eye(3).tolist()
_PYRAMIDAL = 0  # mjCONE_PYRAMIDAL


def ant_group(choice: Choice = "both") -> Group:
    """A group that the Ant's physics carries: pairs (R, h) of what happens to the world and to the body.

    - "mirror": left and right exchanged in world and body alike, 2 elements.
    - "turns": the body turned by quarters against itself and the world left alone, R = 1, 4 elements: another leg
      goes first.
    - "both": what these two generate, 8 elements. The reward, speed along the world's x, stays the same: the largest
      such group.
    - "gravity": with any turn of the world about the vertical besides, and its reflections. The reward knows
      directions, so it does not stay the same. Friction has to be the same in all directions too: elliptic cones.

    >>> ant_group().order, ant_group("gravity").labels.order
    (8, 8)
    """
    if choice == "mirror":
        return left_right()
    if choice == "turns":
        return Isometries([_STILL], [_QUARTER])
    if choice == "both":
        return Isometries([_STILL, _MIRROR], [_QUARTER, _MIRROR])
    if choice == "gravity":
        return Product(O2(axis=_UP), Dihedral(4, axis=_UP), paired=True)
    raise ArgumentError("group", repr(choice), "a group of Ant-v5", ("mirror", "turns", "both", "gravity"))


def ant_symmetry(env: gym.Env, group: Choice | Group = "both") -> Symmetry:
    """How an Ant-v5 transforms, with or without contact forces and positions in what it observes.

    The orientation is a quaternion whose sign means nothing; nor does its norm, which resets disturb. A turn of the
    body by a quarter, done four times, negates it. So it is transformed as a rotation, and comes out with norm 1 and
    w ≥ 0: compare it as a rotation too, as certificates do.

    Args:
        env: as `gym.make("Ant-v5", …)` made it, or with a changed model.
        group: one of `ant_group`, or its name.

    Raises:
        ArgumentError: the model's legs are not those of an Ant, or no such group.

    >>> symmetry = ant_symmetry(gym.make("Ant-v5"))
    >>> list(symmetry.observation)[:4], symmetry.action.orders[1]
    (['height', 'orientation', 'joints', 'velocity'], (2, 3, 0, 1, 6, 7, 4, 5))
    """
    base: Any = env.unwrapped
    structure, chosen = base.observation_structure, group if isinstance(group, Group) else ant_group(group)
    found = exchanges(base.model, chosen)
    fields = floating_fields(chosen, found, positions=not structure["skipped_qpos"])
    at: dict[str, tuple[int, ...]] = {}
    if structure["cfrc_ext"]:
        start = structure["qpos"] + structure["qvel"]
        forces, at = spatial_fields(found, start, 1.0, "contact_torques", "contact_forces")
        fields |= forces
    holds = holding(base.model, found)
    if holds == "everywhere" and chosen.axis is not None:
        if base.model.opt.cone == _PYRAMIDAL:
            holds = "nowhere, because of pyramidal friction cones, which stand along the world's axes"
        elif structure["cfrc_ext"] and np.isfinite(base._contact_force_range).any():
            low, high = base._contact_force_range
            holds = f"where no contact force is clipped to [{low:g}, {high:g}]"
    observation = {"observation": Parts(fields, at)}
    reward = chosen.axis is None  # it counts what is run along the world's x
    return Symmetry(chosen, observation, motors(found), flat=True, holds=holds, reward=reward)


def move_ant(env: gym.Env, g: GroupElement) -> NDArray[np.float64] | None:
    """Bring an Ant from s to g·s; see `move_floating`.

    Args:
        env: reset.
        g: an element of any group of `ant_group`.

    Returns:
        What is observed then. The quaternion keeps its norm, and its sign may be either.
    """
    return move_floating(env, g)
