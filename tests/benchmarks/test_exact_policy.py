"""The reach task and the question asked of it: goals of the slice, a world that turns, rows that are kept."""

from __future__ import annotations

import math
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from equiworld.benchmarks.exact_policy import ExactPolicyConfig, report
from equiworld.benchmarks.reach import REACH
from equiworld.groups import E2
from equiworld.sb3 import FunctionPolicy, symmetrise
from equiworld.verify.certificate import certify
from equiworld.verify.evaluate import evaluate


def pursue(observation):
    """Straight to the goal."""
    return observation[4:] - observation[:2]


def eastward(observation):
    """What is right for goals in the east alone: full speed ahead."""
    return np.array([1.0, np.clip(4 * (observation[5] - observation[1]), -1.0, 1.0)])


def test_goals_lie_in_the_slice_and_episodes_end_where_it_is_left():
    env = gym.make(REACH, half_width=0.3, confined=True)
    for seed in range(50):
        seen, info = env.reset(seed=seed)
        assert abs(math.atan2(*(seen[4:] - seen[:2])[::-1])) <= 0.3
        assert not info["is_success"]
    ended = False
    for _ in range(60):  # backwards for ever: the goal stays ahead; past it: the episode ends
        seen, _, ended, _, info = env.step(np.array([1.0, 0.0]))
        if ended:
            break
    assert ended
    assert info["is_success"] == (np.linalg.norm(seen[4:] - seen[:2]) < 0.1)


def test_the_world_commutes_with_turns_mirrors_and_shifts():
    policy, env = FunctionPolicy(pursue), gym.make(REACH)
    certificate = certify(policy, env, E2(), elements=6, episodes=3, steps=20)
    assert certificate.passed
    assert certificate.max_deviation <= 1e-12


def test_what_is_right_in_the_slice_is_right_everywhere_afterwards():
    """The measure of the benchmark, on a policy whose answer is known."""
    ahead = gym.make(REACH, half_width=0.4)
    around = gym.make(REACH)
    policy = symmetrise(eastward, around)
    settings = {"episodes": 40, "n_envs": 8}
    assert evaluate(FunctionPolicy(eastward), ahead, **settings).success_rate >= 0.9
    assert evaluate(FunctionPolicy(eastward), around, **settings).success_rate <= 0.5
    assert evaluate(policy, around, **settings).success_rate >= 0.9


def test_the_report_is_a_table_of_its_rows():
    text = report({"rows": [{"policy": "PPO", "symmetrise": "after", "success_worst": 1.0}]})
    assert "PPO" in text
    assert "success_worst" in text


def test_the_small_version_is_smaller():
    settings = ExactPolicyConfig(out=Path("unused"), quick=True).reduced()
    assert settings.episodes < ExactPolicyConfig().episodes
    assert len(settings.learners) < len(ExactPolicyConfig().learners)


@pytest.mark.slow
def test_one_learner_and_one_peer_end_to_end(tmp_path):
    """Rows before and after, for each of them; the second time they are read again."""
    from dataclasses import replace

    from equiworld.benchmarks.exact_policy import run
    from equiworld.models import WorldModel

    folder = tmp_path / "model"
    WorldModel.for_env("equiworld/PushT-v0", "mlp", hidden=(8,)).save(folder)
    config = ExactPolicyConfig(out=tmp_path, quick=True, models=(folder,), workers=1, progress=False)
    result = run(replace(config, peers=()))
    after = [row for row in result["rows"] if row["symmetrise"] == "after"]
    assert len(after) == 2
    assert all(row["deviation"] <= 1e-8 for row in after)
    assert run(replace(config, peers=()))["rows"] == result["rows"]
