"""Planning with bare functions: no world model, no environment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from equiworld.arguments import instance, integer, number
from equiworld.errors import ArgumentError
from equiworld.planners.cem import CEM
from equiworld.planners.planner import Planner
from equiworld.planners.problem import Bound, Plan, Problem, State, batch_of, map_state, parts_of_state
from equiworld.symmetry import Features

__all__ = ["plan", "seeded_generators"]


def plan(
    dynamics: Callable[[Any, Tensor], Any],
    cost: Callable[..., Tensor],
    state: State,
    *,
    action_size: int,
    planner: Planner | None = None,
    bound: Bound | Sequence[Bound] | float | None = None,
    goal: State | None = None,
    warm_start: Tensor | None = None,
    active: Tensor | None = None,
    seed: int = 0,
    generators: Sequence[torch.Generator] | None = None,
) -> Plan:
    """Plan for one state or for B of them, with any dynamics and cost.

    Args:
        dynamics: x′ = dynamics(x, a), of N states and actions at a time: `(N, n)` and `(N, size)` to `(N, n)`, or
            Features in and out.
        cost: cost(states, actions) → `(H, B, S)`, of whole trajectories: states `(H, B, S, n)` and actions
            `(H, B, S, size)`. With a goal, cost(states, actions, goal) with the goal as `(1, B, 1, …)`. The planner
            adds up the mean over H and a share of the last.
        state: `(n,)` or `(B, n)`, or Features of batch shape `()` or `(B,)`; planned for on its device.
        action_size: numbers in an action.
        planner: `CEM()` if None.
        bound: of the actions, or of their parts one after another; a number is the radius of a ball.
        goal: `(n,)` or `(B, n)`, or Features likewise.
        warm_start: `(B, H, size)` or `(B, W, H, size)`; zeros if None.
        active: `(B,)` bool, who is planned for.
        seed: of the noise, with the number of the environment.
        generators: one for each of B, instead of a seed.

    Returns:
        The plan, for B = 1 too with a leading axis.

    Raises:
        ArgumentError: shapes that do not fit, or a state that is not finite.
        SimulationError: every candidate had a non-finite cost.

    >>> import torch
    >>> start, goal = torch.zeros(2), torch.tensor([1.0, 2.0])
    >>> found = plan(
    ...     lambda x, a: x + a,
    ...     lambda states, actions: (states - goal).square().sum(-1),
    ...     start, action_size=2, bound=1.0, planner=CEM(horizon=3, samples=128, iterations=10, around="mean"),
    ... )
    >>> bool((found.actions[0].sum(0) - goal).norm() < 0.1)
    True
    """
    for name, function in (("dynamics", dynamics), ("cost", cost)):
        if not callable(function):
            raise ArgumentError(name, f"a {type(function).__name__}", "a function")
    _check_state("state", state)
    if goal is not None:
        _check_state("goal", goal)
        if goal.device != state.device:
            raise ArgumentError("goal", f"numbers on {goal.device}", f"on {state.device}, as the state")
    planner = CEM() if planner is None else planner
    instance("planner", planner, Planner)
    with torch.inference_mode(False):
        state = map_state(torch.clone, state)  # what was made in inference mode cannot be differentiated
        if not len(batch_of(state)):
            state = map_state(lambda part: part[None], state)
            goal = goal if goal is None or len(batch_of(goal)) else map_state(lambda part: part[None], goal)
        seed = integer("seed", seed)
        if generators is None:
            generators = seeded_generators(seed, range(batch_of(state)[0]))

        def charged(states: Any, actions: Tensor, goal: Any) -> Tensor:
            return cost(states, actions) if goal is None else cost(states, actions, goal)

        problem = Problem(
            state=state,
            predict=dynamics,
            cost=charged,
            size=integer("action_size", action_size, least=1, most=10**6),
            bounds=_bounds(bound),
            goal=goal,
        )
        return planner.plan(problem, generators, warm_start, active)


def _check_state(name: str, state: Any) -> None:
    """Refuse what are no finite floating numbers of one state or of some."""
    if not isinstance(state, Tensor | Features):
        raise ArgumentError(name, f"a {type(state).__name__}", "a tensor (n,) or (B, n), or Features")
    for part in parts_of_state(state):
        if not part.is_floating_point() or part.is_sparse or not part.ndim:
            got = f"{part.dtype} of shape {tuple(part.shape)}, {part.layout}"
            raise ArgumentError(name, got, "floating numbers (n,) or (B, n)")
        if not bool(part.isfinite().all()):
            raise ArgumentError(name, "NaN or infinity", "finite numbers")
    if len(batch_of(state)) > 1 or 0 in batch_of(state):
        raise ArgumentError(name, f"batch shape {tuple(batch_of(state))}", "() or (B,), B at least 1")


def _bounds(bound: Any) -> Sequence[Bound]:
    if bound is None:
        return ()
    if isinstance(bound, Bound):
        return (bound,)
    if isinstance(bound, Sequence) and all(isinstance(each, Bound) for each in bound):
        return bound
    return (Bound(radius=number("bound", bound, above=0.0)),)


def seeded_generators(seed: int, counters: Sequence[int]) -> list[torch.Generator]:
    """One generator for each environment, made from a seed and a number of its own."""
    # An odd multiplier keeps different (seed, counter) pairs apart.
    return [
        torch.Generator().manual_seed((seed * 0x9E3779B97F4A7C15 + counter) % 2**63) for counter in counters
    ]
