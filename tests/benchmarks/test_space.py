"""The main job in space, in small: exact where it must be, not where it cannot, and a result that says how it came."""

import math

import numpy as np
import pytest
import torch

from equiworld.benchmarks import space
from equiworld.benchmarks.space_prediction import (
    keypoint_noise,
    ladder,
    latent_errors,
    random_elements,
    residual,
)
from equiworld.benchmarks.space_tasks import NEAR, make, play, record_path, seeds_in_slice, solved, summary
from equiworld.errors import ArgumentError, OverlapError
from equiworld.planners import CEM, MPCPolicy
from equiworld.results import read_json
from equiworld.training import check_disjoint

pytest.importorskip("mujoco")

SMALL = {
    "transitions": 300,
    "test_transitions": 40,
    "steps": 20,
    "encoder_steps": 10,
    "joint_steps": 2,
    "batch_size": 64,
    "width": 12,
    "turns": 3,
    "tasks": 2,
    "task_steps": 3,
    "elements": 2,
    "workers": 1,
    "progress": False,
    "pictures": False,
    "quick": True,
}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return space.SpaceConfig(out=tmp_path_factory.mktemp("space"), **SMALL)


@pytest.fixture(scope="module")
def result(config):
    return space.run(config)


def rows_of(result, kind):
    return [row for row in result["rows"] if row["kind"] == kind]


def test_the_result_is_written_with_all_that_made_it(result, config):
    read = read_json(config.out / "space.json")
    assert {"seed", "orbit_elements", "planner", "dtype", "success", "relative_error", "overlap"} <= set(
        read["config"]
    )
    assert len(read["config"]["orbit_elements"]) == 3
    assert len(rows_of(read, "orbit")) == 9
    assert {row["model"] for row in rows_of(read, "model")} == set(space.MODELS)
    assert not any(read["config"]["overlap"]["shared"].values())


def test_the_equivariant_model_is_the_same_at_every_orientation_and_the_others_are_not(result):
    errors = {name: [] for name in space.MODELS}
    for row in rows_of(result, "orbit") + rows_of(result, "ladder"):
        errors[row["model"]].append(row["relative_error"])
    for name, found in errors.items():
        spread = max(found) / min(found) - 1
        assert spread < 1e-9 if name == "equivariant" else spread > 1e-3, name
    residuals = {row["model"]: row["residual_m"] for row in rows_of(result, "model")}
    assert residuals["equivariant"] < 1e-12
    assert min(residuals["centred"], residuals["augmented"]) > 1e-4


def test_the_closed_loop_is_the_turned_copy(result):
    (row,) = rows_of(result, "certificate")
    assert row["passed"]
    assert row["deviation_m"] <= 1e-9
    assert row["motion_m"] > 1e-3  # something moved


def test_the_report_says_it_in_words(result):
    text = space.report(result)
    assert "tasks solved" in text
    assert "turned and shifted by 1 m" in text
    assert "Quick run" in text


def test_what_is_tested_on_is_not_what_was_trained_on(config):
    stages = config.stages
    train, test = stages.data("slice"), stages.data("slice test")
    assert train.observation["cloud"].shape[1] != test.observation["cloud"].shape[1]
    check_disjoint(train=train, test=test)
    g = random_elements(np.random.default_rng(0), 1)[0]
    with pytest.raises(OverlapError, match="episodes"):
        check_disjoint(test=test, turned=test.transform(g))


def test_elements_are_as_far_as_they_are_said_to_be():
    rng = np.random.default_rng(0)
    for g in random_elements(rng, 5, 1.0, 0.3):
        assert math.acos((np.trace(g.matrix) - 1) / 2) == pytest.approx(1.0)
        assert np.linalg.norm(g.translation) == pytest.approx(0.3)
    rungs = ladder(rng, 2)
    assert len(rungs["as it is"]) == 1
    assert all(np.array_equal(g.matrix, np.eye(3)) for g in rungs["shifted by 1 m"])


def test_the_measures_can_fail(config, result):
    """Negative controls: a model that is off is seen to be off, and by how much."""
    stages = config.stages
    model, data = stages.model("latent", "slice"), stages.data("slice test")
    elements = random_elements(np.random.default_rng(1), 2, None, 1.0)
    assert residual(model, data, elements, torch.float64) < 1e-12

    def biased(module, arguments, found):
        return type(found)(found.scalars, found.vectors, found.points + 1e-6)

    hook = model.encoder.register_forward_hook(biased)
    assert residual(model, data, elements, torch.float64) > 1e-7
    hook.remove()
    before = latent_errors(model, data)
    with torch.no_grad():
        for parameter in model.dynamics.parameters():
            parameter.mul_(3.0)
    assert latent_errors(model, data).relative > before.relative
    assert keypoint_noise(model, 16, 0, instants=2, clouds=4) > keypoint_noise(model, 1024, 0, 2, 4) > 0


def test_tasks_in_the_slice_start_and_end_in_it():
    half = math.radians(45.0)
    for seed in seeds_in_slice(4, half, 100, **NEAR):
        env = make(max_angle=half, **NEAR)
        _, info = env.reset(seed=seed)
        for name in ("body_rotation", "goal_rotation"):
            assert math.acos((np.trace(info[name].reshape(3, 3)) - 1) / 2) <= half + 1e-9


def test_episodes_run_to_their_end_and_are_judged_there(config):
    policy = MPCPolicy(
        config.stages.model("latent", "slice"), CEM(horizon=2, samples=8, iterations=1, elites=2)
    )
    ends = play(policy, NEAR, [3, 4, 9], steps=4)
    assert len(ends) == 3
    path = record_path(policy, NEAR, 3, 4)
    assert len(path) == 5
    assert not np.array_equal(path[0].observation["agent_pos"], path[4].observation["agent_pos"])
    assert not solved(path[4].info)
    assert solved({"mean_point_distance": 0.01, "angle": 0.1})
    row = summary(
        [{"mean_point_distance": 0.015, "angle": 0.1}, {"mean_point_distance": 0.005, "angle": 0.3}]
    )
    assert (row["success_count"], row["close_count"]) == (1, 0)


def test_settings_out_of_range_are_refused():
    for name, value in (("turns", 1), ("tasks", 0), ("half_width", 0.0), ("half_width", 181.0)):
        with pytest.raises(ArgumentError, match=name):
            space.SpaceConfig(**{name: value})
