"""Policies that are equivariant themselves, as files: turns with mirrors, and legs that are exchanged."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

import equiworld as ew

pytest.importorskip("mujoco")
pytest.importorskip("onnxruntime")
stable_baselines3 = pytest.importorskip("stable_baselines3")


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
