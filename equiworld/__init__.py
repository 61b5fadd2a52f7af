"""Exactly equivariant world models and planners for Gymnasium environments.

Say once how an environment transforms; get wrappers, a world model and a planner that commute with its group to the
last bits, and a certificate that the closed loop is the same at every orientation.

>>> import gymnasium as gym
>>> import equiworld as ew
>>> env = gym.make("equiworld/PushT-v0")
>>> ew.symmetry_of(env).group
E2()
>>> model = ew.WorldModel.for_env(env, seed=0, hidden=(32, 32))
>>> policy = ew.MPCPolicy(model, ew.planners.CEM(samples=16), dtype="float64")
>>> observation, _ = env.reset(seed=0)
>>> action, _ = policy.predict(observation)
>>> g = ew.SE2().rotation(2.1)
>>> turned, _ = policy.predict(ew.symmetry_of(env).transform_observation(g, observation))
>>> bool(abs(turned - g.rotate(action)).max() < 1e-9)
True
"""

from importlib.metadata import PackageNotFoundError, version

# The environments first: they register themselves with Gymnasium.
from equiworld import envs, export, planners, tasks
from equiworld.groups import E2, E3, O2, O3, SE2, SE3, SO2, SO3, Cyclic, Dihedral, GroupElement, Permutation
from equiworld.models import WorldModel
from equiworld.planners import MPCPolicy
from equiworld.sb3 import symmetrise
from equiworld.symmetry import Symmetry, register_symmetry, symmetry_of
from equiworld.training import Dataset, TrainingConfig, collect, train
from equiworld.verify import assert_equivariant
from equiworld.verify.audit import assert_env_symmetric, audit
from equiworld.verify.certificate import certify
from equiworld.verify.check_symmetry import check_symmetry
from equiworld.verify.discover import discover
from equiworld.verify.evaluate import evaluate
from equiworld.verify.prediction import prediction_error

try:
    __version__ = version("equiworld")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+unknown"

__all__ = [
    "E2",
    "E3",
    "O2",
    "O3",
    "SE2",
    "SE3",
    "SO2",
    "SO3",
    "Cyclic",
    "Dataset",
    "Dihedral",
    "GroupElement",
    "MPCPolicy",
    "Permutation",
    "Symmetry",
    "TrainingConfig",
    "WorldModel",
    "__version__",
    "assert_env_symmetric",
    "assert_equivariant",
    "audit",
    "certify",
    "check_symmetry",
    "collect",
    "discover",
    "envs",
    "evaluate",
    "export",
    "planners",
    "prediction_error",
    "register_symmetry",
    "symmetrise",
    "symmetry_of",
    "tasks",
    "train",
]
