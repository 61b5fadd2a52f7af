"""The reach task and the question asked of it: goals of the slice, a world that turns, rows that are kept."""

from __future__ import annotations

import math
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

from equiworld.benchmarks.questions.exact_policy import ExactPolicy
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.question import Plan
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.reach import REACH
from equiworld.errors import ArgumentError
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


def test_cells_are_of_the_policies_that_a_world_has():
    cells = ExactPolicy().cells(Plan())
    assert len({cell.id for cell in cells}) == len(cells) == 2 * (4 + 2)
    assert {cell.arm for cell in cells if cell.world == "gym-pusht"} == {"plain", "centred"}
    assert {cell.point["symmetrise"] for cell in cells} == {"before", "after"}


def test_the_small_version_is_smaller():
    small = ExactPolicy().reduced()
    assert small.episodes < ExactPolicy().episodes
    assert small.transitions < ExactPolicy().transitions
    assert small.allow_absent


def test_a_policy_whose_library_is_absent_is_loud_unless_that_is_allowed(tmp_path, monkeypatch):
    from equiworld.planners.peers.pytorch_mppi import PytorchMPPI

    def gone():
        raise ImportError("nothing there")

    monkeypatch.setattr(PytorchMPPI, "load", gone)
    cell = Cell.at_point("exact-policy", "reach", "pytorch_mppi", 0, symmetrise="after")
    (row,) = ExactPolicy().reduced().answer(cell, Store(tmp_path / "allowed"))
    assert "nothing there" in row["note"]
    with pytest.raises(ArgumentError, match="nothing there"):
        replace(ExactPolicy().reduced(), allow_absent=False).answer(cell, Store(tmp_path / "loud"))


@pytest.mark.slow
@pytest.mark.parametrize(("world", "arm"), [("reach", "PPO"), ("gym-pusht", "plain")])
def test_a_policy_end_to_end(tmp_path, world, arm):
    """Rows before and after; what was trained is trained once, and rows are read again."""
    pytest.importorskip("stable_baselines3")
    question, store = ExactPolicy().reduced(), Store(tmp_path)
    cells = question.cells(Plan(worlds=(world,), arms=(arm,)))
    (before,), (after,) = (question.answer(cell, store) for cell in cells)
    assert before["deviation"] > 1e-3
    assert after["deviation"] <= 1e-8
    assert after["certificate"].startswith("active PASSED")
    assert [*tmp_path.glob("policies/*"), *tmp_path.glob("models/*")]
    assert [question.answer(cell, store) for cell in cells] == [[before], [after]]
