"""Contenders: each is fed so that it solves what is easy, with what it was allowed, and the same way again."""

from __future__ import annotations

from importlib import metadata

import pytest
import torch
from torch import Tensor

from equiworld.benchmarks.contenders import (
    CONTENDERS,
    OURS,
    Budget,
    Contender,
    World,
    assemble,
    peer_versions,
)
from equiworld.benchmarks.contenders.ours import Ours
from equiworld.benchmarks.planner_timing import recording
from equiworld.planners.peers.stable_worldmodel import StableWorldmodel

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
    present, absent = assemble(world, budget, [name])
    assert not absent
    return present[name]


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
    contender, states = made(name, quadratic()), goals()
    first = contender.plan(states, seed=1)
    assert torch.equal(first, contender.plan(states, seed=1))
    assert not torch.equal(first, contender.plan(states, seed=2))


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
    present, absent = assemble(quadratic(), BUDGET, OURS)
    assert set(present) == set(OURS)
    assert not absent
    assert all(isinstance(contender, Ours) for contender in present.values())
    assert {contender.settings["cost_of_last"] for contender in present.values()} == {0.0}


def test_one_that_cannot_be_imported_is_said_to_be_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("built for another torch\nand more")

    monkeypatch.setattr(StableWorldmodel, "load", fail)
    present, absent = assemble(quadratic(), BUDGET, ["CEM", "stable-worldmodel CEM"])
    assert list(present) == ["CEM"]
    assert absent == [{"contender": "stable-worldmodel CEM", "absent": "OSError: built for another torch"}]


def test_versions_of_the_peers_leave_out_our_own() -> None:
    assert set(peer_versions()) == {"stable-worldmodel", "pytorch_mppi", "pytorch_icem", "torchrl"}
