"""Gymnasium environments and group-action wrappers."""

from gymnasium.envs.registration import register, registry

from equiworld.envs import known  # noqa: F401  registers the symmetries of other people's environments
from equiworld.envs.group_action import GroupAction, RandomGroupAction
from equiworld.envs.spaces import Ball
from equiworld.envs.vector_group_action import VectorGroupAction, VectorRandomGroupAction

__all__ = ["Ball", "GroupAction", "RandomGroupAction", "VectorGroupAction", "VectorRandomGroupAction"]

if "equiworld/PushT-v0" not in registry:
    register(id="equiworld/PushT-v0", entry_point="equiworld.envs.pusht.env:PushTEnv", max_episode_steps=300)

if "equiworld/CloudPush-v0" not in registry:
    register(
        id="equiworld/CloudPush-v0",
        entry_point="equiworld.envs.cloudpush.env:CloudPushEnv",
        max_episode_steps=200,
    )
