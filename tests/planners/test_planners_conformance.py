"""What every planner keeps: plans within bounds, each on its own, to the bit, whatever mode torch is in."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import planner_cases as cases
import pytest
import torch
from planner_cases import every_planner, every_world, made, posed

from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.planners import CEM, PLANNERS, Bound, Problem
from equiworld.planners.registry import planner_from_dict, planner_to_dict

# ------------------------------------------------------------------------------------------ the contract


@every_planner
@every_world
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_shapes_dtype_and_cost_of_a_plan(variant, world, dtype):
    symmetry = cases.SYMMETRIES[world]
    z, goal = cases.states(symmetry, 6, dtype), cases.states(symmetry, 6, dtype, seed=1)
    planner, problem = made(variant), cases.problem(symmetry, z, goal)
    plan = planner.plan(problem, cases.generators(6))
    assert plan.actions.shape == (6, 4, symmetry.dim)
    assert plan.actions.dtype == plan.carried.dtype == dtype
    assert plan.carried.shape == (6, planner.n_carried, 4, symmetry.dim)
    assert torch.equal(plan.carried[:, 0], plan.actions)
    assert plan.cost.shape == (6,)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    assert torch.allclose(plan.cost, cases.cost_of(planner, problem, plan.actions), rtol=tolerance)
    assert plan.degeneracy is plan.margin is None  # whose are policies'
    assert plan.actions.std(0).min() > 1e-3


@every_planner
@pytest.mark.parametrize("arrows", [1, 2])
def test_plans_stay_within_the_ball(variant, arrows):
    start = torch.full((6, 4, 2 * arrows), 50.0, dtype=torch.float64)
    for begin in (None, start):
        plan = made(variant, spread=5.0).plan(posed(arrows=arrows), cases.generators(6), begin)
        length = plan.actions.unflatten(-1, (-1, 2)).norm(dim=-1)
        assert length.max() <= cases.RADIUS * (1 + 1e-12)
        assert length.max() > 0.9 * cases.RADIUS


@every_planner
def test_balls_are_about_the_null_action(variant):
    null = torch.tensor([5.0, -3.0]).double()
    plan = made(variant, spread=5.0).plan(posed(null_action=null), cases.generators(6))
    length = (plan.actions - null).norm(dim=-1)
    assert length.max() <= cases.RADIUS * (1 + 1e-12)
    assert length.max() > 0.5 * cases.RADIUS
    # It is also where planning starts from.
    still = made(variant, samples=1, iterations=1, **({"elites": 1} if "cem" in variant else {}))
    assert torch.equal(still.plan(posed(null_action=null), cases.generators(6)).actions, null.expand(6, 4, 2))


@every_planner
@pytest.mark.parametrize(
    ("low", "high"),
    [
        ((-0.1, 0.2), (0.3, 0.9)),
        (-0.1, 0.3),
        ((0.0, 0.0), None),
        (None, -0.2),
        ((-np.inf, 0.1), (0.2, np.inf)),
    ],
)
def test_plans_stay_within_the_box_of_one_side_or_two(variant, low, high):
    plan = made(variant, spread=5.0).plan(posed(bounds=[Bound(low=low, high=high)]), cases.generators(6))
    inside = torch.ones(6, 4, 2, dtype=torch.bool)
    if low is not None:
        inside &= plan.actions >= torch.tensor(low, dtype=torch.float64)
    if high is not None:
        inside &= plan.actions <= torch.tensor(high, dtype=torch.float64)
    assert inside.all()
    assert plan.actions.isfinite().all()


def reached(target: torch.Tensor, bounds: list[Bound]) -> Problem:
    """Each number of an action is charged its distance to a target, in units of its bound."""
    state = torch.zeros(1, len(target), dtype=torch.float64)
    unit = Problem(state, lambda z, a: a, lambda *_: state, len(target), bounds).unit
    return Problem(
        state=state,
        predict=lambda z, a: a,
        cost=lambda states, actions, goal: ((states - target) / unit).square().sum(-1),
        size=len(target),
        bounds=bounds,
    )


MIXED = [
    Bound(radius=2.0, size=4, item=2),
    Bound(low=-0.01, high=0.01, size=1),
    Bound(low=(0.0, -1000.0), high=(50.0, 1000.0), size=2),
]


@every_planner
def test_each_part_of_an_action_has_its_own_bound(variant):
    target = torch.tensor([6.0, 0.0, 0.0, -6.0, 0.03, 100.0, -3000.0]).double()
    planner = made(variant, spread=1.0, iterations=8, samples=64, horizon=1)
    plan = planner.plan(reached(target, MIXED), cases.generators(1))
    arrows = plan.actions[..., :4].unflatten(-1, (2, 2)).norm(dim=-1)
    assert arrows.max() <= 2.0 * (1 + 1e-12)
    assert plan.actions[..., 4].abs().max() <= 0.01
    low, high = torch.tensor([0.0, -1000.0]), torch.tensor([50.0, 1000.0])
    assert ((plan.actions[..., 5:] >= low) & (plan.actions[..., 5:] <= high)).all()
    null = planner.plan(reached(target, MIXED), cases.generators(1), active=torch.tensor([False])).actions
    away = [
        ((one[0, 0] - target) / reached(target, MIXED).unit).square().sum() for one in (plan.actions, null)
    ]
    assert away[0] < 0.8 * away[1]


@every_planner
def test_numbers_of_very_different_size_are_planned_alike(variant):
    """A range of ±1000 and one of ±0.1: noise is in units of each."""
    bounds = [Bound(low=-1000.0, high=1000.0, size=1), Bound(low=-0.1, high=0.1, size=1)]
    target = torch.tensor([500.0, 0.05]).double()
    settings = {"iterations": 12, "samples": 128, "horizon": 1}
    if variant == "random-shooting":
        settings |= {"iterations": 1, "samples": 2000}
    plan = made(variant, **settings).plan(reached(target, bounds), cases.generators(1))
    apart = (plan.actions[0, 0] - target).abs() / torch.tensor([1000.0, 0.1])
    assert apart.max() < 0.15


def test_bounds_that_do_not_make_up_an_action_are_refused():
    with pytest.raises(ArgumentError, match="bounds: got"):
        posed(bounds=[Bound(radius=1.0, size=3)])
    with pytest.raises(ArgumentError, match="bounds: got"):
        posed(bounds=[Bound(radius=1.0), Bound(radius=1.0)])
    with pytest.raises(ArgumentError, match=r"bound\.low: got 3 numbers"):
        posed(bounds=[Bound(low=(0.0, 0.0, 0.0))])
    with pytest.raises(ArgumentError, match=r"bound\.item: got 2"):
        Problem(torch.zeros(1, 3), lambda z, a: z, lambda *_: None, 3, [Bound(radius=1.0, item=2)])
    for wrong in (
        {"radius": 0.0},
        {"radius": np.nan},
        {"low": 1.0, "high": 0.0},
        {"size": 0},
        {"low": [[1.0]]},
    ):
        with pytest.raises(ArgumentError, match="bound"):
            Bound(**wrong)


@every_planner
@every_world
def test_a_plan_does_not_depend_on_who_else_is_planned_for(variant, world):
    symmetry, planner = cases.SYMMETRIES[world], made(variant)
    z, goal = cases.states(symmetry, 6), cases.states(symmetry, 6, seed=1)
    together = planner.plan(cases.problem(symmetry, z, goal), cases.generators(6))
    for env in (0, 3, 5):
        one = slice(env, env + 1)
        alone = planner.plan(cases.problem(symmetry, z[one], goal[one]), cases.generators(6)[one])
        assert torch.allclose(alone.actions[0], together.actions[env], rtol=0, atol=1e-12)
        assert torch.allclose(alone.cost[0], together.cost[env], rtol=1e-12)
    backwards = torch.arange(5, -1, -1)
    turned_round = planner.plan(
        cases.problem(symmetry, z[backwards], goal[backwards]), cases.generators(6)[::-1]
    )
    assert torch.allclose(turned_round.actions[backwards], together.actions, rtol=0, atol=1e-12)


@every_planner
def test_one_seed_means_one_plan_to_the_last_bit_and_nothing_else_is_touched(variant):
    planner, problem = made(variant), posed()
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    start = torch.zeros(6, 4, 2, dtype=torch.float64)
    state = problem.state.flatten().clone()
    one, same, other = (planner.plan(problem, cases.generators(6, seed), start) for seed in (1, 1, 2))
    assert torch.equal(one.actions, same.actions)
    assert torch.equal(one.cost, same.cost)
    assert not torch.equal(one.actions, other.actions)
    assert start.eq(0).all()
    assert torch.equal(problem.state.flatten(), state)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    assert before[2] == random.getstate()


# ------------------------------------------------------------------------------------------- torch's modes

MODES = {
    "as it is": torch.enable_grad,
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
}


@every_planner
@pytest.mark.parametrize("mode", MODES)
def test_plans_are_ordinary_tensors_in_any_mode(variant, mode):
    """They may be used in a loss, and written to; and the mode is as it was."""
    planner, plain = made(variant), made(variant).plan(posed(), cases.generators(6))
    with MODES[mode]():
        before = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        plan = planner.plan(posed(), cases.generators(6))
        assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == before
    assert torch.equal(plan.actions, plain.actions)
    for part in (plan.actions, plan.cost, plan.carried):
        assert not part.requires_grad
        assert not part.is_inference()
        part.add_(0.0)
    weight = torch.ones(2, dtype=torch.float64, requires_grad=True)
    (plan.actions * weight).square().sum().backward()
    assert weight.grad.isfinite().all()


@every_planner
def test_gradients_of_a_model_are_left_alone(variant):
    weight = torch.ones((), dtype=torch.float64, requires_grad=True)
    problem = posed()
    clean = problem.predict
    planned = made(variant).plan(
        replace(problem, predict=lambda z, a: clean(z, a * weight)), cases.generators(6)
    )
    assert weight.grad is None
    assert not planned.actions.requires_grad


@every_planner
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16], ids=str)
def test_the_default_dtype_changes_nothing(variant, dtype):
    plain = made(variant).plan(posed(), cases.generators(6))
    torch.set_default_dtype(dtype)
    try:
        plan = made(variant).plan(posed(), cases.generators(6))
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(plan.actions, plain.actions)
    assert torch.equal(plan.cost, plain.cost)


# ------------------------------------------------------------------------------------- costs of any dtype


@every_planner
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("kind", [torch.bool, torch.long, torch.half, torch.float32, torch.float64], ids=str)
def test_costs_of_any_real_dtype_are_numbers(variant, dtype, kind):
    z, goal = (cases.states(cases.PLANE, 3, dtype, seed=seed) for seed in (0, 1))
    problem, planner = cases.problem(cases.PLANE, z, goal), made(variant)
    clean, differentiable = problem.cost, kind.is_floating_point

    def cost(trajectory, actions, goal):
        found = clean(trajectory, actions, goal)
        return (found > 2.0 if kind == torch.bool else 10 * found).to(kind)

    if planner.differentiates and not differentiable:
        with pytest.raises(ArgumentError, match="cost"):
            planner.plan(replace(problem, cost=cost), cases.generators(3))
        return
    plan = planner.plan(replace(problem, cost=cost), cases.generators(3))
    assert plan.actions.dtype == plan.cost.dtype == dtype
    assert plan.cost.isfinite().all()
    if kind in (torch.float32, torch.float64):
        expected = 10 * cases.cost_of(planner, problem, plan.actions)
        assert torch.allclose(plan.cost, expected, rtol=1e-4)


@every_planner
@pytest.mark.parametrize("wrong", [lambda cost: cost + 1j, lambda cost: cost.tolist(), lambda cost: None])
def test_costs_that_are_no_real_numbers_are_refused(variant, wrong):
    problem = posed()
    clean = problem.cost
    broken = replace(problem, cost=lambda *given: wrong(clean(*given)))
    with pytest.raises(ArgumentError, match=r"cost: got .*expected a tensor of real numbers"):
        made(variant).plan(broken, cases.generators(6))


# ---------------------------------------------------------------------------------------------- settings


@every_planner
def test_numbers_of_numpy_are_numbers_and_bool_is_none(variant):
    plain = made(variant)
    numpys = made(
        variant,
        horizon=np.int64(4),
        samples=np.int32(48),
        iterations=np.int64(3),
        spread=np.float32(0.5),
        proposals=np.float64(0.75),
        chunk=np.int64(100),
    )
    assert numpys == replace(plain, spread=0.5, chunk=100)
    assert type(numpys.samples) is int
    assert type(numpys.spread) is float
    assert planner_from_dict(planner_to_dict(numpys)) == numpys
    for name in ("horizon", "samples", "iterations", "chunk", "spread"):
        with pytest.raises(ArgumentError, match=f"{name}: got True"):
            made(variant, **{name: True})
    with pytest.raises(ArgumentError, match=r"samples: got 3\.0"):
        made(variant, samples=3.0)


@pytest.mark.parametrize("name", PLANNERS)
def test_planners_are_saved_by_name_and_settings(name):
    planner = PLANNERS[name](samples=33, spread=0.2)
    data = planner_to_dict(planner)
    assert data["name"] == name
    assert planner_from_dict(data) == planner
    with pytest.raises(ArgumentError, match=r"'wings'.*settings of"):
        planner_from_dict(data | {"wings": 2})
    with pytest.raises(ArgumentError, match="samples: got 0"):
        planner_from_dict(data | {"samples": 0})


@pytest.mark.parametrize(
    ("setting", "instead"), [("frame", "door"), ("symmetrise_above", "degenerate"), ("shape", "one number")]
)
def test_settings_that_are_no_more_are_refused_with_what_replaces_them(setting, instead):
    with pytest.raises(
        ArgumentError, match=rf"planner\.{setting}: got .*no such setting any more.*{instead}"
    ):
        planner_from_dict(planner_to_dict(CEM()) | {setting: "state"})


def test_planners_that_nobody_registered_are_refused():
    class Mine(CEM):
        pass

    with pytest.raises(ArgumentError, match="planner: got Mine"):
        planner_to_dict(Mine())
    with pytest.raises(UnknownNameError, match="planner"):
        planner_from_dict({"name": "dreams"})
