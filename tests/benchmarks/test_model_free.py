"""The question about stable-baselines3: what its worlds are, and that its cells give rows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")
pytest.importorskip("mujoco")

from equiworld.benchmarks.questions.model_free import ModelFree
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.question import Plan
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.locomotion import ROBOTS, StartsTurned, symmetry_in
from equiworld.errors import ArgumentError
from equiworld.symmetry import symmetry_of

TURNED = [world for world in ROBOTS if world != "Humanoid-v5"]


def test_goals_lie_in_the_slice_and_episodes_repeat_by_seed():
    env = ROBOTS["Reacher-v5"].make(0.5, True)
    for seed in range(10):
        seen, _ = env.reset(seed=seed)
        assert abs(math.atan2(seen[5], seen[4])) <= 0.5
        assert np.array_equal(env.reset(seed=seed)[0], seen)
    everywhere = ROBOTS["Reacher-v5"].make(math.pi, False)
    directions = [math.atan2(*everywhere.reset(seed=seed)[0][5:3:-1]) for seed in range(20)]
    assert max(map(abs, directions)) > 1.5


@pytest.mark.parametrize(("world", "dim"), [("PushT-reach", 2), ("CloudPush-reach", 3)])
def test_reach_tasks_have_goals_in_the_slice_and_end_where_it_is_left(world, dim):
    env = ROBOTS[world].make(0.4, True)
    ends = 0
    for seed in range(6):
        seen, _ = env.reset(seed=seed)
        assert np.array_equal(env.reset(seed=seed)[0], seen)
        way = seen[dim : 2 * dim] - seen[:dim]
        assert math.acos(way[0] / np.linalg.norm(way)) <= 0.4 + 1e-9
        ended, cut, info = False, False, {}
        while not (ended or cut):  # straight at it
            seen, _, ended, cut, info = env.step(10 * (seen[dim : 2 * dim] - seen[:dim]))
        ends += info["is_success"]
        env.reset(seed=seed)
        ended = cut = False
        while not (ended or cut):  # past it
            _, _, ended, cut, _ = env.step(np.eye(dim)[1])
        assert ended or cut
    assert ends >= 5


@pytest.mark.parametrize("world", TURNED)
def test_a_turned_start_is_the_same_episode_at_g_s(world):
    make = ROBOTS[world].make
    plain, symmetry = make(math.pi, False), symmetry_in(world)
    group = symmetry.group
    g = group.elements()[1] if group.finite else group.sample(np.random.default_rng(3))
    turned = StartsTurned(make(math.pi, False), g)
    before, after = plain.reset(seed=3)[0], turned.reset(seed=3)[0]
    rng = np.random.default_rng(0)
    for _ in range(5):
        image = symmetry.transform_observation(g, before)
        assert np.allclose(image, symmetry.transform_observation(group.identity(), after), atol=1e-7)
        low, high = plain.action_space.low, plain.action_space.high
        action = rng.uniform(0.5 * low, 0.5 * high)
        before, reward, *_ = plain.step(action)
        after, other, *_ = turned.step(symmetry.transform_action(g, action))
        assert reward == pytest.approx(other, abs=1e-7)


def test_the_humanoid_as_shipped_is_another_world_than_its_mirror_image():
    symmetry = symmetry_of(ROBOTS["Humanoid-v5"].make(math.pi, False))
    assert symmetry.holds != "everywhere"
    assert symmetry_of(ROBOTS["Humanoid-mended"].make(math.pi, False)).holds == "everywhere"


def test_off_policy_learners_have_no_mirror_loss():
    asked = replace(ModelFree(), learner="sac")
    assert "mirror loss" not in {cell.arm for cell in asked.cells(Plan(("PushT-reach",)))}
    with pytest.raises(ArgumentError, match="arm"):
        asked.cells(Plan(("PushT-reach",), ("mirror loss",)))
    with pytest.raises(ArgumentError, match="learner"):
        replace(ModelFree(), learner="dqn").cells(Plan())


@pytest.mark.slow
def test_a_cell_of_a_walker_has_a_curve_legs_and_a_row_an_element(tmp_path):
    asked = replace(ModelFree(), steps=2048, checkpoints=1, episodes=2)
    curve, *elements = asked.measure(
        Cell.at_point("model-free", "Walker2d-phase", "canonical", 0), Store(tmp_path)
    )
    assert curve["steps"] == 2048
    assert curve["legs"] > 0
    assert curve["deviation"] < 1e-5
    assert [row["element"] for row in elements] == [0, 1]


@pytest.mark.slow
@pytest.mark.parametrize("learner", ["ppo", "sac", "offline"])
@pytest.mark.parametrize("arm", ModelFree.arms)
def test_every_arm_is_trained_and_tested(learner, arm, tmp_path):
    if arm == "mirror loss" and learner != "ppo":
        pytest.skip("of PPO alone")
    steps = {"ppo": 2048, "sac": 600, "offline": 50}[learner]
    asked = replace(ModelFree().reduced(), learner=learner, steps=steps, episodes=2, elements=2)
    world = "Reacher-v5" if learner == "ppo" else "PushT-reach"
    row, *_ = asked.measure(Cell.at_point("model-free", world, arm, 0), Store(tmp_path))
    assert row["steps"] == steps
    assert row["return_worst"] <= row["return_turned"]
    if arm in ("canonical", "steerable", "symmetrised"):
        assert row["deviation"] < 1e-5
        assert row["return_turned"] == pytest.approx(row["return_slice"], abs=1e-2)
    else:
        assert row["deviation"] > 1e-2


def test_a_curve_is_of_steps_at_which_most_seeds_were_tested():
    def row(seed, steps):
        return {
            "arm": "plain",
            "seed": seed,
            "learner": "ppo",
            "steps": steps,
            "return": 1.0,
            "return_worst": 0.0,
        }

    rows = [row(seed, steps) for seed in range(3) for steps in (100_000, 200_000)] + [row(0, 60_000)]
    for panel in ModelFree().figure(rows).axes:
        drawn = [[*line.get_xdata()] for line in panel.get_lines()]
        assert drawn
        assert all(steps == [100_000, 200_000] for steps in drawn)
