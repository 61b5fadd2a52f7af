"""PushT with several blocks: bring the one that is named to its goal, past the others."""

from gymnasium.envs.registration import register, registry

from equiworld.envs.pusht.blocks.symmetry import blocks_symmetry
from equiworld.envs.pusht.blocks.task import TASK
from equiworld.symmetry import register_symmetry
from equiworld.tasks import register_task

__all__: list[str] = []

ENV_ID = "equiworld/PushTBlocks-v0"

if ENV_ID not in registry:
    register(id=ENV_ID, entry_point="equiworld.envs.pusht.blocks.env:PushTBlocksEnv", max_episode_steps=300)

register_symmetry(ENV_ID, blocks_symmetry)
register_task(ENV_ID, TASK)
