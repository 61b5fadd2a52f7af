"""Planning with bare functions, for some of many, within a time, and until nothing improves."""

from __future__ import annotations

import numpy as np
import planner_cases as cases
import pytest
import torch
from planner_cases import every_planner, made, posed

from equiworld.errors import ArgumentError
from equiworld.planners import CEM, ICEM, Bound, RandomShooting, plan
from equiworld.symmetry import Features

GOAL = torch.tensor([0.6, -0.3], dtype=torch.float64)


def drift(x, a):
    return x + 0.5 * a


def away(states, actions):
    return (states - GOAL).square().sum(-1)


def from_zero(planner, **settings):
    start = torch.zeros(2, dtype=torch.float64)
    return plan(drift, away, start, action_size=2, planner=planner, bound=1.0, **settings)


# --------------------------------------------------------------------------------------- bare functions


@every_planner
def test_bare_functions_are_enough(variant):
    found = from_zero(made(variant, samples=128, iterations=6, horizon=3))
    assert found.actions.shape == (1, 3, 2)
    first = drift(torch.zeros(2).double(), found.actions[0, 0])
    assert away(first, None) < 0.3 * away(torch.zeros(2).double(), None)


def test_a_batch_with_goals_of_its_own():
    goals = torch.randn(5, 2, generator=torch.Generator().manual_seed(0)).double() * 0.3

    def cost(states, actions, goal):
        return (states - goal).square().sum(-1)

    planner = CEM(horizon=3, samples=200, iterations=8, around="mean")
    found = plan(
        drift, cost, torch.zeros(5, 2).double(), action_size=2, planner=planner, goal=goals, bound=1.0
    )
    reached = drift(drift(0.0, found.actions[:, 0]), found.actions[:, 1])
    assert (reached - goals).norm(dim=-1).max() < 0.1
    alone = plan(
        drift, cost, torch.zeros(2).double(), action_size=2, planner=planner, goal=goals[0], bound=1.0
    )
    assert torch.allclose(alone.actions[0], found.actions[0], rtol=0, atol=1e-9)


def test_an_action_may_have_any_size():
    weights = torch.randn(3, 7, generator=torch.Generator().manual_seed(0)).double()
    found = plan(
        lambda x, a: x + a @ weights.T,
        lambda states, actions: states.square().sum(-1) + 0.01 * actions.square().sum(-1),
        torch.ones(3).double(),
        action_size=7,
        planner=CEM(horizon=2, samples=256, iterations=8, around="mean"),
        bound=Bound(low=[-0.5] * 7, high=np.full(7, 0.5)),
    )
    assert found.actions.abs().max() <= 0.5
    assert found.cost < 1.5


def test_wrong_arguments_are_named():
    start = torch.zeros(2).double()
    with pytest.raises(ArgumentError, match="state: got NaN or infinity"):
        plan(drift, away, start * torch.nan, action_size=2)
    with pytest.raises(ArgumentError, match="bound: got -1"):
        plan(drift, away, start, action_size=2, bound=-1.0)
    with pytest.raises(ArgumentError, match="size: got 0"):
        plan(drift, away, start, action_size=0)
    with pytest.raises(ArgumentError, match=r"cost: got costs of shape .*one for each state"):
        plan(drift, lambda states, actions: states, start, action_size=2)
    with pytest.raises(ArgumentError, match="goal: got batch shape"):
        plan(drift, away, torch.zeros(3, 2).double(), action_size=2, goal=torch.zeros(2, 2).double())
    for wrong in (float("nan"), True, "much", [1.0]):
        with pytest.raises(ArgumentError, match="bound: got"):
            plan(drift, away, start, action_size=2, bound=wrong)
    for wrong in (1.5, True, None):
        with pytest.raises(ArgumentError, match="seed: got"):
            plan(drift, away, start, action_size=2, seed=wrong)
    same = [from_zero(CEM(), seed=seed).actions for seed in (3, np.int64(3), np.uint8(3))]
    assert torch.equal(same[0], same[1])
    assert torch.equal(same[0], same[2])


# --------------------------------------------------------------------------------------------- some of many


