"""What every planner keeps: plans that turn with the world, within bounds, each on its own, to the bit."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import planner_cases as cases
import pytest
import torch
from equiworld.planners import CEM, Bound, Planner
from equiworld.planners.frames import planning_frame
from equiworld.planners.spread import spread_of
from planner_cases import SIZES, every_planner, every_world, made, posed

from equiworld.errors import ArgumentError

ENVS = 40


def deviation(planner: Planner, world: str, dtype=torch.float64, warm=False, turned=True, **settings):
    """|plan(g·s, g·goal) − ρ(g)·plan(s, goal)| for 40 elements, relative to the plan: `(40,)`."""
    symmetry = cases.SYMMETRIES[world]
    z, goal = cases.states(symmetry, ENVS), cases.states(symmetry, ENVS, seed=1)
    g = symmetry.group.sample(np.random.default_rng(0), n=ENVS, scale=3.0)
    absolute, size = settings.get("absolute", False), settings.get("arrows", 1) * symmetry.dim
    start = None
    if warm:
        start = 0.3 * torch.randn(ENVS, planner.horizon, size, generator=cases.generators(1)[0]).to(z.dtype)
    plans = []
    for element in (None, g):
        here, there = (z, goal) if element is None else (z.transform(g), goal.transform(g))
        begin = start
        if start is not None and element is not None and turned:
            begin = cases.moved(start, g, absolute)
        posed = cases.problem(symmetry, here.to(dtype), there.to(dtype), frame=planner.frame, **settings)
        begin = None if begin is None else begin.to(dtype)
        plans.append(planner.plan(posed, cases.generators(ENVS), begin).actions.double())
    expected = cases.moved(plans[0], g, absolute)
    assert expected.isfinite().all()
    assert expected.std(0).min() > 0.01  # plans that never differ would prove nothing
    error = (plans[1] - expected).abs().amax((1, 2))
    return error / expected.square().mean((1, 2)).sqrt()


def assert_exact(error: torch.Tensor) -> None:
    assert error.median() <= 1e-12
    assert error.max() <= 1e-10


# ---------------------------------------------------------------------------- plans turn with the world


@pytest.mark.exact
@every_planner
@every_world
def test_plans_turn_with_the_world(variant, world):
    assert_exact(deviation(made(variant), world))


@pytest.mark.exact
@every_planner
@every_world
def test_plans_turn_with_the_world_in_float32(variant, world):
    assert deviation(made(variant), world, torch.float32).median() <= 1e-5


@pytest.mark.exact
@every_planner
@pytest.mark.parametrize("world", ["plane", "space"])
@pytest.mark.parametrize("settings", [{"absolute": True}, {"arrows": 2}, {"bound": Bound()}], ids=str)
def test_plans_of_points_of_several_vectors_and_without_bounds_do_too(variant, world, settings):
    assert_exact(deviation(made(variant), world, **settings))


@pytest.mark.exact
@every_planner
@pytest.mark.parametrize("world", ["plane", "space"])
def test_warm_starts_turn_along(variant, world):
    planner = made(variant, spread=0.1)
    assert_exact(deviation(planner, world, warm=True))
    # Negative control: a start that stays behind is noticed.
    assert deviation(planner, world, warm=True, turned=False).median() > 1e-2


@every_planner
@every_world
def test_noise_of_the_world_does_not_turn(variant, world):
    """Negative control: the stock sampler."""
    assert deviation(made(variant, frame=None), world).median() > 1e-2


@every_planner
@every_world
def test_a_box_does_not_turn(variant, world):
    """Negative control: componentwise bounds."""
    limit = torch.full((cases.SYMMETRIES[world].dim,), 0.3, dtype=torch.float64)
    error = deviation(made(variant, spread=3.0), world, bound=Bound(low=-limit, high=limit))
    assert error.median() > 1e-2


class PerAxis(CEM):
    """A spread for each axis of the world."""

    def update(self, search):
        mean = search.kept.mean(3, keepdim=True)
        search.scatter(mean, search.kept.std(3, keepdim=True) * search.axes)


class Cholesky(CEM):
    """Noise shaped by a Cholesky factor of each vector's covariance."""

    def update(self, search):
        mean = search.kept.mean(3, keepdim=True)
        covariance = spread_of(search, mean, "full")[:, :, 0]
        root = torch.linalg.cholesky(covariance + 1e-6 * torch.eye(search.problem.dim, dtype=mean.dtype))
        search.scatter(mean, root @ search.axes)


@pytest.mark.parametrize("broken", [PerAxis, Cholesky])
@every_world
def test_spreads_that_know_the_axes_of_the_world_do_not_turn(broken, world):
    """Negative control; the shapes of `CEM` are among the variants above."""
    assert deviation(broken(**SIZES), world).median() > 1e-2


# ------------------------------------------------------------------------------------------ the contract


@every_planner
@every_world
def test_shapes_dtype_and_cost_of_a_plan(variant, world):
    planner, problem = made(variant), posed(world)
    plan = planner.plan(problem, cases.generators(6))
    assert plan.actions.shape == (6, 4, problem.dim)
    assert plan.actions.dtype == torch.float64
    assert plan.cost.shape == plan.degeneracy.shape == (6,)
    assert torch.allclose(plan.cost, cases.cost_of(planner, problem, plan.actions), rtol=1e-12)


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
def test_plans_stay_within_the_box(variant):
    low, high = torch.tensor([-0.1, 0.2]).double(), torch.tensor([0.3, 0.9]).double()
    plan = made(variant, spread=5.0).plan(posed(bound=Bound(low=low, high=high)), cases.generators(6))
    assert ((plan.actions >= low) & (plan.actions <= high)).all()


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


@every_planner
def test_no_gradient_is_kept(variant):
    plan = made(variant).plan(posed(), cases.generators(6))
    assert not plan.actions.requires_grad


# ------------------------------------------------------------------------------------------------ frames


def test_frames_are_made_from_what_there_is():
    for symmetry in cases.SYMMETRIES.values():
        z = cases.states(symmetry, 5)
        g = symmetry.group.sample(np.random.default_rng(1), scale=3.0)
        frame, turned = (planning_frame("state", symmetry, state, state) for state in (z, z.transform(g)))
        expected = torch.as_tensor(g.matrix) @ frame.rotation
        assert torch.allclose(turned.rotation, expected, rtol=0, atol=1e-12)
        assert frame.origin.isfinite().all()
        if z.points.shape[-1]:
            assert torch.allclose(turned.origin, torch.as_tensor(g.act(frame.origin.numpy())), atol=1e-12)
        assert planning_frame(None, symmetry, z, z) is None
    lonely = replace(cases.ARROWS, observation={"speed": cases.ARROWS.observation["speed"]}, state=("speed",))
    with pytest.raises(ArgumentError, match=r"frame: got 'state'; .* 3 points or 2 vectors; options: None"):
        planning_frame("state", lonely, cases.states(lonely, 2), cases.states(lonely, 2))
