"""What every planner does with its budget, with numbers that are not finite, and with wrong arguments."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace

import planner_cases as cases
import pytest
import torch
from planner_cases import every_planner, made, posed

from equiworld.errors import ArgumentError, SimulationError
from equiworld.planners import CEM
from equiworld.planners.search import Search
from equiworld.symmetry import Features

ENVS = 40

# ------------------------------------------------------------------------------------------- better plans

TARGETS = torch.randn(ENVS, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
TARGETS *= 1.5 / TARGETS.norm(dim=-1, keepdim=True)  # within the bound of 2


@every_planner
def test_more_iterations_cost_less(variant):
    problem = cases.quadratic(ENVS, TARGETS)
    costs = [
        made(variant, iterations=count, samples=64, horizon=2)
        .plan(problem, cases.generators(ENVS))
        .cost.mean()
        for count in (1, 4, 16)
    ]
    assert costs[0] > costs[1] > costs[2]
    if variant != "random-shooting":  # which only draws more
        assert costs[2] < 0.3 * costs[0]


@every_planner
def test_an_iteration_never_makes_a_plan_worse(variant):
    """The same iterations, stopped after some of them."""
    problem, planner = cases.quadratic(ENVS, TARGETS), made(variant, iterations=8, horizon=2)
    seen = []

    class Spied(type(planner)):
        def update(self, search):
            seen.append(search.elite_cost[:, 0].clone())
            super().update(search)

    settings = {field.name: getattr(planner, field.name) for field in fields(planner)}
    seen.append(Spied(**settings).plan(problem, cases.generators(ENVS)).cost)
    assert len(seen) == 8
    for fewer, more in itertools.pairwise(seen):
        assert (more <= fewer + 1e-12).all()


@every_planner
def test_more_samples_cost_less(variant):
    problem = cases.quadratic(ENVS, TARGETS)
    costs = [
        made(variant, samples=count, horizon=2).plan(problem, cases.generators(ENVS)).cost.mean()
        for count in (16, 64, 512)
    ]
    assert costs[0] > costs[1] > costs[2]


@every_planner
def test_a_good_start_is_never_made_worse(variant):
    problem = cases.quadratic(ENVS, TARGETS)
    best = TARGETS[:, None].repeat(1, 4, 1)
    plan = made(variant).plan(problem, cases.generators(ENVS), best)
    assert torch.equal(plan.actions, best)
    assert plan.cost.max() <= 1e-20


# --------------------------------------------------------------------------------------------- not finite


def poisoned(problem, value: float, share: float = 0.5):
    """The problem, with `value` as the cost of plans whose first step goes too far."""
    clean = problem.cost

    def cost(trajectory, actions, goal):
        start = problem.state.points[:, None, :, 0]
        moved = (trajectory.points[0, ..., 0] - start).norm(dim=-1)
        return torch.where(moved > share, value, clean(trajectory, actions, goal))

    return replace(problem, cost=cost)


@every_planner
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_candidates_of_non_finite_cost_are_never_chosen(variant, value):
    problem, planner = posed(envs=20), made(variant, spread=0.6)
    clean = planner.plan(problem, cases.generators(20))
    plan = planner.plan(poisoned(problem, value), cases.generators(20))
    assert plan.cost.isfinite().all()
    assert torch.allclose(plan.cost, cases.cost_of(planner, problem, plan.actions), rtol=1e-12)
    following = problem.predict(problem.state, plan.actions[:, 0])
    assert ((following.points - problem.state.points)[..., 0].norm(dim=-1) <= 0.5).all()
    assert not torch.equal(plan.actions, clean.actions)  # some would have been chosen


@every_planner
def test_candidates_of_non_finite_cost_attract_nobody(variant):
    """Some good candidates among rejected ones far away: what follows stays near the good ones."""
    problem, planner = posed(envs=2, bounds=[]), made(variant)
    clean = problem.cost

    def cost(trajectory, actions, goal):
        far = actions.abs().amax((0, -1)) > 10
        return torch.where(far, torch.nan, clean(trajectory, actions, goal))

    search = Search(replace(problem, cost=cost), planner, cases.generators(2), problem.blank(4)[:, None])
    search.candidates[:] = 1e6
    search.candidates[:, :, 17] = 0.25
    search.evaluate()
    search.keep()
    assert torch.isfinite(search.cost).sum(1).tolist() == [1, 1]
    search.iteration = 1
    search.resize(planner.count(1))
    planner.update(search)
    near = search.candidates.abs().amax((0, 3)) < 10
    if not planner.differentiates:
        assert near.all()
    else:  # each goes its own way: those without a gradient stay where they are
        assert near[:, 17].all()


@every_planner
def test_predictions_that_are_not_finite_are_rejected_too(variant):
    problem, planner = posed(envs=20), made(variant)
    clean = problem.predict

    def predict(z, action):
        far = (action.norm(dim=-1) > 0.5)[..., None, None]
        following = clean(z, action)
        return Features(following.scalars, following.vectors, torch.where(far, torch.nan, following.points))

    plan = planner.plan(replace(problem, predict=predict), cases.generators(20))
    assert plan.cost.isfinite().all()
    assert (plan.actions.norm(dim=-1) <= 0.5).all()


@every_planner
def test_no_finite_candidate_at_all_is_told_with_the_environment(variant):
    problem, planner = posed(envs=4), made(variant)
    clean = problem.cost

    def cost(trajectory, actions, goal):
        found = clean(trajectory, actions, goal).clone()
        found[:, 2] = torch.nan
        return found

    with pytest.raises(SimulationError, match=r"every candidate of environment\(s\) \[2\]"):
        planner.plan(replace(problem, cost=cost), cases.generators(4))


# --------------------------------------------------------------------------------------------- arguments


@every_planner
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("horizon", 0),
        ("samples", 0),
        ("iterations", -1),
        ("spread", 0.0),
        ("spread", float("nan")),
        ("proposals", 1.5),
    ],
)
def test_settings_out_of_range_are_refused(variant, name, value):
    with pytest.raises(ArgumentError, match=f"{name}: got"):
        made(variant, **{name: value})


def test_cem_settings_out_of_range_are_refused():
    for settings in ({"elites": 0}, {"elites": 49, "samples": 48}, {"around": "best"}):
        with pytest.raises(ArgumentError, match=f"{next(iter(settings))}: got"):
            CEM(**settings)


@every_planner
def test_wrong_generators_starts_and_problems_are_refused(variant):
    planner, problem = made(variant), posed(envs=4)
    with pytest.raises(ArgumentError, match=r"generators: got 3; expected one for each of 4"):
        planner.plan(problem, cases.generators(3))
    with pytest.raises(ArgumentError, match=r"warm_start: got \(4, 3, 2\)"):
        planner.plan(problem, cases.generators(4), torch.zeros(4, 3, 2, dtype=torch.float64))
    with pytest.raises(ArgumentError, match=r"size: got 0"):
        replace(problem, size=0)
    with pytest.raises(ArgumentError, match=r"state: got batch shape \(\)"):
        replace(problem, state=problem.state[0])


@every_planner
@pytest.mark.parametrize("samples", [1, 2, 9])
def test_few_samples_are_enough_to_plan(variant, samples):
    own = {"elites": 1} if "cem" in variant else {}
    plan = made(variant, samples=samples, iterations=1, **own).plan(posed(), cases.generators(6))
    assert plan.actions.isfinite().all()