@every_planner
def test_who_is_not_active_is_not_planned_for(variant):
    problem, planner = posed(), made(variant)
    start = torch.full((6, 4, 2), 0.1, dtype=torch.float64)
    whole = planner.plan(problem, cases.generators(6), start)
    active = torch.tensor([True, False, True, True, False, True])
    rows = []
    clean = problem.predict

    def counting(z, action):
        rows.append(len(action))
        return clean(z, action)

    some = planner.plan(cases.replace(problem, predict=counting), cases.generators(6), start, active)
    assert torch.allclose(some.actions[active], whole.actions[active], rtol=0, atol=1e-12)
    assert torch.equal(some.actions[~active], start[~active])
    assert some.cost[~active].isnan().all()
    assert max(rows) <= 4 * planner.samples
    nobody = planner.plan(problem, cases.generators(6), start, torch.zeros(6, dtype=torch.bool))
    assert torch.equal(nobody.actions, start)
    assert nobody.iterations == 0
    with pytest.raises(ArgumentError, match=r"active: got torch\.float32 of shape"):
        planner.plan(problem, cases.generators(6), start, torch.ones(6))


@every_planner
@pytest.mark.parametrize("chunk", [7, 48, 100])
def test_chunks_do_not_change_the_plan(variant, chunk):
    problem = posed()
    whole = made(variant, chunk=10_000).plan(problem, cases.generators(6))
    parts = made(variant, chunk=chunk).plan(problem, cases.generators(6))
    assert torch.allclose(whole.actions, parts.actions, rtol=0, atol=1e-12)
    assert torch.allclose(whole.cost, parts.cost, rtol=1e-12)


# ------------------------------------------------------------------------------------------- when to stop


@every_planner
def test_it_stops_where_nothing_improves(variant):
    problem = posed()
    patient = made(variant, iterations=6).plan(problem, cases.generators(6))
    eager = made(variant, iterations=6, tolerance=0.5).plan(problem, cases.generators(6))
    assert patient.iterations == 6
    assert eager.iterations < 6
    # Who settles first keeps the plan it had, whoever else goes on.
    for env in range(6):
        alone = made(variant, iterations=6, tolerance=0.5).plan(
            problem.select(torch.tensor([env])), cases.generators(6)[env : env + 1]
        )
        assert torch.allclose(alone.actions[0], eager.actions[env], rtol=0, atol=1e-12)


@every_planner
def test_a_time_budget_ends_it(variant, monkeypatch):
    """By a clock that a prediction moves on by a millisecond."""
    problem, now = posed(), [0.0]
    monkeypatch.setattr("equiworld.planners.planner.time.perf_counter", lambda: now[0])
    clean = problem.predict

    def slow(z, action):
        now[0] += 1e-3
        return clean(z, action)

    slowed = cases.replace(problem, predict=slow)
    assert made(variant, iterations=1000, time_budget=0.010).plan(slowed, cases.generators(6)).iterations == 3
    assert made(variant, iterations=1000, time_budget=0.0).plan(slowed, cases.generators(6)).iterations == 1
    assert made(variant, iterations=2, time_budget=1.0).plan(slowed, cases.generators(6)).iterations == 2


# ------------------------------------------------------------------------------------- what is carried on


def test_icem_hands_its_elites_on():
    planner, problem = ICEM(**cases.SIZES, elites=10, keep=0.5), posed()
    first = planner.plan(problem, cases.generators(6))
    assert first.carried.shape == (6, 5, 4, 2)
    assert torch.equal(first.carried[:, 0], first.actions)
    again = planner.plan(problem, cases.generators(6, seed=1), first.carried)
    assert (again.cost <= first.cost + 1e-12).all()


def test_icem_draws_fewer_and_fewer():
    planner = ICEM(samples=100, elites=10, decay=1.5)
    assert [planner.count(iteration) for iteration in range(5)] == [100, 67, 44, 30, 20]


