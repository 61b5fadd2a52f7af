"""What several folders share: small datasets, collected once."""

from __future__ import annotations

import equiworld.envs  # noqa: F401  registers PushT
import gym_pusht  # noqa: F401  registers the stock environment
import gymnasium as gym
import numpy as np
import pytest

from equiworld.training import Dataset, collect

PUSHT = ("equiworld/PushT-v0", {"walls": False})
STOCK = ("gym_pusht/PushT-v0", {"obs_type": "state"})
STOCK_CORNERS = ("gym_pusht/PushT-v0", {"obs_type": "environment_state_agent_pos"})


@pytest.fixture(scope="session")
def pusht_data() -> Dataset:
    """500 transitions of PushT without walls."""
    return collect(gym.make(PUSHT[0], **PUSHT[1]), 500, seed=0, workers=1)


@pytest.fixture(scope="session")
def observations() -> dict[str, np.ndarray]:
    """Observations of PushT without walls as a policy meets them, goals included: `(16, size)` each."""
    env = gym.make(PUSHT[0], **PUSHT[1])
    rng = np.random.default_rng(0)
    found = []
    for seed in range(16):
        observation, _ = env.reset(seed=seed, options={"goal": "random"})
        for _ in range(int(rng.integers(3))):
            observation = env.step(rng.uniform(-60, 60, 2))[0]
        found.append(observation)
    return {name: np.stack([one[name] for one in found]) for name in found[0]}
