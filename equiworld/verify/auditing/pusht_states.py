"""States of gym-pusht's own environment, whose engine is begun anew at each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.errors import ArgumentError
from equiworld.groups.arrays import Array
from equiworld.symmetry import Concatenation, Field, Point, Pseudoscalar, Symmetry, Vector
from equiworld.verify.auditing.function_states import FunctionStates

__all__ = ["pusht_states"]


def pusht_states(env: gym.Env, symmetry: Symmetry) -> FunctionStates | None:
    """For `gym_pusht/PushT-v0`; None of any other environment.

    What the engine remembers of contacts cannot be read: a state begins without, on both sides.
    """
    base: Any = env.unwrapped
    if not all(hasattr(base, name) for name in ("space", "agent", "block", "_setup", "goal_pose")):
        return None
    pose = symmetry.info.get("block_pose")
    if not isinstance(pose, Concatenation):
        raise ArgumentError("symmetry", "no info field 'block_pose'", "how the block's pose turns")
    place, heading = pose.parts
    fields: dict[str, Field] = {
        "agent_place": Point(),
        "agent_velocity": Vector(),
        "block_place": place,
        "block_angle": heading,
        "block_velocity": Vector(),
        "block_rate": Pseudoscalar(),
        "goal_place": place,
        "goal_angle": heading,
    }
    return FunctionStates(_get, _set, symmetry, fields)


def _get(env: gym.Env) -> dict[str, Any]:
    base: Any = env.unwrapped
    return {
        "agent_place": np.array(base.agent.position),
        "agent_velocity": np.array(base.agent.velocity),
        "block_place": np.array(base.block.position),
        "block_angle": np.array([base.block.angle]),
        "block_velocity": np.array(base.block.velocity),
        "block_rate": np.array([base.block.angular_velocity]),
        "goal_place": np.array(base.goal_pose[:2], np.float64),
        "goal_angle": np.array(base.goal_pose[2:], np.float64),
    }


def _set(env: gym.Env, state: Mapping[str, Array]) -> Any:
    base: Any = env.unwrapped
    base._setup()
    base.agent.position = tuple(state["agent_place"].tolist())
    base.agent.velocity = tuple(state["agent_velocity"].tolist())
    base.block.angle = float(state["block_angle"][0])  # first: it turns about the centre of gravity
    base.block.position = tuple(state["block_place"].tolist())
    base.block.velocity = tuple(state["block_velocity"].tolist())
    base.block.angular_velocity = float(state["block_rate"][0])
    base.goal_pose = np.concatenate([state["goal_place"], state["goal_angle"]])
    return None
