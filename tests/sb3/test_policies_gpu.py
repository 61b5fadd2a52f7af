"""On a GPU, where there is one, and where stable-baselines3 puts its policies unless told otherwise."""

import numpy as np
import pytest
import torch

pytest.importorskip("stable_baselines3")
if not torch.cuda.is_available():
    pytest.skip("no GPU here", allow_module_level=True)

from equivariant_cases import CASES, Drift
from stable_baselines3 import PPO, SAC, TD3

from equiworld.sb3 import EquivariantActorCriticPolicy, EquivariantSACPolicy, EquivariantTD3Policy
from equiworld.symmetry.sampling import random_observation

ALGORITHMS = {
    PPO: (EquivariantActorCriticPolicy, {"n_steps": 16, "batch_size": 8, "n_epochs": 1}),
    SAC: (EquivariantSACPolicy, {"learning_starts": 16, "buffer_size": 500}),
    TD3: (EquivariantTD3Policy, {"learning_starts": 16, "buffer_size": 500}),
}


@pytest.mark.parametrize("form", ["canonical", "steerable"])
@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("case", [name for name in CASES if "absolute" not in name])
def test_predictions_turn_with_what_is_seen(case, algorithm, form, tmp_path):
    symmetry = CASES[case]
    policy, settings = ALGORITHMS[algorithm]
    kwargs = {"symmetry": symmetry, "form": form, "net_arch": [16, 16]}
    model = algorithm(policy, Drift(symmetry), policy_kwargs=kwargs, seed=0, device="cuda", **settings)
    model.learn(40)
    rng = np.random.default_rng(3)
    seen, g = random_observation(symmetry, rng, 24), symmetry.group.sample(rng, 24)
    here, _ = model.predict(seen, deterministic=True)
    there, _ = model.predict(symmetry.transform_observation(g, seen), deterministic=True)
    wanted = symmetry.transform_action(g, here)
    assert np.abs(wanted).max() > 1e-6
    assert np.abs(wanted - there).max() <= 1e-5 * max(1.0, np.abs(wanted).max())
    model.save(tmp_path / "model")
    again, _ = algorithm.load(tmp_path / "model", device="cpu").predict(seen, deterministic=True)
    assert np.abs(again - here).max() <= 1e-5 * max(1.0, np.abs(here).max())
