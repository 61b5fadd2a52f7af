"""The mutable state of one call of a planner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import torch
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.planners.problem import Problem, State, map_state, parts_of_state, state_of_parts
from equiworld.planners.recorded import rolled_out
from equiworld.symmetry.limits import project

__all__ = ["Search"]

_ROWS = 1024  # states of some dozens of numbers, and a network's hidden layer of them, in a core's cache
_ROWS_ELSEWHERE = 2**18  # enough to fill an accelerator; their hidden layers take some hundred megabytes


@dataclass(frozen=True)
class _Chunk:
    """Environments and samples that are rolled out together, and what is the same for them in every iteration."""

    envs: slice
    samples: slice
    state: State  # repeated for each sample, batch shape `(b·s,)`
    goal: State | None  # batch shape `(1, b, 1)`

    @staticmethod
    def of(problem: Problem, envs: slice, samples: slice) -> _Chunk:
        repeats = samples.stop - samples.start

        def repeated(part: Tensor) -> Tensor:
            part = part[envs]
            return part.unsqueeze(1).expand(-1, repeats, *part.shape[1:]).flatten(0, 1)

        goal = problem.goal
        if goal is not None:
            goal = map_state(lambda part: part[envs][None, :, None], goal)
        return _Chunk(envs, samples, map_state(repeated, problem.state), goal)


class Settings(Protocol):
    """Of a planner, as far as candidates depend on them: see `Planner`."""

    @property
    def horizon(self) -> int: ...
    @property
    def samples(self) -> int: ...
    @property
    def cost_of_last(self) -> float: ...
    @property
    def chunk(self) -> int | None: ...
    @property
    def differentiates(self) -> bool: ...
    @property
    def n_elites(self) -> int: ...
    @property
    def n_carried(self) -> int: ...
    def correlated(self, iteration: int) -> float: ...


class Search:
    """The candidates of one call of a planner, what they cost, and the best so far.

    Args:
        problem: what is planned.
        settings: the planner whose call this is.
        generators: one for each of B environments; the only source of randomness.
        start: `(B, W, H, size)`, sequences to start from.

    Attributes:
        start: `(H, B, W, size)`.
        candidates: `(H, B, n, size)`, for the planner to write; within bounds once evaluated.
        cost: `(B, n)`, of the candidates; +inf where it was not finite.
        elites: `(H, B, K, size)`, the best so far, cheapest first. Where fewer than K had a finite cost the best stands
            in for the rest.
        elite_cost: `(B, K)`, +inf where another stands in.
        gradient: `(H, B, n, size)`, of the costs by the candidates, if asked for.
        unit: `(size,)`, a typical size of each number of an action.
        iteration: 0 for the first candidates, and so on.
        memory: what a planner wants to remember until its next update.
    """

    gradient: Tensor

    def __init__(
        self, problem: Problem, settings: Settings, generators: Sequence[torch.Generator], start: Tensor
    ) -> None:
        self.problem, self.settings, self.generators = problem, settings, generators
        self.start, self.unit = start.permute(2, 0, 1, 3), problem.unit
        self.iteration = 0
        self.memory: dict[str, Any] = {}
        self._like, self._chunks = problem.like, dict[int, list[_Chunk]]()
        horizon, kept = settings.horizon, min(max(settings.n_elites, settings.n_carried), settings.samples)
        self.elites = self._like.new_zeros(horizon, problem.envs, kept, problem.size)
        self.elite_cost = self._like.new_full((problem.envs, kept), torch.inf)
        self._weights = self._like.new_full((horizon,), 1.0 / horizon)
        self._weights[-1] += settings.cost_of_last
        self.resize(settings.samples)

    def resize(self, count: int) -> None:
        """Make room for `count` candidates. Those there were are lost if their number changes."""
        if not hasattr(self, "cost") or count != self.count:
            self.candidates = self._like.new_empty(
                self.settings.horizon, self.problem.envs, count, self.problem.size
            )
            self.cost = self._like.new_empty(self.problem.envs, count)

    @property
    def count(self) -> int:
        """n, candidates in this iteration."""
        return self.cost.shape[1]

    def scatter(self, centre: Tensor, spread: Tensor, first: int = 0, last: int | None = None) -> None:
        """Candidates = centre + spread · noise, with standard normal noise.

        Args:
            centre: `(H, B, 1, size)`, or one for each candidate.
            spread: standard deviations, `(size,)` or of a shape that broadcasts to the candidates'.
            first: the first candidate that is written.
            last: one after the last that is; to the end if None.
        """
        out = self.candidates[:, :, first:last]
        if out.shape[2] == self.count:
            torch.addcmul(centre, self._noise(self.count), spread, out=out)
        else:
            out.copy_(torch.addcmul(centre, self._noise(out.shape[2]), spread))

    def cycled_elites(self) -> Tensor:
        """Elites repeated to fill all candidate slots, `(H, B, n, size)`."""
        kept = self.elites.shape[2]
        return self.elites.repeat(1, 1, -(-self.count // kept), 1)[:, :, : self.count]

    def _noise(self, count: int) -> Tensor:
        """`(H, B, n, size)`."""
        horizon, size = self.settings.horizon, self.problem.size
        noise = self.drawn((horizon, count, size), torch.Tensor.normal_).transpose(0, 1)
        correlation = self.settings.correlated(self.iteration)
        if correlation:
            mixing = _time_correlation(horizon, correlation, noise.dtype, noise.device)
            noise = (mixing @ noise.flatten(1)).view(noise.shape)  # mixes times, nothing else
        return noise

    def drawn(self, shape: Sequence[int], fill: Callable[..., Tensor]) -> Tensor:
        """Random numbers `(B, *shape)`, each environment's from its own generator: drawn on the CPU, moved at once.

        Args:
            shape: of one environment's.
            fill: in-place, such as `Tensor.normal_`.
        """
        numbers = torch.empty(len(self.generators), *shape, dtype=self._like.dtype, device="cpu")
        for each, generator in zip(numbers, self.generators, strict=True):
            fill(each, generator=generator)
        return numbers.to(self._like.device)

    def evaluate(self) -> None:
        """Bring the candidates within bounds and find what they cost."""
        project(self.candidates, self.problem.bounds, self.problem.null_action)
        for chunk in self._chunks_of(self.count):
            actions = self.candidates[:, chunk.envs, chunk.samples]
            if self.settings.differentiates:
                self._differentiate(chunk, actions)
            elif self.problem.captured is not None:
                parts = [self._weights, actions, *parts_of_state(chunk.state), *parts_of_state(chunk.goal)]
                found = self.problem.captured.call(self._costs_of_parts, parts)
                self.cost[chunk.envs, chunk.samples] = found
            else:
                self.cost[chunk.envs, chunk.samples] = self._costs(
                    self._weights, actions, chunk.state, chunk.goal
                )
        self.cost.nan_to_num_(nan=torch.inf, posinf=torch.inf, neginf=torch.inf)

    def keep(self) -> None:
        """Let the best of the candidates and of the elites before be the elites."""
        cost, pool = self.cost, self.candidates
        if self.iteration or self.count < self.elites.shape[2]:  # else there are no elites yet
            cost, pool = torch.cat((self.elite_cost, cost), 1), torch.cat((self.elites, pool), 2)
        best, index = torch.topk(cost, self.elites.shape[2], dim=1, largest=False)
        index = torch.where(best == torch.inf, index[:, :1], index)
        self.elites = pool.gather(2, index[None, :, :, None].expand_as(self.elites))
        self.elite_cost = best

    def _costs_of_parts(self, weights: Tensor, actions: Tensor, *parts: Tensor) -> Tensor:
        """`_costs` of the tensors that states and goals consist of."""
        count = len(parts_of_state(self.problem.state))
        goal = state_of_parts(parts[count:]) if parts[count:] else None
        return self._costs(weights, actions, state_of_parts(parts[:count]), goal)

    def _costs(self, weights: Tensor, actions: Tensor, state: State, goal: State | None) -> Tensor:
        """Costs `(b, s)` of actions `(H, b, s, size)`, weighted over the horizon `(H,)`."""
        problem, shape = self.problem, actions.shape[1:3]
        whole = rolled_out(problem.predict, state, actions.flatten(1, 2))
        each = problem.cost(map_state(lambda part: part.unflatten(1, shape), whole), actions, goal)
        if not isinstance(each, Tensor) or each.is_complex():
            got = f"{each.dtype} costs" if isinstance(each, Tensor) else type(each).__name__
            raise ArgumentError("cost", got, "a tensor of real numbers")
        if each.shape != actions.shape[:3]:
            expected = f"{tuple(actions.shape[:3])}: one for each state"
            raise ArgumentError("cost", f"costs of shape {tuple(each.shape)}", expected)
        return (weights @ each.reshape(len(each), -1).to(weights.dtype)).view(shape)

    def _differentiate(self, chunk: _Chunk, actions: Tensor) -> None:
        if not hasattr(self, "gradient"):
            self.gradient = torch.zeros_like(self.candidates)
        with torch.enable_grad():
            leaf = actions.clone().requires_grad_()
            cost = self._costs(self._weights, leaf, chunk.state, chunk.goal)
            if not cost.requires_grad:
                raise ArgumentError(
                    "cost", "costs without a gradient", "differentiable ones, or another planner"
                )
            (gradient,) = torch.autograd.grad(cost.sum(), leaf)
        self.cost[chunk.envs, chunk.samples] = cost.detach()
        self.gradient[:, chunk.envs, chunk.samples] = gradient

    def _chunks_of(self, count: int) -> list[_Chunk]:
        """Environments × samples in chunks small enough for the cache."""
        if count not in self._chunks:
            near = _ROWS * torch.get_num_threads() if self._like.is_cpu else _ROWS_ELSEWHERE
            rows = self.settings.chunk or near
            envs = max(1, rows // count)
            self._chunks[count] = [
                _Chunk.of(self.problem, slice(env, env + envs), slice(sample, min(sample + rows, count)))
                for env in range(0, self.problem.envs, envs)
                for sample in range(0, count, rows if envs == 1 else count)
            ]
        return self._chunks[count]


@lru_cache(maxsize=32)
def _time_correlation(horizon: int, exponent: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrix `(H, H)` that gives white noise a power spectrum 1/f^exponent and leaves each step a variance of 1.

    Reference: Timmer and König, On generating power law noise, 1995; here over twice the horizon, so that the last
    step is not tied to the first.
    """
    with torch.inference_mode(False):
        length = 2 * horizon
        frequency = torch.fft.rfftfreq(length, dtype=torch.float64, device="cpu")
        frequency[0] = frequency[1]
        covariance = torch.fft.irfft(frequency**-exponent, n=length)[:horizon]
        step = torch.arange(horizon, device="cpu")
        lag = (step[:, None] - step).abs()
        values, axes = torch.linalg.eigh((covariance / covariance[0])[lag])
        return ((axes * values.clamp(min=0.0).sqrt()) @ axes.T).to(dtype).to(device)
