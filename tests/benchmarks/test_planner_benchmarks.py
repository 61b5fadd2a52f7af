"""What the benchmarks of planners measure with: worlds that are symmetric, residuals that can fail, clocks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from equiworld.benchmarks.contenders import OURS, Budget
from equiworld.benchmarks.contenders.ours import Ours
from equiworld.benchmarks.door import DoorConfig
from equiworld.benchmarks.door import run as run_door
from equiworld.benchmarks.door_declarations import tried
from equiworld.benchmarks.planner_quality import PlannerQualityConfig, quality_rows
from equiworld.benchmarks.planner_quality import run as run_quality
from equiworld.benchmarks.planner_speed import PlannerSpeedConfig
from equiworld.benchmarks.planner_timing import bare, exponent, recording, resident_mb
from equiworld.benchmarks.planner_worlds import (
    network_world,
    point_mass,
    point_mass_states,
    unicycle,
    unicycle_states,
)
from equiworld.groups import E2, E3

DOUBLE = {"dtype": torch.float64}
SMALL = Budget(samples=24, horizon=4, iterations=2)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def turned(states: torch.Tensor, dim: int, matrix: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Point mass states `(N, n)` in the world moved by N elements: rotations `(N, d, d)` and shifts `(N, d)`."""
    vectors = states.unflatten(-1, (-1, dim))
    moved = torch.einsum("nij,nkj->nki", matrix, vectors)
    is_point = torch.ones(vectors.shape[1], 1, dtype=states.dtype)
    is_point[1] = 0.0  # the velocity
    return (moved + is_point * shift[:, None]).flatten(1)


@pytest.mark.parametrize("dim", [2, 3])
def test_the_point_mass_commutes_with_the_whole_group(dim):
    world, count = point_mass(dim), 12
    states = point_mass_states(dim, count, generator(), **DOUBLE)
    actions = torch.randn(count, dim, generator=generator(1), **DOUBLE)
    g = {2: E2, 3: E3}[dim]().sample(np.random.default_rng(0), count, scale=5.0)
    matrix, shift = torch.as_tensor(g.matrix), torch.as_tensor(g.translation)
    after = world.dynamics(states, actions)
    moved_actions = (matrix @ actions[..., None])[..., 0]
    moved = world.dynamics(turned(states, dim, matrix, shift), moved_actions)
    torch.testing.assert_close(moved, turned(after, dim, matrix, shift), rtol=0, atol=1e-13)
    torch.testing.assert_close(world.cost(moved, moved_actions), world.cost(after, actions))
    assert (after - states).abs().max() > 0.1


@pytest.mark.parametrize(
    ("world", "states"),
    [
        (point_mass(2), point_mass_states(2, 5, generator())),
        (point_mass(3), point_mass_states(3, 5, generator())),
        (unicycle(), unicycle_states(5, generator())),
        (network_world(0), torch.randn(5, 16)),
    ],
)
def test_a_plan_costs_the_sum_over_its_states(world, states):
    plans = torch.randn(5, 4, world.action_size, generator=generator(2))
    assert states.shape == (5, world.state_size)
    found, expected = world.plan_cost(states, plans), torch.zeros(5)
    for action in plans.unbind(1):
        states = world.dynamics(states, action)
        expected += world.cost(states, action)
    torch.testing.assert_close(found, expected)


@pytest.mark.exact
def test_the_door_in_small(tmp_path):
    """Every part runs, is exact, and tells what is inexact by design."""
    result = run_door(DoorConfig(out=tmp_path, quick=True, workers=1, progress=False))
    rows = {
        part: [row for row in result["rows"] if row["part"] == part]
        for part in ("loop", "bits", "declaration")
    }
    by_design = [row for row in rows["loop"] if "," in row["planner"]]
    assert {row["planner"].partition(", ")[2] for row in by_design} == {
        "no door",
        "other seed at g = identity",
    }
    assert all(row["deviation"] > 1.0 for row in by_design)
    exact = [row for row in rows["loop"] if row not in by_design]
    assert {row["family"] for row in exact} == {"state", "mlp", "latent"}
    assert all(row["deviation"] <= 1e-9 < row["moved"] for row in exact)
    assert all(row["different"] == 0 for row in rows["bits"])
    assert all(not row["silent"] for row in rows["declaration"])


@pytest.mark.exact
@pytest.mark.parametrize("seed", range(100, 130))
def test_no_declaration_is_silently_inexact(seed):
    verdict = tried(seed)
    assert not verdict.silent
    assert verdict.refused is not None or {*verdict.exact, *verdict.flagged}


def test_bare_evaluations_are_those_recorded():
    world, rows = recording(network_world(0))
    Ours(world, SMALL, "cem").decide(torch.randn(2, 16), 0)
    asked = list(rows)
    assert sum(asked) == 2 * SMALL.candidates * SMALL.horizon
    rows.clear()
    bare(world, asked)(0)
    assert rows == asked


def test_exponents_are_those_of_powers():
    assert exponent([1, 2, 4], [3, 12, 48]) == pytest.approx(2.0)


def test_memory_that_is_held_is_seen():
    before = resident_mb()
    held = torch.ones(50_000_000)  # so much that memory let go of before cannot hold it
    assert 150 < resident_mb() - before < 250
    assert len(held) == 50_000_000


def test_quality_in_small(tmp_path):
    result = run_quality(PlannerQualityConfig(out=tmp_path, quick=True))
    assert (tmp_path / "planner-quality.png").stat().st_size > 10_000
    rows = [row for row in result["rows"] if "absent" not in row]
    assert {row["contender"] for row in rows} == set(OURS)
    assert all(row["low"] <= row["mean_cost"] <= row["high"] for row in rows)
    assert {row["world"] for row in rows} == {"point mass, 2D", "unicycle"}


@pytest.mark.parametrize(("above", "met"), [(-0.5, True), (0.0, True), (0.5, False)])
def test_quality_says_how_far_ours_are_from_the_best_peer(above, met):
    """Tasks differ by far more than planners do: only paired differences tell these apart."""
    tasks = np.random.default_rng(0).normal(10.0, 5.0, (40, 1))
    noise = np.random.default_rng(1).normal(0.0, 0.1, (3, 40, 2))
    noise -= noise.mean((1, 2), keepdims=True)
    costs = {"good peer": tasks + noise[0], "bad peer": tasks + 3.0, OURS[0]: tasks + above + noise[1]}
    costs[OURS[1]] = costs[OURS[0]] + 1.0
    rows = {row["contender"]: row for row in quality_rows(PlannerQualityConfig(), "toy", 32, costs)}
    best, other = rows[OURS[0]], rows[OURS[1]]
    assert best["best_peer"] == "good peer"
    assert best["above_best_peer"] == pytest.approx(above, abs=1e-9)
    assert best["above_low"] < best["above_best_peer"] < best["above_high"] < best["above_low"] + 0.2
    assert best["high"] - best["low"] > 1.0
    assert best["met"] is met
    assert other["above_best_peer"] == pytest.approx(above + 1.0, abs=1e-9)
    assert "met" not in other
    assert not any("above_best_peer" in rows[name] for name in ("good peer", "bad peer"))


@pytest.mark.parametrize("config", [PlannerSpeedConfig(), DoorConfig(), PlannerQualityConfig()])
def test_reduced_only_if_asked_for(config):
    assert config.reduced() is config
