"""CloudPush with several bodies of one shape: bring the one that is named to its goal, past the others."""

from gymnasium.envs.registration import register, registry

from equiworld.envs.cloudpush.bodies.symmetry import bodies_symmetry
from equiworld.envs.cloudpush.bodies.task import TASK
from equiworld.symmetry import register_symmetry
from equiworld.tasks import register_task

__all__: list[str] = []

ENV_ID = "equiworld/CloudPushBodies-v0"

if ENV_ID not in registry:
    register(
        id=ENV_ID, entry_point="equiworld.envs.cloudpush.bodies.env:CloudPushBodiesEnv", max_episode_steps=200
    )

register_symmetry(ENV_ID, bodies_symmetry)
register_task(ENV_ID, TASK)
