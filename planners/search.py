"""Everything that changes while a plan is made, allocated once and written in place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from equiworld.planners.frames import orbit_length, symmetrised
from equiworld.planners.problem import Problem, map_state
from equiworld.planners.rollout import Block, Trajectory
from torch import Tensor

from equiworld.errors import ArgumentError

if TYPE_CHECKING:
    from equiworld.planners.planner import Planner

__all__ = ["Search"]

_ROWS = 1024  # states of some dozens of numbers, and a network's hidden layer of them, in a core's cache


class Search:
    """The candidates of one call of a planner, what they cost, and the best so far.

    Time comes first in every array of actions and the candidates come last: what is done to all candidates alike runs
    over memory in a row, several times faster than with the candidates first. Nothing of the size of the candidates is
    allocated after construction: on a CPU that, not arithmetic, is what costs.

    Args:
        problem: what is planned.
        settings: the planner whose call this is.
        generators: one for each of B environments; the only source of randomness.
        start: `(B, W, H, size)`, sequences to start from.

    Attributes:
        start: `(H, B, size, W)`.
        candidates: `(H, B, size, n)` in world axes, for the planner to write; within bounds once evaluated.
        cost: `(B, n)`, of the candidates; +inf where it was not finite.
        kept: `(H, B, size, K)`, the best so far, cheapest first. Where fewer than K had a finite cost the best stands
            in for the rest.
        kept_cost: `(B, K)`, +inf where another stands in.
        gradient: `(H, B, size, n)`, of the costs by the candidates, if asked for.
        axes: `(B, size, size)`, from the frame to world axes, for all vectors of an action.
        length: the typical length of an action.
        iteration: 0 for the first candidates, and so on.
        memory: what a planner wants to remember until its next update.
    """

    gradient: Tensor

    def __init__(
        self, problem: Problem, settings: Planner, generators: Sequence[torch.Generator], start: Tensor
    ) -> None:
        self.problem, self.settings, self.generators = problem, settings, generators
        self.start = start.permute(2, 0, 3, 1)
        self.length = problem.bound.length(problem.dim)
        self.iteration = 0
        self.memory: dict[str, Any] = {}
        self._like = problem.like
        horizon, kept = settings.horizon, min(max(settings.kept, settings.carried), settings.samples)
        self.kept = self._like.new_zeros(horizon, problem.envs, problem.size, kept)
        self.kept_cost = self._like.new_full((problem.envs, kept), torch.inf)
        self._weights = self._like.new_full((horizon,), 1.0 / horizon)
        self._weights[-1] += settings.cost_of_last
        self._zero = self._like.new_zeros(())
        self._storage: dict[str, Tensor] = {}
        self._buffers: dict[str, Tensor] = {}
        self._blocks: dict[int, list[Block]] = {}
        self._degenerate = problem.degeneracy > settings.symmetrise_above
        self._symmetrise = problem.frame is not None and bool(self._degenerate.any())
        self.axes = self._axes()
        self.resize(settings.samples)

    def resize(self, count: int) -> None:
        """Make room for `count` candidates, at most S. Those there were are lost if their number changes."""
        envs, size = self.problem.envs, self.problem.size
        self.candidates = self.buffer("candidates", self.settings.horizon, envs, size, count)
        self.cost = self.buffer("cost", envs, count)

    @property
    def count(self) -> int:
        """n, candidates in this iteration."""
        return self.cost.shape[1]

    # --- noise ---------------------------------------------------------------------------------------

    def scatter(
        self, centre: Tensor, spread: Tensor | float, first: int = 0, count: int | None = None
    ) -> None:
        """Candidates = centre + spread · noise, with normal noise drawn in the frame.

        Args:
            centre: `(H, B, size, 1)`, or one for each candidate.
            spread: matrices `(H, B, size, size)` from noise in the frame to world axes; or a number, the standard
                deviation in all directions.
            first: the first candidate that is written.
            count: how many are; all the others if None.
        """
        count = self.count - first if count is None else count
        noise = self._noise(count)
        horizon, envs, size, _ = noise.shape
        if not isinstance(spread, Tensor):
            spread = (spread * self.axes).expand(horizon, envs, size, size)
        whole = count == self.count
        # One kernel scales, turns and shifts, as long as what it writes to is in a row.
        out = self.candidates if whole else self.buffer("part", *noise.shape)
        torch.baddbmm(
            centre.expand(horizon, envs, size, -1).flatten(0, 1),
            spread.flatten(0, 1),
            noise.flatten(0, 1),
            out=out.flatten(0, 1),
        )
        if not whole:
            self.candidates[..., first : first + count] = out

    def in_turn(self) -> Tensor:
        """What is kept, one after another until there is one for each candidate: `(H, B, size, n)`."""
        kept = self.kept.shape[-1]
        if not self._symmetrise:
            rounds = self.buffer("rounds", *self.kept.shape[:3], -(-self.count // kept), kept)
            return rounds.copy_(self.kept.unsqueeze(3)).flatten(3)[..., : self.count]
        count = torch.arange(self.count)
        # All of an orbit around the same: else the candidates would not be the same set, turned.
        orbit = orbit_length(self.problem.dim)
        index = torch.where(self._degenerate[:, None], count // orbit % kept, count % kept)
        return self.kept.gather(3, index[None, :, None].expand(*self.kept.shape[:3], -1))

    def _noise(self, count: int) -> Tensor:
        """`(H, B, size, n)` in the frame; valid until the next."""
        problem, horizon = self.problem, self.settings.horizon
        noise = self.buffer("noise", horizon, problem.envs, problem.size, count)
        if problem.envs == 1:
            noise.normal_(generator=self.generators[0])
        else:
            drawn = self.buffer("drawn", horizon, problem.size, count)
            for env, generator in enumerate(self.generators):
                noise[:, env] = drawn.normal_(generator=generator)
        if self.settings.correlation:
            mixing = _time_correlation(horizon, self.settings.correlation, noise.dtype)
            white, noise = noise, self.buffer("coloured", *noise.shape)
            torch.mm(mixing, white.view(horizon, -1), out=noise.view(horizon, -1))
        if self._symmetrise:
            closed = symmetrised(noise.unflatten(2, (-1, problem.dim)), problem.dim).flatten(2, 3)
            noise = torch.where(self._degenerate[:, None, None], closed, noise)
        return noise

    def _axes(self) -> Tensor:
        problem = self.problem
        if problem.frame is None:
            return torch.eye(problem.size, dtype=self._like.dtype).expand(problem.envs, -1, -1)
        rotation = problem.frame.rotation
        if self._symmetrise:
            # A default frame may be any: the finite group is one of the world's own axes.
            world = torch.eye(problem.dim, dtype=rotation.dtype)
            rotation = torch.where(self._degenerate[:, None, None], world, rotation)
        arrows = problem.size // problem.dim
        return torch.stack([torch.block_diag(*[each] * arrows) for each in rotation])

    # --- evaluation ----------------------------------------------------------------------------------

    def evaluate(self) -> None:
        """Bring the candidates within bounds and find what they cost."""
        self._project()
        horizon, envs, size, count = self.candidates.shape
        rows = self.buffer("rows", horizon, envs, count, size)
        rows.copy_(self.candidates.transpose(2, 3))
        for block in self._blocks_of(count):
            actions = rows[:, block.envs, block.samples]
            if self.settings.differentiates:
                self._differentiate(block, actions)
            else:
                self.cost[block.envs, block.samples] = self._costs(block, actions)
        self.cost.nan_to_num_(nan=torch.inf, posinf=torch.inf, neginf=torch.inf)

    def keep(self) -> None:
        """Let the best of the candidates and of those kept before be what is kept."""
        horizon, envs, size, kept = self.kept.shape
        total = kept + self.count
        cost = torch.cat((self.kept_cost, self.cost), 1, out=self.buffer("all costs", envs, total))
        pool = torch.cat((self.kept, self.candidates), 3, out=self.buffer("pool", horizon, envs, size, total))
        best, index = torch.topk(cost, kept, dim=1, largest=False)
        index = torch.where(best == torch.inf, index[:, :1], index)
        torch.gather(pool, 3, index[None, :, None].expand_as(self.kept), out=self.kept)
        self.kept_cost = best

    def _project(self) -> None:
        """`Bound.project`, in place."""
        bound, dim = self.problem.bound, self.problem.dim
        if bound.radius is not None:
            arrows = self.candidates.unflatten(2, (-1, dim))
            parts = arrows.unbind(3)
            # (length/radius)², at least 1: within bounds the factor is 1 to the last bit.
            squared = self.buffer("squared", *parts[0].shape)
            torch.addcmul(self._zero, parts[0], parts[0], value=bound.radius**-2, out=squared)
            for part in parts[1:]:
                squared.addcmul_(part, part, value=bound.radius**-2)
            arrows.mul_(squared.clamp_(min=1.0).rsqrt_().unsqueeze(3))
        elif bound.low is not None and bound.high is not None:
            torch.clamp(self.candidates, bound.low[:, None], bound.high[:, None], out=self.candidates)

    def _costs(self, block: Block, actions: Tensor) -> Tensor:
        """Costs `(b, s)` of actions `(H, b, s, size)`."""
        problem, shape = self.problem, actions.shape[1:3]
        states = Trajectory(self.buffer, self.settings.horizon, self.settings.differentiates)
        state = block.state
        for action in actions.flatten(1, 2).unbind():
            state = problem.predict(state, action)
            states.append(state)
        trajectory = map_state(lambda part: part.unflatten(1, shape), states.whole())
        each = problem.cost(trajectory, actions, block.goal)
        if each.shape != actions.shape[:3]:
            expected = f"{tuple(actions.shape[:3])}: one for each state"
            raise ArgumentError("cost", f"costs of shape {tuple(each.shape)}", expected)
        return (self._weights @ each.reshape(len(each), -1)).view(shape)

    def _differentiate(self, block: Block, actions: Tensor) -> None:
        if not hasattr(self, "gradient"):
            self.gradient = torch.zeros_like(self.candidates)
        with torch.enable_grad():
            leaf = actions.clone().requires_grad_()
            cost = self._costs(block, leaf)
            (gradient,) = torch.autograd.grad(cost.sum(), leaf)
        self.cost[block.envs, block.samples] = cost.detach()
        self.gradient[:, block.envs, :, block.samples] = gradient.transpose(2, 3)

    def _blocks_of(self, count: int) -> list[Block]:
        """Environments × samples in blocks small enough for the cache."""
        if count not in self._blocks:
            rows = self.settings.chunk or _ROWS * torch.get_num_threads()
            envs = max(1, rows // count)
            self._blocks[count] = [
                Block.of(self.problem, slice(env, env + envs), slice(sample, min(sample + rows, count)))
                for env in range(0, self.problem.envs, envs)
                for sample in range(0, count, rows if envs == 1 else count)
            ]
        return self._blocks[count]

    def buffer(self, name: str, *shape: int) -> Tensor:
        """Memory of this shape, that of the last call with this name if it is large enough."""
        held = self._buffers.get(name)
        if held is None or held.shape != shape:
            whole = self._storage.get(name)
            size = math.prod(shape)
            if whole is None or len(whole) < size:
                whole = self._storage[name] = self._like.new_empty(size)
            held = self._buffers[name] = whole[:size].view(shape)
        return held


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
