"""The question about stable-baselines3: what its worlds are, and that its cells give rows."""

from __future__ import annotations

import math
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("stable_baselines3")
pytest.importorskip("mujoco")

from equiworld.benchmarks.questions.model_free import ModelFree
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.locomotion import ROBOTS, StartsTurned, symmetry_in


def test_goals_lie_in_the_slice_and_episodes_repeat_by_seed():
    env = ROBOTS["Reacher-v5"](0.5)
    for seed in range(10):
        seen, _ = env.reset(seed=seed)
        assert abs(math.atan2(seen[5], seen[4])) <= 0.5
        assert np.array_equal(env.reset(seed=seed)[0], seen)
    everywhere = ROBOTS["Reacher-v5"](math.pi)
    directions = [math.atan2(*everywhere.reset(seed=seed)[0][5:3:-1]) for seed in range(20)]
    assert max(map(abs, directions)) > 1.5


def test_a_turned_start_is_the_same_episode_at_g_s():
    symmetry = symmetry_in("Reacher-v5")
    g = symmetry.group.reflection(0.7)
    plain, turned = gym.make("Reacher-v5"), StartsTurned(gym.make("Reacher-v5"), g)
    before, after = plain.reset(seed=3)[0], turned.reset(seed=3)[0]
    rng = np.random.default_rng(0)
    for _ in range(5):
        assert np.allclose(symmetry.transform_observation(g, before), after, atol=1e-10)
        action = rng.uniform(-1, 1, 2)
        before, reward, *_ = plain.step(action)
        after, other, *_ = turned.step(symmetry.transform_action(g, action))
        assert reward == pytest.approx(other, abs=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("arm", ModelFree.arms)
def test_every_arm_is_trained_and_tested(arm, tmp_path):
    asked = replace(ModelFree().reduced(), episodes=2, elements=2)
    (row,) = asked.measure(Cell.at_point("model-free", "Reacher-v5", arm, 0), Store(tmp_path))
    assert row["steps"] == 2048
    assert row["return_worst"] <= row["return_turned"] <= 0
    if arm in ("canonical", "steerable"):
        assert row["deviation"] < 1e-5
        assert row["return_turned"] == pytest.approx(row["return_slice"], abs=1e-3)
    else:
        assert row["deviation"] > 1e-2
