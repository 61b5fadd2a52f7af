"""CloudPush: a sphere pushes a rigid body through space, which is seen as a cloud of points, on MuJoCo."""

from gymnasium.envs.registration import register, registry

from equiworld.envs.cloudpush.symmetry import cloudpush_symmetry
from equiworld.envs.cloudpush.task import TASK
from equiworld.symmetry import register_symmetry
from equiworld.tasks import register_task

__all__: list[str] = []

ENV_ID = "equiworld/CloudPush-v0"

if ENV_ID not in registry:
    register(id=ENV_ID, entry_point="equiworld.envs.cloudpush.env:CloudPushEnv", max_episode_steps=200)

register_symmetry(ENV_ID, cloudpush_symmetry)
register_task(ENV_ID, TASK)
