"""The one planning algorithm that all planners share; each adds its update rule."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from equiworld.planners.frames import FRAMES
from equiworld.planners.problem import Plan, Problem
from equiworld.planners.search import Search
from torch import Tensor

from equiworld.errors import ArgumentError, SimulationError

__all__ = ["Planner"]


@dataclass(frozen=True)
class Planner(ABC):
    """Propose, roll out, compare, update: state in, plan out, all randomness from explicit generators.

    plan(g·s, g·goal) = ρ(g)·plan(s, goal) along the whole path, without the planner being told g, because noise is
    drawn in the problem's frame or with a spread that is equal in all directions, bounds are radial, and the warm
    start is in world axes, where it turns with the world.

    Attributes:
        horizon: H, actions in a plan.
        samples: candidates in an iteration.
        iterations: rounds of candidates, at most.
        frame: "state" for noise in the frame of the body, "goal" for one along the way to the goal, "vectors" for one
            of learned vectors, None for the stock sampler in world axes.
        spread: standard deviation of the first noise, as a share of the longest action.
        correlation: how noise hangs together over the horizon: exponent of its power spectrum; 0 is white.
        proposals: share of the first candidates that come from the problem's own proposals, if it has any.
        cost_of_last: weight of the last state's cost beside the mean over the horizon.
        symmetrise_above: degeneracy of a frame from which on the noise is symmetrised over a finite group instead;
            the plan then turns with the rotations of that group alone.
        tolerance: stop where an iteration improves the best cost by no more than this share of it; None for never.
        time_budget: seconds after which no further iteration begins; None for no limit. How many fit depends on the
            machine, and so does the plan.
        chunk: candidates rolled out at a time, about what the processor's caches hold; 1024 for each of torch's threads
            if None.
    """

    horizon: int = 6
    samples: int = 128
    iterations: int = 3
    frame: str | None = "state"
    spread: float = 0.3
    correlation: float = 0.0
    proposals: float = 0.75
    cost_of_last: float = 0.3
    symmetrise_above: float = 0.99
    tolerance: float | None = None
    time_budget: float | None = None
    chunk: int | None = None

    differentiates: ClassVar[bool] = False
    """Whether `update` reads `search.gradient`."""

    def __post_init__(self) -> None:
        for name in ("horizon", "samples", "iterations", "chunk"):
            value = getattr(self, name)
            if not (isinstance(value, int) and value >= 1) and not (name == "chunk" and value is None):
                raise ArgumentError(name, value, "a positive integer")
        if self.frame is not None and self.frame not in FRAMES:
            raise ArgumentError("frame", repr(self.frame), "a frame to draw noise in", (*FRAMES, None))
        if not (math.isfinite(self.spread) and self.spread > 0):
            raise ArgumentError("spread", self.spread, "a positive share of the longest action")
        for name in ("correlation", "cost_of_last", "tolerance", "time_budget"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ArgumentError(name, value, "a finite number of at least 0")
        for name in ("proposals", "symmetrise_above"):
            if not 0 <= getattr(self, name) <= 1:
                raise ArgumentError(name, getattr(self, name), "a number between 0 and 1")

    @abstractmethod
    def update(self, search: Search) -> None:
        """Write the next candidates to `search.candidates`, in world axes; bounds are seen to afterwards.

        Args:
            search: the last candidates with their costs, the best so far, and noise to draw. `search.iteration` is
                1 for the second round, and so on.
        """

    @property
    def kept(self) -> int:
        """How many of the best candidates are kept from one iteration to the next."""
        return 1

    @property
    def carried(self) -> int:
        """How many of those the next decision starts from."""
        return 1

    def shrunk(self, last: float, iteration: int) -> float:
        """The spread of an iteration: that of the first falls, by one factor each time, to the share `last` of it.

        Whatever the number of iterations, the last one draws as narrowly.
        """
        return self.spread * last ** (iteration / max(self.iterations - 1, 1))

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
            generators: one for each environment, so that a plan does not depend on who else is planned for.
            warm_start: `(B, H, size)`, or several for each `(B, W, H, size)`, in world axes; the problem's `rest`
                at every step if None.
            active: `(B,)` bool, who is planned for; the others get their warm start back at a cost of NaN.

        Raises:
            ArgumentError: wrong number of generators or shape of warm start.
            SimulationError: every candidate of some environment had a non-finite cost.
        """
        start = self._start(problem, generators, warm_start)
        if active is None:
            return self._plan(problem, generators, start)
        if active.dtype != torch.bool or active.shape != (problem.envs,):
            got = f"{active.dtype} of shape {tuple(active.shape)}"
            raise ArgumentError("active", got, f"bool of shape ({problem.envs},)")
        which = torch.nonzero(active)[:, 0]
        first = start[:, :1]
        whole = Plan(
            actions=first[:, 0].clone(),
            cost=start.new_full((problem.envs,), torch.nan),
            degeneracy=problem.degeneracy.clone(),
            carried=first.repeat(1, self.carried, 1, 1),
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
        if len(generators) != problem.envs:
            raise ArgumentError("generators", len(generators), f"one for each of {problem.envs} environments")
        shape = (problem.envs, self.horizon, problem.size)
        start = problem.blank(self.horizon) if warm_start is None else warm_start
        several = start if start.ndim == 4 else start[:, None]
        if several.ndim != 4 or (len(several), *several.shape[2:]) != shape or not several.shape[1]:
            expected = f"shape {shape}, or {(shape[0], 'W', *shape[1:])} for several"
            raise ArgumentError("warm_start", tuple(start.shape), expected)
        return several

    def _plan(self, problem: Problem, generators: Sequence[torch.Generator], start: Tensor) -> Plan:
        began = time.perf_counter()
        # What an inference leaves behind cannot be differentiated later: planners by gradient do without it.
        with torch.no_grad() if self.differentiates else torch.inference_mode():
            search = Search(problem, self, generators, start)
            search.resize(self.count(0))
            self._begin(search)
            search.evaluate()
            search.keep()
            stopped = torch.zeros(problem.envs, dtype=torch.bool)
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
            return self._found(search)

    def _begin(self, search: Search) -> None:
        """The warm starts themselves, candidates around the first, and the problem's own proposals."""
        problem, start, count = search.problem, search.start, search.count
        warm = min(start.shape[3], count)
        proposed = round(self.proposals * count) if problem.propose is not None else 0
        proposed = min(proposed, count - warm)
        rest = count - proposed
        search.candidates[..., :warm] = start[..., :warm]
        if rest > warm:
            search.scatter(start[..., :1], self.spread * search.length, first=warm, count=rest - warm)
        if problem.propose is not None and proposed:
            shape = (proposed, problem.propose.random_numbers)
            uniform = torch.stack(
                [torch.rand(shape, generator=each, dtype=problem.like.dtype) for each in search.generators]
            )
            made = problem.propose(problem.state, problem.goal, uniform, self.horizon)
            search.candidates[..., rest:] = made.permute(2, 0, 3, 1)

    def _settled(self, search: Search, stopped: Tensor) -> bool:
        """Keep the best, except of environments that have settled before; whether all have by now."""
        search.cost[stopped] = torch.inf
        before = search.kept_cost[:, 0].clone()
        search.keep()
        improved = before - search.kept_cost[:, 0] > float(self.tolerance or 0.0) * before.abs()
        stopped |= ~improved & torch.isfinite(before)
        return bool(stopped.all())

    def _found(self, search: Search) -> Plan:
        cost = search.kept_cost[:, 0].clone()
        if not torch.isfinite(cost).all():
            failed = torch.nonzero(~torch.isfinite(cost))[:, 0].tolist()
            raise SimulationError(
                f"planning: every candidate of environment(s) {failed} had a non-finite cost; "
                "is the observation far outside the training data, or the model untrained?"
            )
        carried = search.kept[..., : self.carried].permute(1, 3, 0, 2).contiguous()
        degeneracy = search.problem.degeneracy.clone()
        return Plan(carried[:, 0], cost, degeneracy, carried, search.iteration + 1)
