"""The benchmark of devices, on a second device without a GPU."""

from __future__ import annotations

import numpy as np
import pytest
from second_device import SecondDevice

from equiworld.benchmarks.device import DeviceConfig, report, run
from equiworld.benchmarks.device_world import TASK, closed_loop, fresh_model, observations, turned_apart
from equiworld.errors import ArgumentError
from equiworld.planners import CEM, MPCPolicy

SMALL = {"envs": (1,), "decisions": 1, "seconds": 0.0, "elements": 1, "steps": 1}
PLANNER = CEM(samples=16, horizon=3, iterations=2)


def test_all_devices_are_timed_and_compared(tmp_path):
    with SecondDevice():
        result = run(DeviceConfig(out=tmp_path, devices=("cpu", "meta"), **SMALL))
    for device in ("cpu", "meta"):
        rows = [row for row in result["rows"] if row["device"] == device]
        assert {row["part"] for row in rows} == {"decision", "rollout", "agreement", "orbit"}
        agreement = [row for row in rows if row["part"] == "agreement"]
        assert all(row["same_noise"] and row["most_apart_px"] == 0.0 for row in agreement)
        assert all(row["path_px"] <= 1e-9 for row in rows if row["part"] == "orbit")
        assert all("reason" not in row for row in rows)
    assert (tmp_path / "device.json").exists()
    assert "per_second" in report(result)


def test_a_device_that_is_not_here_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match="device"):
        run(DeviceConfig(out=tmp_path, devices=("cuda:9",), **SMALL))


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
