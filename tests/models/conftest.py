"""The environments and trained models that the tests of models run over."""

from __future__ import annotations

import gym_pusht  # noqa: F401  registers the stock environment
import gymnasium as gym
import pytest
from family_cases import STATE_FAMILIES
from model_cases import made, trained

import equiworld.envs  # noqa: F401  registers PushT
from equiworld.models import WorldModel

ENVS = {
    "equiworld": ("equiworld/PushT-v0", {"walls": False}),
    "stock": ("gym_pusht/PushT-v0", {"obs_type": "state"}),
    "stock corners": ("gym_pusht/PushT-v0", {"obs_type": "environment_state_agent_pos"}),
}


@pytest.fixture(params=ENVS)
def env(request) -> gym.Env:
    env_id, settings = ENVS[request.param]
    return gym.make(env_id, **settings)


@pytest.fixture(scope="session")
def trained_models(pusht_data) -> dict[str, WorldModel]:
    """Every family, trained a little on PushT."""
    env = gym.make("equiworld/PushT-v0")
    return {family: trained(made(env, family), pusht_data) for family in STATE_FAMILIES}
