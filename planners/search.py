"""Everything that changes while a plan is made, allocated once and written in place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from equiworld.planners.frames import symmetrised
from equiworld.planners.problem import Problem, State, map_state
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.symmetry import Features

__all__ = ["Search", "SearchSettings"]


@dataclass(frozen=True)
class SearchSettings:
    """Sizes of a search.

    Attributes:
        horizon: H.
        samples: S, most candidates in an iteration.
        kept: K, best candidates kept from one iteration to the next.
        correlation: exponent of the noise's power spectrum over the horizon, 0 for white noise.
        cost_of_last: weight of the last state's cost beside the mean over the horizon.
        symmetrise_above: degeneracy of a frame from which on noise is symmetrised instead.
        chunk: candidates rolled out at a time.
        differentiate: whether `gradient` is wanted beside each cost.
    """

    horizon: int
    samples: int
    kept: int
    correlation: float
    cost_of_last: float
    symmetrise_above: float
    chunk: int
    differentiate: bool


class Search:
    """The candidates of one call of a planner, what they cost, and the best so far.

    Time comes first in every array of actions, so that the actions of one step lie side by side. Nothing of the
    size of the candidates is allocated after construction: on a CPU that, not arithmetic, is what costs.

    Args:
        problem: what is planned.
        settings: sizes.
        generators: one for each of B environments; the only source of randomness.
        start: `(B, W, H, size)`, sequences to start from.

    Attributes:
        start: `(H, B, W, size)`.
        candidates: `(H, B, n, size)` in world axes, for the planner to write; within bounds once evaluated.
        cost: `(B, n)`, of the candidates; +inf where it was not finite.
        kept: `(H, B, K, size)`, the best so far, cheapest first. Where fewer than K had a finite cost the best stands
            in for the rest.
        kept_cost: `(B, K)`, +inf where another stands in.
        gradient: `(H, B, n, size)`, of the costs by the candidates, if asked for.
        iteration: 0 for the first candidates, and so on.
        memory: what a planner wants to remember until its next update.
    """

    gradient: Tensor

    def __init__(
        self, problem: Problem, settings: SearchSettings, generators: Sequence[torch.Generator], start: Tensor
    ) -> None:
        self.problem, self.settings, self.generators = problem, settings, generators
        self.start = start.permute(2, 0, 1, 3)
        self.length = problem.bound.length(problem.dim)
        self.iteration = 0
        self.memory: dict[str, Any] = {}
        horizon, samples, kept = settings.horizon, settings.samples, settings.kept
        new, envs, size = problem.like.new_empty, problem.envs, problem.size
        self._pool = new(horizon, envs, kept + samples, size).zero_()
        self._pool_cost = new(envs, kept + samples).fill_(torch.inf)
        self._spare = new(horizon, envs, kept, size)
        self._white, self._noise = (new(envs, horizon * samples * size) for _ in range(2))
        self._scale = new(horizon, envs, samples, size // problem.dim, 1)
        self.scratch = new(horizon, envs, samples, size)
        self._weights = new(horizon).fill_(1.0 / horizon)
        self._weights[-1] += settings.cost_of_last
        self._trajectories: dict[int, list[Tensor]] = {}
        self._degenerate = problem.degeneracy > settings.symmetrise_above
        self._symmetrise = problem.frame is not None and bool(self._degenerate.any())
        self.kept, self.kept_cost = self._pool[:, :, :kept], self._pool_cost[:, :kept]
        self.resize(samples)

    def resize(self, count: int) -> None:
        """Make room for `count` candidates, at most S."""
        kept = self.settings.kept
        self.candidates = self._pool[:, :, kept : kept + count]
        self.cost = self._pool_cost[:, kept : kept + count]

    @property
    def count(self) -> int:
        """n, candidates in this iteration."""
        return self.cost.shape[1]

    # --- noise ---------------------------------------------------------------------------------------

    def draw(self, count: int | None = None, scale: Tensor | None = None) -> Tensor:
        """Normal noise `(H, B, n, size)` in world axes, drawn in the frame; valid until the next draw.

        Args:
            count: n; as many as there are candidates if None.
            scale: standard deviations along the frame's axes, `(B, H, 1, arrows, d)`; 1 if None.
        """
        problem, horizon = self.problem, self.settings.horizon
        count = self.count if count is None else count
        used = horizon * count * problem.size
        white, turned = (buffer[:, :used] for buffer in (self._white, self._noise))
        for row, generator in zip(white, self.generators, strict=True):
            row.normal_(generator=generator)
        if self.settings.correlation:
            steps = (len(white), horizon, -1)
            mixing = _time_correlation(horizon, self.settings.correlation, white.dtype)
            torch.matmul(mixing, white.view(steps), out=turned.view(steps))
            white, turned = turned, white
        arrows = (len(white), horizon, count, problem.size // problem.dim, problem.dim)
        if scale is not None:
            white.view(arrows).mul_(scale)
        if problem.frame is not None:
            rows = (len(white), -1, problem.dim)
            rotation = problem.frame.rotation.transpose(-1, -2)
            torch.bmm(white.view(rows), rotation, out=turned.view(rows))
            white, turned = turned, white
        if self._symmetrise:
            closed = symmetrised(white.view(arrows), problem.dim).view_as(white)
            white = torch.where(self._degenerate[:, None], closed, white)
        return white.view(len(white), horizon, count, problem.size).transpose(0, 1)

    # --- evaluation ----------------------------------------------------------------------------------

    def evaluate(self) -> None:
        """Bring the candidates within bounds and find what they cost."""
        self._project()
        for envs, samples in self._chunks():
            actions = self.candidates[:, envs, samples]
            if self.settings.differentiate:
                self._differentiate(envs, samples, actions)
            else:
                self.cost[envs, samples] = self._costs(envs, actions)
        self.cost.nan_to_num_(nan=torch.inf, posinf=torch.inf, neginf=torch.inf)

    def keep(self) -> None:
        """Let the best of the candidates and of those kept before be what is kept."""
        kept, total = self.settings.kept, self.settings.kept + self.count
        cost, index = torch.topk(self._pool_cost[:, :total], kept, dim=1, largest=False)
        index = torch.where(torch.isinf(cost), index[:, :1], index)
        spread = index[None, :, :, None].expand_as(self._spare)
        torch.gather(self._pool[:, :, :total], 2, spread, out=self._spare)
        self.kept.copy_(self._spare)
        self.kept_cost.copy_(cost)

    def _project(self) -> None:
        bound, dim = self.problem.bound, self.problem.dim
        if bound.radius is not None:
            # `Bound.project` in place.
            arrows = self.candidates.unflatten(-1, (-1, dim))
            length = self._scale[:, :, : self.count]
            torch.linalg.vector_norm(arrows, dim=-1, keepdim=True, out=length)
            length.clamp_(min=bound.radius).reciprocal_().mul_(bound.radius)
            arrows.mul_(length)
        elif bound.low is not None and bound.high is not None:
            torch.clamp(self.candidates, bound.low, bound.high, out=self.candidates)

    def _chunks(self) -> Iterator[tuple[slice, slice]]:
        """Blocks of environments × samples small enough for the cache."""
        count, rows = self.count, self.settings.chunk
        envs = max(1, rows // count)
        for first in range(0, self.problem.envs, envs):
            for sample in range(0, count, count if count <= rows else rows):
                yield slice(first, first + envs), slice(sample, min(sample + rows, count))

    def _costs(self, envs: slice, actions: Tensor) -> Tensor:
        """Costs `(b, s)` of actions `(H, b, s, size)` of some of the environments."""
        problem, (horizon, count, samples, _) = self.problem, actions.shape

        def spread(part: Tensor) -> Tensor:
            part = part[envs]
            return part.unsqueeze(1).expand(count, samples, *part.shape[1:]).flatten(0, 1)

        state = map_state(spread, problem.state)
        flat, states = actions.flatten(1, 2), []
        for step in range(horizon):
            state = problem.predict(state, flat[step])
            states.append(state)
        goal = problem.goal
        if goal is not None:
            goal = map_state(lambda part: part[envs][None, :, None], goal)
        trajectory = map_state(
            lambda part: part.unflatten(1, (count, samples)), self._stacked(states, count * samples)
        )
        each = problem.cost(trajectory, actions, goal)
        if each.shape != (horizon, count, samples):
            expected = f"{(horizon, count, samples)}: one for each state"
            raise ArgumentError("cost", f"costs of shape {tuple(each.shape)}", expected)
        return (self._weights @ each.reshape(horizon, -1)).view(count, samples)

    def _stacked(self, states: list[State], rows: int) -> State:
        """The trajectory of H states, in memory that is used again by the next chunk of this size."""
        if self.settings.differentiate:
            return torch.stack(states) if isinstance(states[0], Tensor) else Features.stack(states)  # type: ignore[arg-type]
        parts = [
            (state,) if isinstance(state, Tensor) else (state.scalars, state.vectors, state.points)
            for state in states
        ]
        if rows not in self._trajectories:
            self._trajectories[rows] = [part.new_empty(0) for part in parts[0]]
        memory = self._trajectories[rows]
        for buffer, steps in zip(memory, zip(*parts, strict=True), strict=True):
            if buffer.shape[1:] != steps[0].shape:
                buffer.resize_(len(steps), *steps[0].shape)
            torch.stack(steps, out=buffer)
        return memory[0] if isinstance(states[0], Tensor) else Features(*memory)

    def _differentiate(self, envs: slice, samples: slice, actions: Tensor) -> None:
        if not hasattr(self, "gradient"):
            self.gradient = torch.zeros_like(self._pool)[:, :, : self.settings.samples]
        with torch.enable_grad():
            leaf = actions.detach().clone().requires_grad_()
            cost = self._costs(envs, leaf)
            (gradient,) = torch.autograd.grad(cost.sum(), leaf)
        self.cost[envs, samples] = cost.detach()
        self.gradient[:, envs, samples] = gradient


@lru_cache(maxsize=32)
def _time_correlation(horizon: int, exponent: float, dtype: torch.dtype) -> Tensor:
    """The matrix `(H, H)` that gives white noise a power spectrum 1/f^exponent and leaves each step a variance of 1.

    It mixes times, never axes, so it commutes with every rotation. Reference: Timmer and König, On generating power
    law noise, 1995; here over twice the horizon, so that the last step is not tied to the first.
    """
    length = 2 * horizon
    frequency = torch.fft.rfftfreq(length, dtype=torch.float64)
    frequency[0] = frequency[1]
    power = frequency**-exponent
    covariance = torch.fft.irfft(power, n=length)[:horizon]
    lag = (torch.arange(horizon)[:, None] - torch.arange(horizon)).abs()
    values, axes = torch.linalg.eigh((covariance / covariance[0])[lag])
    return ((axes * values.clamp(min=0.0).sqrt()) @ axes.T).to(dtype)
