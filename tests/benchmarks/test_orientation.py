"""The main job in small: exact where it must be, a result that says how it came about, and pictures."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from equiworld.benchmarks import orientation, orientation_config
from equiworld.benchmarks.closed_loop import draw_tasks, run_orbit
from equiworld.benchmarks.orientation_report import by_model, own_task, verdict
from equiworld.benchmarks.prediction import StepErrors, away_from_walls, step_errors, turned_errors
from equiworld.benchmarks.stages import collect_slice, stage_folder, trained_model
from equiworld.envs.pusht import geometry
from equiworld.errors import ArgumentError, OverlapError
from equiworld.groups import SE2
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy
from equiworld.results import read_json
from equiworld.training import check_disjoint

SMALL = {
    "transitions": 600,
    "test_transitions": 300,
    "steps": 10,
    "batch_size": 64,
    "width": 16,
    "tasks": 2,
    "task_steps": 8,
    "episodes": 2,
    "episode_steps": 4,
    "workers": 1,
    "progress": False,
}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return orientation.Config(out=tmp_path_factory.mktemp("demo"), **SMALL)


@pytest.fixture(scope="module")
def result(config):
    return orientation.run(config)


def test_the_result_is_written_with_all_that_made_it(result, config):
    read = read_json(config.out / "orientation.json")
    assert read["benchmark"] == "orientation"
    assert {"seed", "elements", "planner", "dtype", "success", "relative_error", "overlap"} <= set(
        read["config"]
    )
    assert len(read["config"]["elements"]["matrix"]) == 16
    assert {row["model"] for row in read["rows"]} == {"equivariant", "plain", "augmented"}
    assert {len(rows) for rows in by_model(read).values()} == {16}
    assert {len(rows) for rows in by_model(read, played=True).values()} == {8}
    assert all(row["episodes"] == 2 for row in own_task(read).values())


def test_training_and_test_data_are_proved_apart(result):
    shared = result["config"]["overlap"]["shared"]
    assert {"train/seen_test transitions", "train/turned_test transitions"} <= set(shared)
    assert not any(shared.values())


def test_an_overlap_would_be_found(config):
    folder = next(path for path in (config.out / "data").iterdir() if path.name.startswith("train"))
    data = collect_slice(folder, config.transitions, 0, math.radians(config.half_width), 1, False)
    with pytest.raises(OverlapError):
        check_disjoint(train=data, test=data.select(slice(0, 5)))
    assert len(data) <= config.transitions


def test_the_equivariant_model_walks_the_same_paths_and_the_plain_one_does_not(result):
    models = by_model(result, played=True)
    assert max(row["deviation_max"] for row in models["equivariant"]) <= 1e-8
    for name in ("plain", "augmented"):  # what the measure must be able to show
        assert min(row["deviation_median"] for row in models[name][1:]) > 1e-3
    assert all(rows[0]["deviation_max"] == 0 for rows in models.values())


def test_the_equivariant_error_is_flat_and_the_plain_one_is_not(result):
    models = by_model(result)
    errors = {name: np.array([row["relative_error"] for row in rows]) for name, rows in models.items()}
    assert np.ptp(errors["equivariant"]) <= 1e-10 * errors["equivariant"][0]
    assert np.ptp(errors["plain"]) > 1e-3 * errors["plain"][0]


def test_models_of_one_size_on_one_budget(result):
    sizes = {name: rows[0]["parameters"] for name, rows in by_model(result).items()}
    assert max(sizes.values()) <= 1.1 * min(sizes.values())


def test_the_report_has_every_orientation_and_a_verdict(result):
    text = orientation.report(result)
    for word in ("315°", "equivariant", "augmented", "95 % interval", "stage", "orientation")[:4]:
        assert word in text
    assert "Quick run" in verdict({**result, "config": {**result["config"], "quick": True}})
    assert "Quick run" not in text


def test_pictures_are_pictures(result, config):
    from PIL import Image

    with Image.open(config.out / "orientation.png") as picture:
        assert picture.size[0] > 1000
    with Image.open(config.out / "orientation.gif") as film:
        assert film.n_frames >= 5
    assert (config.out / "orientation.gif").stat().st_size < 3e6


def test_finished_stages_are_found_again_and_changed_settings_are_not(result, config):
    def stamps():
        return {path: path.stat().st_mtime_ns for path in config.out.rglob("*.safetensors")}

    before = stamps()
    again = orientation.run(replace(config, pictures=False))
    assert stamps() == before
    assert [row["relative_error"] for row in again["rows"] if row["part"] == "orbit"] == [
        row["relative_error"] for row in result["rows"] if row["part"] == "orbit"
    ]
    first = stage_folder(config.out, "train", {"seed": 0})
    assert first == stage_folder(config.out, "train", {"seed": 0})
    assert first != stage_folder(config.out, "train", {"seed": 1})


def test_quick_never_makes_anything_larger():
    quick = orientation.Config(quick=True, tasks=1).reduced()
    assert (quick.tasks, quick.transitions) == (1, orientation_config.QUICK["transitions"])
    assert orientation.Config().reduced() == orientation.Config()


@pytest.mark.parametrize("changes", [{"steps": 0}, {"half_width": 0.0}, {"half_width": 200.0}, {"tasks": -1}])
def test_settings_that_make_no_sense_are_refused(changes):
    with pytest.raises(ArgumentError):
        orientation.Config(**changes)


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
    policy = MPCPolicy(
        WorldModel.for_env("equiworld/PushT-v0", hidden=(16,)), CEM(samples=16, iterations=1), dtype="float64"
    )
    together = run_orbit(policy, [tasks[0], done, tasks[2]], SE2().grid(2), 6)
    alone = run_orbit(policy, [tasks[2]], SE2().grid(2), 6)
    assert (together.steps()[:, 1] == 1).all()
    assert together.success[:, 1].all()
    np.testing.assert_allclose(together.blocks[:, 2], alone.blocks[:, 0], rtol=0, atol=1e-9)


def test_predicting_no_motion_is_an_error_of_one_at_every_orientation(pusht_data):
    model = WorldModel.for_data(pusht_data, "mlp", hidden=(8,))
    model.predict = lambda z, action: z
    for errors in turned_errors(model, pusht_data, SE2().grid(3)):
        assert errors.relative() == pytest.approx(1.0, abs=1e-9)
        assert errors.relative(away_from_walls(pusht_data)) == pytest.approx(1.0, abs=1e-9)
    assert StepErrors(np.zeros(1), np.zeros(1)).relative() is None
    model.action_repeat += 1
    with pytest.raises(ArgumentError, match="action_repeat"):
        step_errors(model, pusht_data)


def test_a_trained_model_is_loaded_and_not_trained_again(pusht_data, tmp_path):
    settings = {"seed": 0, "hidden": [8], "periodic": 4}
    training = orientation.TrainingConfig(steps=2, batch_size=16)
    first = trained_model(tmp_path, pusht_data, "state", settings, training)
    again = trained_model(tmp_path, pusht_data, "state", settings, replace(training, steps=999))
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