def test_several_warm_starts_are_all_tried():
    problem = cases.quadratic(3, torch.full((3, 2), 0.5).double())
    starts = torch.full((3, 4, 4, 2), 1.9).double()
    starts[:, 2] = 0.5
    found = CEM(**cases.SIZES).plan(problem, cases.generators(3), starts)
    assert torch.equal(found.actions, starts[:, 2])


# --------------------------------------------------------------------------------------- noise and numbers


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("horizon", [1, 2, 6, 25])
def test_coloured_noise_has_unit_variance_and_hangs_together(horizon, exponent):
    seen = []

    def cost(states, actions):
        seen.append(actions[:, 0, 1:])  # the first is the warm start
        return actions.square().sum(-1)

    planner = RandomShooting(
        horizon=horizon, samples=8001, iterations=1, spread=1.0, correlation=exponent, chunk=10_000
    )
    plan(drift, cost, torch.zeros(2).double(), action_size=2, planner=planner)
    noise = torch.cat(seen, 1).permute(0, 2, 1).flatten(1)
    covariance = noise @ noise.T / noise.shape[1]
    assert torch.allclose(covariance.diagonal(), torch.ones(horizon).double(), rtol=0, atol=0.05)
    if horizon > 2:
        following = covariance.diagonal(1)
        assert following.min() > 0.15 if exponent else following.abs().max() < 0.04


@every_planner
def test_bare_functions_plan_in_inference_mode(variant):
    outside = from_zero(made(variant))
    with torch.inference_mode():
        start = torch.zeros(2, dtype=torch.float64)
        inside = plan(drift, away, start, action_size=2, planner=made(variant), bound=1.0)
    assert torch.equal(outside.actions, inside.actions)
    assert not inside.actions.is_inference()


def test_a_trajectory_of_features_or_of_numbers_is_planned_alike():
    """One problem, posed in both ways."""
    symmetry = cases.ARROWS
    z, goal = cases.states(symmetry, 3), cases.states(symmetry, 3, seed=1)
    problem = cases.problem(symmetry, z, goal)
    kind = symmetry.feature_type()

    def flat(x, a):
        return problem.predict(Features.unflatten(x, kind), a).flatten()

    def cost(states, actions, goal):
        return problem.cost(Features.unflatten(states, kind), actions, Features.unflatten(goal, kind))

    one = CEM(**cases.SIZES).plan(problem, cases.generators(3))
    two = plan(
        flat,
        cost,
        z.flatten(),
        action_size=3,
        planner=CEM(**cases.SIZES),
        goal=goal.flatten(),
        bound=problem.bounds,
        generators=cases.generators(3),
    )
    assert torch.allclose(one.actions, two.actions, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", None),
        ("state", [0.0, 0.0]),
        ("state", torch.tensor(0.5)),
        ("state", torch.zeros(2, dtype=torch.long)),
        ("state", torch.zeros(2, 2, 2)),
        ("state", torch.zeros(0, 2)),
        ("state", torch.tensor([0.0, torch.nan])),
        ("goal", "east"),
        ("goal", torch.ones(3, 2)),
        ("action_size", 0),
        ("action_size", 10**400),
        ("planner", "CEM"),
        ("warm_start", np.zeros((2, 3, 2))),
        ("warm_start", torch.zeros(2, 3, 2)),
        ("active", [True, False]),
        ("active", torch.ones(2)),
        ("generators", 3),
        ("generators", [1, 2]),
        ("cost", 3.0),
        ("dynamics", None),
    ],
    ids=str,
)
def test_what_bare_planning_cannot_take_is_refused_by_name(name, value):
    good = {"dynamics": drift, "cost": away, "state": torch.zeros(2, 2).double(), "action_size": 2}
    with pytest.raises(ArgumentError, match=rf"^{name}: got "):
        plan(**{**good, "planner": CEM(horizon=3, samples=8, elites=2), name: value})


@pytest.mark.parametrize("name", ["horizon", "samples", "iterations", "elites", "spread", "proposals"])
def test_none_is_no_setting_where_there_is_a_default(name):
    with pytest.raises(ArgumentError, match=rf"^{name}: got None"):
        CEM(**{name: None})
    assert CEM(chunk=None, tolerance=None, time_budget=None) == CEM()
