"""Gymnasium environments, each in a folder of its own that registers it, and group-action wrappers."""

from equiworld.envs import cloudpush, known, pusht  # noqa: F401  they register themselves
from equiworld.envs.cloudpush import bodies  # noqa: F401  likewise
from equiworld.envs.group_action import GroupAction, RandomGroupAction
from equiworld.envs.phase_input import PhaseInput
from equiworld.envs.pusht import blocks  # noqa: F401  likewise
from equiworld.envs.spaces import Ball
from equiworld.envs.vector_group_action import VectorGroupAction, VectorRandomGroupAction
from equiworld.envs.with_context import WithContext

__all__ = [
    "Ball",
    "GroupAction",
    "PhaseInput",
    "RandomGroupAction",
    "VectorGroupAction",
    "VectorRandomGroupAction",
    "WithContext",
]
