"""Policies that are equivariant themselves, as files: turns with mirrors, and legs that are exchanged."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import equiworld as ew
from equiworld.symmetry import Permuted, Point, Pseudoscalar, SignedPermutation, Symmetry, Vector
from equiworld.symmetry.sampling import random_observation

pytest.importorskip("mujoco")
pytest.importorskip("onnxruntime")
stable_baselines3 = pytest.importorskip("stable_baselines3")

SWAP = [(1, 0)]
DECLARED = {
    "absolute actions": Symmetry(ew.SE2(), {"a": Point(), "b": Point()}, Point(), reference="a"),
    "mirrors about gravity": Symmetry(
        ew.O2(axis=(0, 0, 1)), {"way": Vector(2), "rate": Pseudoscalar()}, Vector()
    ),
    "bodies that trade places": Symmetry(
        ew.groups.Product(ew.SE2(), ew.groups.Permutation(2)),
        {"a": Permuted(Point(), SWAP), "m": SignedPermutation(SWAP)},
        Permuted(Point(), SWAP),
    ),
}


@pytest.mark.parametrize(("env_id", "form"), [("Reacher-v5", "canonical"), ("Walker2d-v5", "steerable")])
def test_the_file_is_as_equivariant_as_the_policy(env_id: str, form: str, tmp_path) -> None:
    env = ew.sb3.with_symmetry(gym.make(env_id))
    policy = ew.sb3.EquivariantActorCriticPolicy
    model = stable_baselines3.PPO(policy, env, policy_kwargs={"form": form}, seed=0, device="cpu")
    found = ew.export.policy(model, tmp_path / "policy.onnx", symmetry=env, elements=3, rows=4)
    assert ew.export.check(tmp_path / "policy.onnx").passed
    told = str(found)
    assert "over the orbit" in told
    seen = env.observation_space.sample()
    decided, _ = model.predict(seen, deterministic=True)
    read, _ = ew.sb3.OnnxPolicy(tmp_path / "policy.onnx").predict(seen)
    assert np.abs(decided - read).max() <= 1e-5
    g = ew.symmetry_of(env).group.sample(np.random.default_rng(0))
    turned, _ = ew.sb3.OnnxPolicy(tmp_path / "policy.onnx").predict(
        ew.symmetry_of(env).transform_observation(g, seen)
    )
    assert np.abs(turned - ew.symmetry_of(env).transform_action(g, read)).max() <= 1e-5


@pytest.mark.parametrize("form", ["canonical", "steerable"])
@pytest.mark.parametrize("name", DECLARED)
def test_files_of_absolute_actions_and_of_labels_take_batches_of_any_size(name, form, tmp_path) -> None:
    symmetry = DECLARED[name]
    space = spaces.Dict(
        {
            key: spaces.Box(-1, 1, (field.size(symmetry.dim),), np.float64)
            for key, field in symmetry.observation.items()
        }
    )
    policy = ew.sb3.EquivariantActorCriticPolicy(
        space,
        spaces.Box(-9, 9, (symmetry.action.size(symmetry.dim),), np.float64),
        lambda _: 1e-3,
        symmetry=symmetry,
        form=form,
        ortho_init=False,
    )
    path = tmp_path / "policy.onnx"
    ew.export.policy(policy, path, symmetry=symmetry, elements=3, rows=4)
    assert ew.export.check(path).passed
    for rows in (1, 5):
        seen = random_observation(symmetry, np.random.default_rng(rows), rows)
        decided, _ = policy.predict(seen, deterministic=True)
        assert np.abs(decided).max() > 1e-3
        assert np.abs(decided - ew.sb3.OnnxPolicy(path).predict(seen)[0]).max() <= 1e-5
