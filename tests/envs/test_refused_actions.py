"""Actions that are no real numbers are refused by our environments, and what torch gives is taken."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch

import equiworld.envs  # noqa: F401  registers
from equiworld.errors import ArgumentError

ENVIRONMENTS = {"equiworld/PushT-v0": 2, "equiworld/CloudPush-v0": 3}
OTHER = {
    "masked": lambda size: np.ma.masked_array(np.zeros(size), mask=[True] + [False] * (size - 1)),
    "complex": lambda size: np.full(size, 1j),
    "bools": lambda size: np.full(size, True),
    "text": lambda size: np.full(size, "0"),
    "objects": lambda size: np.full(size, None),
    "sparse": lambda size: torch.zeros(size).to_sparse(),
}


def begun(env_id: str) -> gym.Env:
    if "Cloud" in env_id:
        pytest.importorskip("mujoco")
    env = gym.make(env_id)
    env.reset(seed=0)
    return env


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
@pytest.mark.parametrize("kind", OTHER)
def test_an_action_of_other_numbers_is_refused(env_id: str, kind: str) -> None:
    with pytest.raises(ArgumentError, match=r"^action: got "):
        begun(env_id).step(OTHER[kind](ENVIRONMENTS[env_id]))


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_tensor_with_a_gradient_acts(env_id: str, dtype: torch.dtype) -> None:
    begun(env_id).step(torch.zeros(ENVIRONMENTS[env_id], dtype=dtype, requires_grad=True))
