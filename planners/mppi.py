"""Model-predictive path integral control."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from equiworld.planners.planner import Planner
from equiworld.planners.search import Search
from equiworld.settings import settle_numbers

__all__ = ["MPPI"]


@dataclass(frozen=True)
class MPPI(Planner):
    """Path integral control: move to the mean of all candidates, weighted by exp(−cost/temperature).

    The mean itself is among the next candidates; the plan is the best candidate, as for every planner here.

    References: Williams et al., Information theoretic MPC for model-based reinforcement learning, ICRA 2017; for
    correlated noise Vlahov et al., Low frequency sampling in model predictive path integral control, RA-L 2024.

    Attributes:
        temperature: of the weights, as a share of how far the mean cost lies above the least: any unit of cost will do.
        shrink: spread of the last iteration, as a share of the first one's; 1 is the published rule.
        smooth: temporal correlation of the first candidates. Few of these find the way if their actions hold on to a
            direction; what comes later refines it, with noise as `correlation` says.

    >>> MPPI(samples=128).temperature
    0.1
    """

    temperature: float = 0.1
    shrink: float = 0.36
    smooth: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        settle_numbers(self, "temperature", above=0.0)
        settle_numbers(self, "shrink", above=0.0, most=1.0)
        settle_numbers(self, "smooth", least=0.0)

    def correlated(self, iteration: int) -> float:
        return self.correlation if iteration else max(self.smooth, self.correlation)

    def update(self, search: Search) -> None:
        rejected = torch.isinf(search.cost)
        above = (search.cost - search.elite_cost[:, :1]).masked_fill(rejected, 0.0)
        typical = above.sum(1, keepdim=True) / (~rejected).sum(1, keepdim=True).clamp(min=1)
        # Where all cost the same every temperature gives the same mean.
        scale = torch.where(typical > 0, self.temperature * typical, 1.0)
        weights = torch.softmax((-above / scale).masked_fill(rejected, -torch.inf), 1)
        mean = weights[:, None] @ search.candidates
        # All rejected: the best so far is all there is to go by.
        mean = torch.where(rejected.all(1)[:, None, None], search.elites[:, :, :1], mean)
        search.scatter(mean, search.unit * self.shrunk(self.shrink, search.iteration))
        search.candidates[:, :, :1] = mean
