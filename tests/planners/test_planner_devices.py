"""Planners plan where the states are, from noise that is the same on every device."""

from __future__ import annotations

from dataclasses import replace

import planner_cases as cases
import pytest
import torch
from planner_cases import every_planner, every_world, made, posed
from second_device import ELSEWHERE, Elsewhere, SecondDevice, here

from equiworld.errors import ArgumentError
from equiworld.planners import Bound, Plan, Problem, plan
from equiworld.planners.problem import map_state
from equiworld.planners.search import Search
from equiworld.symmetry import Features


def there(problem: Problem) -> Problem:
    """The same problem on the second device."""

    def moved(state):
        return None if state is None else map_state(lambda part: part.to(ELSEWHERE), state)

    return replace(problem, state=moved(problem.state), goal=moved(problem.goal))


def assert_same(found: Plan, expected: Plan) -> None:
    for name in ("actions", "cost", "carried"):
        assert torch.equal(here(getattr(found, name)), getattr(expected, name)), name
    assert found.iterations == expected.iterations


class Proposals:
    """Actions towards the goal, made with torch."""

    random_numbers = 3

    def __call__(self, state, goal, uniform, horizon):
        way = (goal.points - state.points)[..., 0]
        return (way[:, None] * uniform[..., :1])[:, :, None].repeat(1, 1, horizon, 1)


@every_world
@every_planner
def test_a_plan_is_made_where_the_states_are(variant, world):
    problem, planner = posed(world), made(variant)
    expected = planner.plan(problem, cases.generators(6))
    with SecondDevice():
        assert_same(planner.plan(there(problem), cases.generators(6)), expected)


BOUNDS = [Bound(low=(-1.0, -0.5), high=(0.5, 1.0))], [Bound(low=-1.0, high=2.0)], []


@pytest.mark.parametrize("bounds", BOUNDS, ids=["intervals", "interval", "none"])
@every_planner
def test_with_bounds_proposals_and_where_absolute_targets_are_looked_for(variant, bounds):
    null = torch.tensor([0.2, -0.1], dtype=torch.float64)
    problem, planner = posed(bounds=bounds, null_action=null), made(variant, correlation=1.0, tolerance=1e-3)
    problem = replace(problem, propose=Proposals())
    expected = planner.plan(problem, cases.generators(6))
    with SecondDevice():
        assert_same(planner.plan(there(problem), cases.generators(6)), expected)


@every_planner
def test_for_some_of_many_from_warm_starts_wherever_they_are(variant):
    """A mask and warm starts may come from the CPU."""
    problem, planner = posed(), made(variant)
    start = torch.randn(6, 2, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    active = torch.arange(6) % 2 == 0
    expected = planner.plan(problem, cases.generators(6), start, active)
    with SecondDevice():
        for moved in (False, True):
            given = (start.to(ELSEWHERE), active.to(ELSEWHERE)) if moved else (start, active)
            found = planner.plan(there(problem), cases.generators(6), *given)
            for name in ("actions", "carried"):
                assert torch.equal(here(getattr(found, name)), getattr(expected, name))


@every_planner
def test_noise_goes_over_at_once_and_nothing_else_does(variant):
    """In each iteration, for all environments together; back goes what says whether a plan was found."""
    problem = posed(bounds=[cases.ball(cases.PLANE)])
    counts = []
    with SecondDevice() as device:
        far = there(problem)
        made(variant).plan(far, cases.generators(6))  # constants come along once
        for iterations in (3, 5):
            device.arrived = device.left = 0
            made(variant, iterations=iterations).plan(far, cases.generators(6))
            counts.append((device.arrived, device.left))
    draws = 1 if variant == "gradient" else 3
    assert counts[0] == (draws, 0)
    assert counts[1] == (1 if variant == "gradient" else 5, 0)


@every_planner
def test_noise_is_drawn_on_the_cpu(variant):
    problem = posed()
    shape = (4, 6, 2)
    near = Search(problem, made(variant), cases.generators(6), problem.blank(4)[:, None])
    numbers = near.drawn(shape, torch.Tensor.normal_)
    with SecondDevice():
        far = there(problem)
        search = Search(far, made(variant), cases.generators(6), far.blank(4)[:, None])
        found = search.drawn(shape, torch.Tensor.normal_)
        assert isinstance(found, Elsewhere)
        assert torch.equal(here(found), numbers)
    alone = torch.empty(shape, dtype=torch.float64).normal_(generator=cases.generators(6)[2])
    assert torch.equal(numbers[2], alone)


@every_planner
def test_bare_functions_are_planned_with_on_any_device(variant):
    goals = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    settings = {"action_size": 2, "planner": made(variant), "bound": 1.0}

    def cost(states, actions, goal):
        return (states - goal).square().sum(-1)

    def drift(x, a):
        return x + 0.5 * a

    expected = plan(drift, cost, torch.zeros(5, 2).double(), goal=goals, **settings)
    with SecondDevice():
        found = plan(
            drift, cost, torch.zeros(5, 2).double().to(ELSEWHERE), goal=goals.to(ELSEWHERE), **settings
        )
        assert_same(found, expected)


def test_a_goal_on_another_device_is_refused():
    start = torch.zeros(2)
    with SecondDevice():
        goal = start.to(ELSEWHERE)
        with pytest.raises(ArgumentError, match="goal: got numbers on meta"):
            plan(lambda x, a: x, lambda x, a, g: x.sum(-1), start, action_size=2, goal=goal)


def test_generators_of_another_device_are_refused():
    class OfADevice(torch.Generator):
        device = torch.device("cuda:1")

    problem = posed(envs=1)
    with pytest.raises(ArgumentError, match="generators: got some on cuda:1"):
        made("cem").plan(problem, [OfADevice()])


@every_planner
def test_a_cost_that_makes_tensors_on_the_cpu_is_caught(variant):
    problem = posed()

    def cost(trajectory, actions, goal):
        return problem.cost(trajectory, actions, goal) + torch.zeros(actions.shape[:-1]).double()

    with SecondDevice(), pytest.raises(RuntimeError, match="tensors of two devices"):
        made(variant).plan(replace(there(problem), cost=cost), cases.generators(6))


def test_dynamics_that_make_tensors_on_the_cpu_are_caught():
    problem = posed()

    def predict(z, action):
        found = problem.predict(z, action)
        return Features(found.scalars, found.vectors, found.points + torch.ones(2, 1).double())

    with SecondDevice(), pytest.raises(RuntimeError, match="tensors of two devices"):
        made("mppi").plan(replace(there(problem), predict=predict), cases.generators(6))
