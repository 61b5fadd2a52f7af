"""The one planning algorithm that all planners share; each adds its update rule."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from equiworld.arguments import instance
from equiworld.errors import ArgumentError, SimulationError
from equiworld.planners.problem import Plan, Problem
from equiworld.planners.search import Search
from equiworld.settings import settle_integers, settle_numbers

__all__ = ["Planner"]


@dataclass(frozen=True)
class Planner(ABC):
    """Propose, roll out, compare, update: state in, plan out, all randomness from explicit generators.

    A planner sees numbers and bounds. That plans turn with the world is the policy's business, which hands it the
    problem in its frame; see `MPCPolicy`.

    Attributes:
        horizon: H, actions in a plan.
        samples: candidates in an iteration.
        iterations: rounds of candidates, at most.
        spread: standard deviation of the first noise, in units of each part's bound: radius, or half an interval.
        correlation: temporal correlation of the noise: its power spectrum is ∝ 1/f^correlation; 0 is white.
        proposals: share of the first candidates that come from the problem's own proposals, if it has any.
        cost_of_last: weight of the last state's cost beside the mean over the horizon.
        tolerance: stop where an iteration improves the best cost by no more than this share of it; None for never.
        time_budget: seconds after which no further iteration begins; None for no limit. How many fit depends on the
            machine, and so does the plan.
        chunk: candidates rolled out at a time, about what the processor's caches hold; if None 1024 for each of torch's
            threads, and 262,144 on other devices.
    """

    horizon: int = 6
    samples: int = 128
    iterations: int = 3
    spread: float = 0.3
    correlation: float = 0.0
    proposals: float = 0.75
    cost_of_last: float = 0.3
    tolerance: float | None = None
    time_budget: float | None = None
    chunk: int | None = None

    differentiates: ClassVar[bool] = False
    """Whether `update` reads `search.gradient`."""

    def __post_init__(self) -> None:
        settle_integers(self, "horizon", "samples", "iterations", "chunk", least=1)
        settle_numbers(self, "spread", above=0.0)
        settle_numbers(self, "correlation", "cost_of_last", "tolerance", "time_budget", least=0.0)
        settle_numbers(self, "proposals", least=0.0, most=1.0)

    @abstractmethod
    def update(self, search: Search) -> None:
        """Write the next candidates to `search.candidates`; bounds are seen to afterwards.

        Args:
            search: the last candidates with their costs, the best so far, and noise to draw. `search.iteration` is
                1 for the second round, and so on.
        """

    @property
    def n_elites(self) -> int:
        """How many of the best candidates are kept from one iteration to the next."""
        return 1

    @property
    def n_carried(self) -> int:
        """How many of those the next decision starts from."""
        return 1

    def shrunk(self, last: float, iteration: int) -> float:
        """The spread of an iteration: that of the first falls, by one factor each time, to the share `last` of it.

        Whatever the number of iterations, the last one draws as narrowly.
        """
        return self.spread * last ** (iteration / max(self.iterations - 1, 1))

    def correlated(self, iteration: int) -> float:
        """Temporal correlation of an iteration's noise."""
        return self.correlation

    def count(self, iteration: int) -> int:
        """Candidates in an iteration, at most `samples`."""
        return self.samples

    def plan(
        self,
        problem: Problem,
        generators: Sequence[torch.Generator],
        warm_start: Tensor | None = None,
        active: Tensor | None = None,
    ) -> Plan:
        """Plan for each of B environments.

        Args:
            problem: for B environments.
            generators: one for each environment, so that a plan does not depend on who else is planned for. They are
                the CPU's: the noise is drawn there and then moved, so that it is the same on every device.
            warm_start: `(B, H, size)`, or several for each `(B, W, H, size)`; the problem's null action at every
                step if None.
            active: `(B,)` bool, who is planned for; the others get their warm start back at a cost of NaN.

        Returns:
            The plan, of ordinary tensors, whatever mode torch is in.

        Raises:
            ArgumentError: wrong number of generators or shape of warm start.
            SimulationError: every candidate of some environment had a non-finite cost.
        """
        with torch.inference_mode(False), torch.no_grad():
            start = self._start(problem, generators, warm_start)
            if active is None:
                return self._plan(problem, generators, start)
            instance("active", active, Tensor)
            if active.dtype != torch.bool or active.shape != (problem.envs,) or active.is_sparse:
                got = f"{active.dtype} of shape {tuple(active.shape)}"
                raise ArgumentError("active", got, f"bool of shape ({problem.envs},)")
            which = torch.nonzero(active.to(start.device))[:, 0]
            first = start[:, :1]
            whole = Plan(
                actions=first[:, 0].clone(),
                cost=start.new_full((problem.envs,), torch.nan),
                carried=first.repeat(1, self.n_carried, 1, 1),
                iterations=0,
            )
            if not len(which):
                return whole
            part = self._plan(problem.select(which), [generators[i] for i in which.tolist()], start[which])
            for name in ("actions", "cost", "carried"):
                getattr(whole, name)[which] = getattr(part, name)
            return replace(whole, iterations=part.iterations)

    def _start(
        self, problem: Problem, generators: Sequence[torch.Generator], warm_start: Tensor | None
    ) -> Tensor:
        """The sequences to start from, `(B, W, H, size)`."""
        if not isinstance(generators, Sequence) or not all(
            isinstance(each, torch.Generator) for each in generators
        ):
            raise ArgumentError("generators", f"a {type(generators).__name__}", "a list of torch.Generator")
        if len(generators) != problem.envs:
            raise ArgumentError("generators", len(generators), f"one for each of {problem.envs} environments")
        if elsewhere := {str(each.device) for each in generators} - {"cpu"}:
            raise ArgumentError(
                "generators", f"some on {min(elsewhere)}", "generators on the CPU, for any device"
            )
        shape = (problem.envs, self.horizon, problem.size)
        if warm_start is not None:
            instance("warm_start", warm_start, Tensor)
            if warm_start.dtype != problem.like.dtype or warm_start.is_sparse:
                got = f"{warm_start.dtype}, {warm_start.layout}"
                raise ArgumentError("warm_start", got, f"{problem.like.dtype}, as the states")
        start = problem.blank(self.horizon) if warm_start is None else warm_start
        several = (start if start.ndim == 4 else start[:, None]).to(problem.like.device)
        if several.ndim != 4 or (len(several), *several.shape[2:]) != shape or not several.shape[1]:
            expected = f"shape {shape}, or {(shape[0], 'W', *shape[1:])} for several"
            raise ArgumentError("warm_start", tuple(start.shape), expected)
        return several

    def _plan(self, problem: Problem, generators: Sequence[torch.Generator], start: Tensor) -> Plan:
        began = time.perf_counter()
        # What an inference leaves behind cannot be differentiated later: planners by gradient do without it.
        with torch.inference_mode(not self.differentiates):
            search = Search(problem, self, generators, start)
            search.resize(self.count(0))
            self._begin(search)
            search.evaluate()
            search.keep()
            stopped = start.new_zeros(problem.envs, dtype=torch.bool)
            while search.iteration + 1 < self.iterations:
                if self.time_budget is not None and time.perf_counter() - began > self.time_budget:
                    break
                search.iteration += 1
                search.resize(self.count(search.iteration))
                self.update(search)
                search.evaluate()
                if self.tolerance is None:
                    search.keep()
                elif self._settled(search, stopped):
                    break
        cost = search.elite_cost[:, 0].clone()
        if not torch.isfinite(cost).all():
            failed = torch.nonzero(~torch.isfinite(cost))[:, 0].tolist()
            raise SimulationError(
                f"planning: every candidate of environment(s) {failed} had a non-finite cost; "
                "is the observation far outside the training data, or the model untrained?"
            )
        carried = search.elites[:, :, : self.n_carried].permute(1, 2, 0, 3).clone()
        return Plan(carried[:, 0], cost, carried, search.iteration + 1)

    def _begin(self, search: Search) -> None:
        """The warm starts themselves, candidates around the first, and the problem's own proposals."""
        problem, start, count = search.problem, search.start, search.count
        warm = min(start.shape[2], count)
        proposed = round(self.proposals * count) if problem.propose is not None else 0
        proposed = min(proposed, count - warm)
        rest = count - proposed
        search.candidates[:, :, :warm] = start[:, :, :warm]
        if rest > warm:
            search.scatter(start[:, :, :1], self.spread * search.unit, warm, rest)
        if problem.propose is not None and proposed:
            shape = (proposed, problem.propose.random_numbers)
            uniform = search.drawn(shape, torch.Tensor.uniform_)
            made = problem.propose(problem.state, problem.goal, uniform, self.horizon)
            search.candidates[:, :, rest:] = made.permute(2, 0, 1, 3)

    def _settled(self, search: Search, stopped: Tensor) -> bool:
        """Keep the best, except of environments that have settled before; whether all have by now."""
        search.cost[stopped] = torch.inf
        before = search.elite_cost[:, 0].clone()
        search.keep()
        improved = before - search.elite_cost[:, 0] > float(self.tolerance or 0.0) * before.abs()
        stopped |= ~improved & torch.isfinite(before)
        return bool(stopped.all())
