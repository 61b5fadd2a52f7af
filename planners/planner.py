"""The one planning algorithm that all sampling planners share; each adds its update rule."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from equiworld.planners.problem import Plan, Problem
from torch import Tensor

from equiworld.errors import ArgumentError, SimulationError
from equiworld.symmetry import Features

__all__ = ["Planner", "Population"]


@dataclass
class Population:
    """Candidates and what they cost. Non-finite costs have become +inf.

    Attributes:
        actions: `(B, S, H, size)`, in world axes, within bounds.
        cost: `(B, S)`.
    """

    actions: Tensor
    cost: Tensor

    def best(self, count: int) -> Population:
        """The `count` cheapest, cheapest first."""
        cost, index = torch.topk(self.cost, min(count, self.cost.shape[1]), dim=1, largest=False)
        return Population(_pick(self.actions, index), cost)

    def join(self, other: Population) -> Population:
        """Both, side by side."""
        return Population(torch.cat([self.actions, other.actions], 1), torch.cat([self.cost, other.cost], 1))


@dataclass(frozen=True)
class Planner(ABC):
    """Sample, roll out, compare, update: state in, plan out, all randomness from explicit generators.

    plan(g·s, g·goal) = ρ(g)·plan(s, goal) along the whole path, without the planner being told g, because noise is
    drawn in the problem's frame with a spread that is equal in all directions, bounds are radial, and the warm
    start is in world axes, where it turns with the world.

    Attributes:
        horizon: H, actions in a plan.
        samples: candidates in an iteration.
        iterations: rounds of sampling.
        frame: "state" for noise in the frame of the body, None for the stock sampler in world axes.
        spread: standard deviation of the first noise, as a share of the longest action.
        proposals: share of the first candidates that come from the problem's own proposals, if it has any.
        cost_of_last: weight of the last state's cost beside the mean over the horizon.
    """

    horizon: int = 6
    samples: int = 64
    iterations: int = 3
    frame: str | None = "state"
    spread: float = 0.3
    proposals: float = 0.75
    cost_of_last: float = 0.3

    def __post_init__(self) -> None:
        for name in ("horizon", "samples", "iterations"):
            if getattr(self, name) < 1:
                raise ArgumentError(name, getattr(self, name), "a positive integer")
        if self.frame not in (None, "state"):
            raise ArgumentError("frame", repr(self.frame), "a frame to draw noise in", ("'state'", None))
        if not (math.isfinite(self.spread) and self.spread > 0):
            raise ArgumentError("spread", self.spread, "a positive share of the longest action")
        if not 0 <= self.proposals <= 1:
            raise ArgumentError("proposals", self.proposals, "a share between 0 and 1")

    @abstractmethod
    def update(self, problem: Problem, population: Population, iteration: int, noise: Tensor) -> Tensor:
        """The next candidates `(B, S, H, size)` in world axes, before bounds.

        Args:
            problem: what is planned.
            population: all candidates worth keeping so far, cheapest first.
            iteration: 1 for the second round, and so on.
            noise: `(B, S, H, size)` standard normal in world axes, drawn in the frame.
        """

    def keep(self, population: Population) -> Population:
        """What of the population goes on to the next round, cheapest first."""
        return population.best(1)

    @torch.inference_mode()
    def plan(
        self, problem: Problem, generators: Sequence[torch.Generator], warm_start: Tensor | None = None
    ) -> Plan:
        """Plan for each of B environments.

        Args:
            problem: for B environments.
            generators: one for each environment, so that a plan does not depend on who else is planned for.
            warm_start: `(B, H, size)` in world axes; the problem's `rest` at every step if None.

        Raises:
            ArgumentError: wrong number of generators or shape of warm start.
            SimulationError: every candidate of some environment had a non-finite cost.
        """
        if len(generators) != problem.envs:
            raise ArgumentError("generators", len(generators), f"one for each of {problem.envs} environments")
        shape = (problem.envs, self.horizon, problem.size)
        if warm_start is None:
            warm_start = problem.blank(self.horizon)
        if warm_start.shape != shape:
            raise ArgumentError("warm_start", tuple(warm_start.shape), f"shape {shape}")
        candidates = self._first(problem, generators, warm_start)
        population = self.keep(self._evaluate(problem, candidates))
        for iteration in range(1, self.iterations):
            noise = self._noise(problem, generators, self.samples)
            candidates = self.update(problem, population, iteration, noise)
            population = self.keep(population.join(self._evaluate(problem, candidates)))
        best = population.best(1)
        if not torch.isfinite(best.cost).all():
            failed = torch.nonzero(~torch.isfinite(best.cost[:, 0]))[:, 0].tolist()
            raise SimulationError(
                f"planning: every candidate of environment(s) {failed} had a non-finite cost; "
                "is the observation far outside the training data, or the model untrained?"
            )
        return Plan(best.actions[:, 0], best.cost[:, 0], problem.frame.degeneracy)

    def _first(self, problem: Problem, generators: Sequence[torch.Generator], warm_start: Tensor) -> Tensor:
        """The warm start itself, candidates around it, and the problem's own proposals."""
        proposed = round(self.proposals * self.samples) if problem.propose is not None else 0
        around = max(self.samples - proposed - 1, 0)
        noise = self._noise(problem, generators, around)
        scale = self.spread * problem.bound.length(problem.dim)
        parts = [warm_start[:, None], warm_start[:, None] + scale * noise]
        if problem.propose is not None and proposed:
            uniform = torch.stack(
                [
                    torch.rand(
                        proposed, problem.propose.random_numbers, generator=generator, dtype=warm_start.dtype
                    )
                    for generator in generators
                ]
            )
            parts.append(problem.propose(problem.state, uniform, self.horizon))
        return torch.cat(parts, 1)

    def _noise(self, problem: Problem, generators: Sequence[torch.Generator], count: int) -> Tensor:
        dtype = problem.frame.origin.dtype
        drawn = [
            torch.randn(count, self.horizon, problem.size, generator=generator, dtype=dtype)
            for generator in generators
        ]
        return problem.to_world(torch.stack(drawn))

    def _evaluate(self, problem: Problem, candidates: Tensor) -> Population:
        actions = problem.bound.project(candidates, problem.dim)
        envs, samples = actions.shape[:2]
        state = problem.state[:, None].map(
            lambda tensor: tensor.expand(envs, samples, *tensor.shape[2:]).flatten(0, 1)
        )
        flat = actions.flatten(0, 1)
        states = []
        for step in range(self.horizon):
            state = problem.predict(state, flat[:, step])
            states.append(state)
        trajectory = Features.stack(states).map(lambda tensor: tensor.unflatten(1, (envs, samples)))
        each = problem.cost(trajectory)
        cost = each.mean(0) + self.cost_of_last * each[-1]
        return Population(actions, torch.where(torch.isfinite(cost), cost, torch.inf))


def _pick(tensor: Tensor, index: Tensor) -> Tensor:
    """The candidates `(B, S, …)` that an index `(B, K)` names: `(B, K, …)`."""
    return tensor[torch.arange(len(tensor))[:, None], index]
