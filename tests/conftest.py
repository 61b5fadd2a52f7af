"""What several folders share: small datasets, collected once."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

import equiworld.envs  # noqa: F401  registers PushT
from equiworld.training import Dataset, collect


@pytest.fixture(scope="session")
def pusht_data() -> Dataset:
    """500 transitions of PushT without walls."""
    return collect(gym.make("equiworld/PushT-v0", walls=False), 500, seed=0, workers=1)


@pytest.fixture(scope="session")
def observations() -> dict[str, np.ndarray]:
    """Observations of PushT without walls as a policy meets them, goals included: `(16, size)` each."""
    env = gym.make("equiworld/PushT-v0", walls=False)
    rng = np.random.default_rng(0)
    found = []
    for seed in range(16):
        observation, _ = env.reset(seed=seed, options={"goal": "random"})
        for _ in range(int(rng.integers(3))):
            observation = env.step(rng.uniform(-60, 60, 2))[0]
        found.append(observation)
    return {name: np.stack([one[name] for one in found]) for name in found[0]}
