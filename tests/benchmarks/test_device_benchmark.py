"""The question of devices, on a second device without a GPU."""

from __future__ import annotations

import numpy as np
import pytest
from second_device import SecondDevice

from equiworld.benchmarks.questions.device import Device
from equiworld.benchmarks.suite.question import Plan
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.rule import TASK, closed_loop, fresh_model, observations, turned_apart
from equiworld.errors import ArgumentError
from equiworld.planners import CEM, MPCPolicy

SMALL = {"envs": (1,), "decisions": 1, "seconds": 0.0, "elements": 1, "steps": 1}
PLANNER = CEM(samples=16, horizon=3, iterations=2)


def test_all_devices_are_timed_and_compared(tmp_path):
    question, store = Device(devices=("cpu", "meta"), **SMALL), Store(tmp_path)
    with SecondDevice():
        rows = [row for cell in question.cells(Plan()) for row in question.answer(cell, store)]
    assert [row["device"] for row in rows[:1]] == ["meta"]  # the CPU last
    for device in ("cpu", "meta"):
        here = [row for row in rows if row["device"] == device]
        parts = {part: [row for row in here if row["part"] == part] for part in ("decision", "rollout")}
        assert [row["arm"] for row in parts["decision"]] == ["CEM", "MPPI"]
        assert all(row["planning_ms"] > 0 for row in parts["decision"])
        assert all(row["per_second"] == pytest.approx(1e3 / row["median_ms"]) for row in parts["decision"])
        assert [row["largest_deviation"] for row in parts["rollout"]] == [0.0]
        agreement = [row for row in here if row["part"] == "agreement"]
        assert [row["arm"] for row in agreement] == ["CEM", "MPPI"]
        assert all(row["same_noise"] and row["most_apart_px"] == 0.0 for row in agreement)
        orbits = [row for row in here if row["part"] == "orbit"]
        assert {(row["arm"], row["dtype"]) for row in orbits} == {
            (arm, dtype) for arm in ("CEM", "MPPI") for dtype in ("float32", "float64")
        }
        assert all(row["path_px"] <= 1e-9 for row in orbits)
        assert all("reason" not in row for row in here)
    (axes,) = question.figure(rows).axes
    assert len(axes.get_legend_handles_labels()[1]) == 2 * 2


def test_a_device_that_is_not_here_is_refused():
    with pytest.raises(ArgumentError, match="device"):
        Device(devices=("cuda:9",), **SMALL).cells(Plan())


def test_large_rollouts_are_not_tried_on_the_cpu_and_compiled_ones_only_if_asked_for():
    def sizes(**settings):
        cells = Device(devices=("cpu",), envs=(1, 64, 4096), **settings).cells(Plan())
        return [(cell.arm, cell.point["envs"]) for cell in cells if cell.point["part"] == "rollout"]

    whole = [("rollout as it is", 1), ("rollout as it is", 64)]
    assert sizes() == whole
    assert sizes(compiled=True) == [*whole, ("rollout compiled", 64)]


def test_a_way_that_fails_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.compile", lambda call: 1 / 0)
    question = Device(devices=("cpu",), compiled=True, **SMALL)
    (cell,) = question.cells(Plan(arms=("rollout compiled",)))
    (row,) = question.answer(cell, Store(tmp_path))
    assert row["reason"].startswith("ZeroDivisionError")
    assert "median_ms" not in row


def test_rows_of_another_processor_are_measured_anew(monkeypatch):
    question = Device(devices=("cpu",), **SMALL)
    cell = question.cells(Plan())[0]
    before = question.inputs(cell)
    assert Device(devices=("cpu",), **SMALL | {"envs": (1, 8)}).inputs(cell) == before
    monkeypatch.setattr("equiworld.benchmarks.questions.device.processor_name", lambda: "another")
    assert question.inputs(cell) != before


def test_loops_without_the_door_come_apart():
    """So would those of a device that saw the world's axes."""
    model, seen = fresh_model(0), observations(4, 0)
    g = model.symmetry.group.sample(np.random.default_rng(0), 3, scale=100.0)
    found = turned_apart(MPCPolicy(model, PLANNER, task=TASK, door=False), seen, g, 2)
    assert found["path_px"] > 1.0
    found = turned_apart(MPCPolicy(model, PLANNER, task=TASK), seen, g, 2)
    assert found["path_px"] <= 1e-9


def test_the_world_moves():
    policy = MPCPolicy(fresh_model(0), PLANNER, task=TASK)
    actions, path = closed_loop(policy, observations(4, 0), 3)
    assert actions.shape == (3, 4, 2)
    assert np.abs(actions).max() > 1.0
    assert len(path) == 4
    assert all(
        (path[0][name] != path[-1][name]).any() for name in ("agent_pos", "block_pos", "block_heading")
    )
