"""PushT: a disc pushes a T in the plane, on gym-pusht's own physics; and how gym-pusht's own environment transforms."""

from gymnasium.envs.registration import register, registry

from equiworld.envs.pusht.symmetry import pusht_symmetry, stock_pusht_symmetry
from equiworld.envs.pusht.task import TASK
from equiworld.symmetry import register_symmetry
from equiworld.tasks import register_task

__all__: list[str] = []

ENV_ID = "equiworld/PushT-v0"

if ENV_ID not in registry:
    register(id=ENV_ID, entry_point="equiworld.envs.pusht.env:PushTEnv", max_episode_steps=300)

register_symmetry(ENV_ID, pusht_symmetry)
register_symmetry("gym_pusht/PushT-v0", stock_pusht_symmetry)
register_task(ENV_ID, TASK)
