"""The main job in small: exact where it must be, a result that says how it came about, and pictures."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from equiworld.benchmarks.arms import ARMS
from equiworld.benchmarks.demo import Demo
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.trained import data_of, disjoint, trained_model
from equiworld.benchmarks.worlds.loops import run_orbit
from equiworld.benchmarks.worlds.pusht import PUSHT, draw_tasks
from equiworld.envs.pusht import geometry
from equiworld.errors import ArgumentError, OverlapError, UnknownNameError
from equiworld.groups import SE2
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy
from equiworld.results import read_json
from equiworld.rollout import Start
from equiworld.training import check_disjoint

SMALL = {
    "quick": True,
    "transitions": 600,
    "steps": 10,
    "width": 16,
    "tasks": 2,
    "task_steps": 8,
    "episodes": 2,
    "episode_steps": 4,
    "jobs": 1,
    "progress": False,
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return Demo(out=tmp_path_factory.mktemp("demo"), **SMALL)


@pytest.fixture(scope="module")
def result(demo):
    return demo.run()


def rows_of(result, question, arm):
    return [row for row in result["rows"] if row["question"] == question and row["arm"] == arm]


def test_the_result_is_written_with_all_that_made_it(result, demo):
    read = read_json(demo.out / "orientation.json")
    assert read["benchmark"] == "orientation"
    assert set(read["config"]["questions"]) == {"one-step", "closed-loop", "success"}
    for arm in ("equivariant", "plain", "augmented"):
        interior = [row for row in rows_of(read, "one-step", arm) if row.get("region") == "interior"]
        orbit = [row for row in interior if row["part"] == "orbit"]
        assert [row["angle_deg"] for row in orbit] == [22.5 * index for index in range(16)]
        assert len(rows_of(read, "closed-loop", arm)) == 8
        assert [row["episodes"] for row in rows_of(read, "success", arm)] == [2]
    stored = read_json(next((demo.out / "rows" / "closed-loop").iterdir()))["config"]
    assert {"inputs", "versions", "sources", "machine"} <= set(stored)
    assert {"scale", "arm", "world", "planner", "settings"} <= set(stored["inputs"])


def test_the_equivariant_model_walks_the_same_paths_and_the_plain_one_does_not(result):
    assert max(row["deviation_max"] for row in rows_of(result, "closed-loop", "equivariant")) <= 1e-8
    for arm in ("plain", "augmented"):  # what the measure must be able to show
        loops = rows_of(result, "closed-loop", arm)
        assert min(row["deviation_median"] for row in loops[1:]) > 1e-3
        assert loops[0]["deviation_max"] == 0


def test_the_equivariant_error_is_flat_and_the_plain_one_is_not(result):
    for arm, flat in (("equivariant", True), ("plain", False)):
        orbit = [row for row in rows_of(result, "one-step", arm) if row.get("part") == "orbit"]
        for region in ("interior", "near walls"):
            errors = np.array([row["relative_error"] for row in orbit if row["region"] == region])
            assert (np.ptp(errors) <= 1e-10 * errors[0]) == flat
            assert flat or np.ptp(errors) > 1e-3 * errors[0]


def test_residuals_are_those_of_rounding_where_a_model_is_equivariant(result):
    for arm, exact in (("equivariant", True), ("plain", False)):
        (row,) = [row for row in rows_of(result, "one-step", arm) if row.get("part") == "model"]
        assert (row["residual_float64"] <= 1e-12) == exact
        assert (row["residual_float32"] <= 1e-5) == exact


def test_models_of_one_size_on_one_budget(result):
    sizes = {row["arm"]: row["parameters"] for row in result["rows"] if row.get("trial")}
    assert len(sizes) == 3
    assert max(sizes.values()) <= 1.1 * min(sizes.values())


def test_the_report_has_every_orientation_and_a_verdict(result, demo):
    text = demo.report(result)
    for word in ("315°", "equivariant", "augmented", "95 % interval", "Quick run", "the very same paths"):
        assert word in text
    assert "Quick run" not in replace(demo, quick=False).report(result)


def test_pictures_are_pictures(result, demo):
    from PIL import Image

    with Image.open(demo.out / "orientation.png") as picture:
        assert picture.size[0] > 1000
    with Image.open(demo.out / "orientation.gif") as film:
        assert film.n_frames >= 5
    assert (demo.out / "orientation.gif").stat().st_size < 3e6


def test_what_is_there_is_found_again_and_what_was_changed_is_not(result, demo):
    def stamps():
        return {path: path.stat().st_mtime_ns for path in (demo.out / "rows").rglob("*.json")}

    before = stamps()
    again = replace(demo, pictures=False).run()
    assert stamps() == before
    assert again["rows"] == result["rows"]
    changed = replace(demo, pictures=False, seed=1).run()
    assert len(stamps()) == 2 * len(before)
    assert changed["rows"] != result["rows"]


def test_training_and_test_data_are_proved_apart_and_an_overlap_would_be_found(result, demo):
    store, scale = Store(demo.out), demo.questions()[0].scale_in(PUSHT)
    shared = disjoint(store, PUSHT, "slice", scale)["shared"]
    assert {"train/test transitions", "train/validation transitions"} <= set(shared)
    assert not any(shared.values())
    data = data_of(store, PUSHT, "slice", "train", scale)
    with pytest.raises(OverlapError):
        check_disjoint(train=data, test=data.select(slice(0, 5)))


def test_settings_are_chosen_on_validation_data_with_a_seed_that_no_model_has(result, demo):
    store = Store(demo.out)
    scale = replace(demo.questions()[0].scale_in(PUSHT), learning_rates=(1e-2, 1e-9))
    model = trained_model(store, PUSHT, ARMS["plain"], 0, scale)
    better = trained_model(store, PUSHT, ARMS["plain"], 0, replace(scale, learning_rates=(1e-2,)))
    for one, other in zip(model.parameters(), better.parameters(), strict=True):
        assert (one == other).all()
    assert len(list((demo.out / "models").glob("pusht-slice-mlp-1000003-*"))) == 2
    assert len(list((demo.out / "choices").iterdir())) == 1


def test_each_seed_has_a_part_of_its_own(result, demo):
    store = Store(demo.out)
    scale = replace(demo.questions()[0].scale_in(PUSHT), size=100, width=8)
    models = [trained_model(store, PUSHT, ARMS["plain"], seed, scale) for seed in (0, 1)]
    assert any((a != b).any() for a, b in zip(*(m.parameters() for m in models), strict=True))
    with pytest.raises(ArgumentError, match="transitions"):
        trained_model(store, PUSHT, ARMS["plain"], 900, scale)


@pytest.mark.parametrize("changes", [{"steps": 0}, {"half_width": 0.0}, {"half_width": 200.0}, {"tasks": -1}])
def test_settings_that_make_no_sense_are_refused(changes):
    with pytest.raises(ArgumentError):
        Demo(**changes).run()


def test_a_demo_that_is_none_is_refused():
    with pytest.raises(UnknownNameError, match="cloud"):
        Demo(env="clod").check()


def test_tasks_stay_in_the_slice_and_are_no_tasks_done_already():
    half_width = math.radians(30)
    tasks = draw_tasks(np.random.default_rng(0), 20, half_width)
    for task in tasks:
        block, goal = np.array(task.block), np.array(task.goal)
        assert max(abs(block[2]), abs(goal[2])) <= half_width
        assert geometry.coverage(block, goal) < 0.6
        assert geometry.distance_to_block(np.array(task.agent_pos), block) > geometry.AGENT_RADIUS
    assert draw_tasks(np.random.default_rng(0), 20, half_width) == tasks


def test_a_task_is_the_same_whoever_is_run_beside_it():
    """Episodes that end are dropped from the batch; the others must not notice."""
    tasks = draw_tasks(np.random.default_rng(1), 3, 0.5)
    done = replace(tasks[1], goal=tasks[1].block)  # solved at the first step
    model = WorldModel.for_env("equiworld/PushT-v0", hidden=(16,))
    policy = MPCPolicy(model, CEM(samples=16, iterations=1), dtype="float64")

    def orbit(*states):
        starts = [Start(0, {"state": state}) for state in states]
        return run_orbit(policy, PUSHT, starts, list(SE2().grid(2)), 6, {"walls": False})

    together, alone = orbit(tasks[0], done, tasks[2]), orbit(tasks[2])
    assert (together.steps()[:, 1] == 1).all()
    assert all(row[1]["success"] for row in together.ends())
    for here, there in zip(together.episodes, alone.episodes, strict=True):
        for one, other in zip(here[2], there[0], strict=True):
            np.testing.assert_allclose(
                one.observation["block_pos"], other.observation["block_pos"], rtol=0, atol=1e-9
            )


def test_predicting_no_motion_is_an_error_of_one_at_every_orientation(pusht_data):
    model = WorldModel.for_data(pusht_data, "mlp", hidden=(8,))
    model.predict = lambda z, action: z
    for g in SE2().grid(3):
        for errors in PUSHT.errors(model, pusht_data, g).values():
            assert errors.relative is None or errors.relative == pytest.approx(1.0, abs=1e-9)
    assert PUSHT.errors(model, pusht_data)["interior"].relative == pytest.approx(1.0, abs=1e-9)
    model.action_repeat += 1
    with pytest.raises(ArgumentError, match="action_repeat"):
        PUSHT.errors(model, pusht_data)
