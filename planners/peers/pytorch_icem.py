"""pytorch_icem."""

from __future__ import annotations

import importlib
import warnings
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equiworld.planners.peers.contender import Contender
from equiworld.planners.peers.world import Budget, World

__all__ = ["PytorchICEM"]

_ELITES = 0.1  # by default 10 of 100 samples


class PytorchICEM(Contender):
    """`iCEM`, one environment after the other, each from the beginning."""

    library = "pytorch_icem"
    version = "0.1.0"

    def __init__(self, world: World, budget: Budget, planner: str = "icem") -> None:
        super().__init__(world, budget, planner)
        self._module = self.load()
        self._planners: dict[torch.dtype, Any] = {}
        self.settings = {
            "sigma": budget.spread,
            "num_elites": budget.share(_ELITES),
            "environments": "one after the other",
            "the rest": "as by default",
        }

    @classmethod
    def load(cls) -> Any:
        return importlib.import_module("pytorch_icem.icem")

    @torch.inference_mode()
    def plan(self, state: Tensor, seed: int) -> Tensor:
        planner = self._planner(state.dtype)
        coloured = self._module.colorednoise
        plans = []
        try:
            for env, each in enumerate(state):
                # Its noise comes from the operating system's entropy; no two runs would be the same.
                drawn = np.random.default_rng(seed + env)
                seeded = partial(coloured.powerlaw_psd_gaussian, random_state=drawn)
                self._module.colorednoise = SimpleNamespace(powerlaw_psd_gaussian=seeded)
                planner.reset()
                planner.command(each, shift_nominal_trajectory=False)
                # `command` returns the first action of the best of the last candidates: this is all of it.
                plans.append(planner.kept_elites[0].to(state.dtype))
        finally:
            self._module.colorednoise = coloured
        return torch.stack(plans)

    def _planner(self, dtype: torch.dtype) -> Any:
        if dtype not in self._planners:
            world, budget = self.world, self.budget
            # Version 0.1.0 takes the number of axes of sigma, not its length, for the size of an action.
            shape = (1,) * (world.action_size - 1) + (world.action_size,)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # that it copies sigma
                self._planners[dtype] = self._module.iCEM(
                    world.dynamics,
                    lambda states, actions: world.cost(states, actions).sum(-1),
                    world.state_size,
                    world.action_size,
                    sigma=torch.full(shape, budget.spread, dtype=dtype),
                    num_samples=budget.samples,
                    num_elites=self.settings["num_elites"],
                    horizon=budget.horizon,
                    warmup_iters=budget.iterations,
                    online_iters=budget.iterations,
                )
        return self._planners[dtype]
