"""Worlds that break their symmetry by a dose: their regions, their tasks, and who sees what breaks it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from equiworld.benchmarks import question
from equiworld.benchmarks.questions.breaking import ARMS, Breaking
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.question import Plan
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.broken import broken_pusht
from equiworld.envs.pusht import geometry
from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.groups import SE2, Dihedral
from equiworld.symmetry import is_kept, symmetry_of

TINY = Breaking(scale="small", transitions=300, steps=10, walls=(60.0,), gravity=(), tasks=1, task_steps=2)


def cell(arm: str, dose: float = 60.0) -> Cell:
    return Cell.at_point("breaking", "pusht", arm, 0, broken="walls", dose=dose)


def test_every_arm_has_every_dose_and_the_whole_world_only_where_that_says_something() -> None:
    cells = Breaking(walls=(0.0, 60.0), gravity=(9.81,)).cells(Plan(seeds=1))
    for world, doses in (("pusht", 2), ("cloudpush-pose", 1)):
        for arm in ARMS:
            own = [each for each in cells if (each.world, each.arm) == (world, arm)]
            whole = [each for each in own if each.point["broken"] == "nothing"]
            assert (len(own) - len(whole), len(whole)) == (
                doses,
                int(arm not in ("subgroup", "context", "cost")),
            )
    assert question("breaking") is Breaking
    with pytest.raises(UnknownNameError, match="steerable"):
        Breaking().cells(Plan(arms=("steerable",)))


def test_only_one_arm_sees_what_breaks_the_symmetry_and_all_have_the_same_transitions(tmp_path: Path) -> None:
    seen, bare = (TINY.world_at(cell(arm)) for arm in ("context", "ignore it"))
    assert "walls" in symmetry_of(seen.make()).observation
    assert "walls" not in symmetry_of(bare.make()).observation
    one, other = (world.collect("all", "test", 40, 3, 30.0, tmp_path / world.name) for world in (seen, bare))
    assert all(np.array_equal(one.observation[name], other.observation[name]) for name in other.observation)


def test_contexts_stand_where_the_simulator_has_them_and_keep_the_declared_subgroup() -> None:
    for inset in (0.0, 110.0):
        world = broken_pusht("walls", inset, observed=True)
        env = world.make()
        observation, _ = env.reset(seed=0)
        assert np.abs(observation["walls"] - 255.5).max() == 250.5 - inset
        assert world.kept == Dihedral(4)
        assert is_kept(world.kept, env.unwrapped.contexts, geometry.CENTRE)
    assert broken_pusht("nothing", 0.0).kept is None


def test_a_cost_that_knows_the_walls_is_that_of_the_subgroup_and_nothing_where_the_block_is_off_them() -> (
    None
):
    world = broken_pusht("walls", 60.0)
    symmetry = symmetry_of(world.make())
    with pytest.raises(ArgumentError, match="cost"):
        replace(world.guarded, group=None).check_invariance(symmetry, 40.0, 1)  # it names places
    world.guarded.check_invariance(world.guarded.symmetry_of(symmetry), 40.0, 1)
    observation, _ = world.make().reset(seed=0)
    both = {name: np.stack([array, array]) for name, array in observation.items()}
    both["block_pos"] = both["agent_pos"] = np.array([(255.5, 255.5), (100.0, 255.5)])
    z, goal = (symmetry.to_features(both, names, torch.float64) for names in (None, symmetry.goal))
    known, bare = (
        each.guarded.objective().bind(symmetry)(z, torch.zeros(2, 2), goal)
        for each in (world, broken_pusht("nothing", 0.0))
    )
    assert known[0] == bare[0]
    assert known[1] > bare[1] + 1.0


def test_regions_are_disjoint_and_together_everything(tmp_path: Path) -> None:
    world = broken_pusht("walls", 110.0)
    data = world.collect("all", "test", 300, 0, 30.0, tmp_path)
    regions = world.regions(data)
    assert (np.sum(list(regions.values()), 0) == 1).all()
    assert all(where.any() for where in regions.values())
    free, near = data.select(regions["free"]), data.select(regions["at a wall"] | regions["near walls"])
    assert np.allclose(free.observation["block_pos"], free.next_observation["block_pos"], atol=1e-6)
    assert np.abs(near.observation["block_pos"] - 255.5).max() > 40.0
    assert not broken_pusht("nothing", 0.0).regions(data)["near walls"].any()


@pytest.mark.parametrize("inset", [0.0, 60.0])
def test_tasks_begin_and_end_in_their_region(inset: float) -> None:
    tasks = broken_pusht("walls", inset).tasks(5, 0)
    for region, (low, high) in {"near walls": (1.0, 15.0), "interior": (60.0, np.inf)}.items():
        for start in tasks[region]:
            state = start.options["state"]
            for pose in (state.block, state.goal):
                assert low <= geometry.wall_gap(pose) - inset <= high
    again = broken_pusht("walls", inset, observed=True).tasks(5, 0)
    assert tasks == again  # all arms have the same
    assert list(broken_pusht("nothing", 0.0).tasks(1, 0)) == ["interior"]


def test_gravity_and_table_are_seen_in_space_and_their_regions_told_apart(tmp_path: Path) -> None:
    pytest.importorskip("mujoco")
    from equiworld.benchmarks.worlds.broken_space import broken_cloudpush

    world = broken_cloudpush(9.81, observed=True)
    env = world.make()
    observation, _ = env.reset(seed=0)
    assert observation["gravity"].tolist() == [0.0, 0.0, -9.81]
    assert world.kept == SE2(axis=(0.0, 0.0, 1.0))
    assert is_kept(world.kept, env.unwrapped.contexts)
    data = world.collect("all", "test", 60, 0, 45.0, tmp_path)
    regions = world.regions(data)
    assert (np.sum(list(regions.values()), 0) == 1).all()
    assert regions["on the table"].any()
    assert broken_cloudpush(0.0).kept is None


@pytest.mark.parametrize("arm", ["context", "subgroup", "cost", "soft"])
def test_a_row_a_region_from_a_tiny_model(arm: str, tmp_path: Path) -> None:
    rows = TINY.answer(cell(arm), Store(tmp_path))
    by_region = {row["region"]: row for row in rows}
    assert set(by_region) == {"at a wall", "near walls", "in contact", "free", "interior"}
    for region, row in by_region.items():
        assert (row.get("episodes") == 1) == (region in ("near walls", "interior"))
        assert (row.get("free_share") is not None) == (arm == "soft" and region != "interior")
        assert region == "interior" or row["error_rms"] > 0.0
    assert by_region["free"]["relative_error"] is None
    assert TINY.figure(rows) is not None


def test_what_cannot_be_broken_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="cloudpush"):
        Breaking().cells(Plan(worlds=("cloudpush",)))
    with pytest.raises(ArgumentError, match="tasks"):
        Breaking(tasks=-1)
