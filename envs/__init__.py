"""Gymnasium environments and group-action wrappers."""

from gymnasium.envs.registration import register, registry

if "equiworld/PushT-v0" not in registry:
    register(
        id="equiworld/PushT-v0", entry_point="equiworld.envs.pusht.env:PushTEnv", max_episode_steps=300
    )
