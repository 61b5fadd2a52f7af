"""Contenders: each is fed so that it solves what is easy, with what it was allowed, and the same way again."""

from __future__ import annotations

import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import torch
from torch import Tensor

from equiworld.benchmarks.peers import (
    CONTENDERS,
    OURS,
    Budget,
    Contender,
    World,
    contender,
    notes,
    peer_versions,
    present,
    recording,
)
from equiworld.errors import ArgumentError
from equiworld.planners.peers.stable_worldmodel import StableWorldmodel
from equiworld.planners.peers.torchrl import TorchRL

BUDGET = Budget(samples=200, horizon=3, iterations=12)
every_contender = pytest.mark.parametrize("name", CONTENDERS)


def quadratic(size: int = 2) -> World:
    """The state is the last action and a goal, and the cost their squared distance: the best plan is the goal."""

    def dynamics(state: Tensor, action: Tensor) -> Tensor:
        return torch.cat((action, state[..., size:]), -1)

    def cost(states: Tensor, actions: Tensor) -> Tensor:
        return (states[..., :size] - states[..., size:]).square().sum(-1)

    return World("quadratic", 2 * size, size, dynamics, cost)


def goals(envs: int = 3, size: int = 2, dtype: torch.dtype = torch.float32) -> Tensor:
    """States whose goals are 1.5 away from the first plan."""
    generator = torch.Generator().manual_seed(0)
    goal = torch.nn.functional.normalize(torch.randn(envs, size, generator=generator), dim=-1) * 1.5
    return torch.cat((torch.zeros(envs, size), goal), -1).to(dtype)


def made(name: str, world: World, budget: Budget = BUDGET) -> Contender:
    """A contender; the test is skipped if its library is not installed, and fails if it is but does not work."""
    library = CONTENDERS[name].kind().library
    try:
        metadata.version(library)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{library} is not installed")
    present([name])
    return contender(name, world, budget)


@every_contender
@pytest.mark.parametrize("size", [2, 3])
def test_solves_an_easy_problem(name: str, size: int) -> None:
    world, states = quadratic(size), goals(size=size)
    plans = made(name, world).plan(states, seed=0)
    assert plans.shape == (3, 3, size)
    untouched = world.plan_cost(states, torch.zeros_like(plans))
    assert (world.plan_cost(states, plans) < 0.4 * untouched).all()


@every_contender
def test_the_same_seed_gives_the_same_plan_and_another_another(name: str) -> None:
    planner, states = made(name, quadratic()), goals()
    first = planner.plan(states, seed=1)
    assert torch.equal(first, planner.plan(states, seed=1))
    assert not torch.equal(first, planner.plan(states, seed=2))


@every_contender
def test_evaluates_what_the_budget_allows(name: str) -> None:
    watched, rows = recording(quadratic())
    made(name, watched).decide(goals(envs=2), seed=0)
    allowed = 2 * BUDGET.candidates * BUDGET.horizon
    assert allowed * 0.99 <= sum(rows) <= allowed


@every_contender
def test_plans_in_the_precision_of_the_state(name: str) -> None:
    world = quadratic()
    plans = made(name, world).plan(goals(dtype=torch.float64), seed=0)
    assert plans.dtype == torch.float64
    # Not numbers of single precision in disguise.
    assert not torch.equal(plans, plans.float().double())


@every_contender
def test_does_not_write_to_the_state(name: str) -> None:
    states = goals()
    before = states.clone()
    made(name, quadratic()).plan(states, seed=0)
    assert torch.equal(states, before)


def test_ours_are_all_of_the_registered_planners() -> None:
    found, absent = present(OURS)
    assert (found, absent) == (list(OURS), {})
    assert {contender(name, quadratic(), BUDGET).settings["cost_of_last"] for name in OURS} == {0.0}


def test_one_that_cannot_be_imported_is_refused_by_name_unless_that_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise OSError("built for another torch\nand more")

    monkeypatch.setattr(TorchRL, "load", fail)
    names = ["CEM", "torchrl CEM"]
    with pytest.raises(ArgumentError, match=r"built for another torch.*pip install torchrl==0\.14\.1"):
        present(names)
    found, absent = present(names, allow_absent=True)
    assert found == ["CEM"]
    assert absent["torchrl CEM"].startswith("absent: ")
    assert [row["arm"] for row in notes(absent)] == ["torchrl CEM"]


def test_another_version_than_that_adapted_to_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(peer_versions()) == {"stable-worldmodel", "pytorch_mppi", "pytorch_icem", "torchrl"}
    monkeypatch.setattr(metadata, "version", lambda name: "9.9")
    assert peer_versions()["torchrl"] == "9.9 in the place of 0.14.1"
    assert {row["note"] for row in notes({})} == set(peer_versions().values())


def test_peers_are_pinned_to_what_they_are_adapted_to() -> None:
    root = Path(__file__).parents[2]
    if not (root / "pyproject.toml").exists():
        pytest.skip("tests alone, without the repository")
    extra = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]["peers"]
    constraints = (root / "constraints.txt").read_text().replace("-", "_").splitlines()
    kinds = {entry.kind() for name, entry in CONTENDERS.items() if name not in OURS}
    pins = {f"{kind.library}=={kind.version}" for kind in kinds}
    assert set(extra) == pins
    assert {pin.replace("-", "_") for pin in pins} <= set(constraints)


def test_solvers_are_loaded_without_their_package_and_leave_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    made("stable-worldmodel CEM", quadratic())
    assert not [name for name in sys.modules if name.split(".")[0] == "stable_worldmodel"]
    path = list(sys.meta_path)
    again = {name: module for name, module in sys.modules.items() if "stable_worldmodel" not in name}
    monkeypatch.setattr(sys, "modules", again)  # as in a process that has not loaded them
    assert StableWorldmodel.load().CEMSolver is not None
    assert sys.meta_path == path


def test_solvers_of_another_version_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "0.2.0")
    with pytest.raises(ArgumentError, match=r"0\.2\.0 is installed.*pip install stable-worldmodel==0\.1\.1"):
        present(["stable-worldmodel CEM"])
