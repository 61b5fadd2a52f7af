"""pytorch_mppi."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from equiworld.planners.peers.contender import Contender
from equiworld.planners.peers.world import Budget, World

__all__ = ["PytorchMPPI"]


class PytorchMPPI(Contender):
    """`MPPI`, one environment after the other.

    A `command` is one iteration: a decision is as many as the budget says, from a plan of zeros that is not shifted
    between them.
    """

    library = "pytorch_mppi"
    version = "0.9.1"

    def __init__(self, world: World, budget: Budget, planner: str = "mppi") -> None:
        super().__init__(world, budget, planner)
        self._class = self.load().MPPI
        self._planners: dict[torch.dtype, Any] = {}
        self.settings = {
            "noise_sigma": f"{budget.spread:g}² times the identity",
            "U_init": "zeros",
            "environments": "one after the other",
            "the rest": "as by default",
        }

    @classmethod
    def load(cls) -> ModuleType:
        return importlib.import_module("pytorch_mppi")

    @torch.inference_mode()  # otherwise whatever its dynamics record is kept
    def plan(self, state: Tensor, seed: int) -> Tensor:
        planner = self._planner(state.dtype)
        plans = []
        for env, each in enumerate(state):
            torch.manual_seed(seed + env)
            planner.U = state.new_zeros(self.budget.horizon, self.world.action_size)
            for _ in range(self.budget.iterations):
                planner.command(each, shift_nominal_trajectory=False)
            plans.append(planner.get_action_sequence())
        return torch.stack(plans)

    def _planner(self, dtype: torch.dtype) -> Any:
        if dtype not in self._planners:
            self._planners[dtype] = self._class(
                self.world.dynamics,
                self.world.cost,
                self.world.state_size,
                self.budget.spread**2 * torch.eye(self.world.action_size, dtype=dtype),
                num_samples=self.budget.samples,
                horizon=self.budget.horizon,
            )
        return self._planners[dtype]
