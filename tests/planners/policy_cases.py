"""Small policies over untrained models of PushT without walls."""

from __future__ import annotations

import equiworld.envs  # noqa: F401  registers PushT
import gymnasium as gym
from equiworld.planners import CEM, MPCPolicy
from family_cases import STATE_FAMILIES

from equiworld.models import FAMILIES, WorldModel

ENV = "equiworld/PushT-v0"
SMALL = {"state-steerable": {"scalars": 12, "vectors": 6, "depth": 2}}
PLAIN = {"hidden": (16, 16), "periodic": 4}
EXACT = [name for name in STATE_FAMILIES if FAMILIES[name].equivariant]
PLANNER = CEM(horizon=3, samples=16, iterations=2, elites=4)


def model_of(family: str = "state", repeat: int = 1) -> WorldModel:
    model = WorldModel.for_env(gym.make(ENV, walls=False), family, **SMALL.get(family, PLAIN))
    model.action_repeat = repeat
    return model


def policy_of(family: str = "state", repeat: int = 1, planner=PLANNER, **settings) -> MPCPolicy:
    return MPCPolicy(model_of(family, repeat), planner, **({"dtype": "float64"} | settings))


def rows(observations, which):
    return {name: array[which] for name, array in observations.items()}
