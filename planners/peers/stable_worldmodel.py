"""The solvers of stable-worldmodel."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import math
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from gymnasium.spaces import Box
from torch import Tensor

from equiworld.planners.peers.contender import Contender
from equiworld.planners.peers.world import Budget, World

__all__ = ["StableWorldmodel"]

_PACKAGE = "stable_worldmodel"
_CLASSES = {"cem": "CEMSolver", "icem": "ICEMSolver", "mppi": "MPPISolver"}
_ELITES = 0.1  # by default topk is 30 of 300 samples


class StableWorldmodel(Contender):
    """`CEMSolver`, `ICEMSolver` and `MPPISolver`, all environments in one batch.

    Only the solvers are imported: the package around them wants simulators, video and data formats.
    """

    library = "stable-worldmodel"

    def __init__(self, world: World, budget: Budget, planner: str) -> None:
        super().__init__(world, budget, planner)
        self._class = getattr(self.load(), _CLASSES[planner])
        self._solvers: dict[tuple[int, torch.dtype], Any] = {}
        self.settings = {
            "var_scale": budget.spread,
            "topk": budget.share(_ELITES),
            "batch_size": "all environments",
            "the rest": "as by default",
        }

    @classmethod
    def load(cls) -> ModuleType:
        name = f"{_PACKAGE}.solver"
        if name in sys.modules or _PACKAGE in sys.modules:
            return importlib.import_module(name)
        found = importlib.util.find_spec(_PACKAGE)
        if found is None or found.submodule_search_locations is None:
            raise ModuleNotFoundError(f"No module named {_PACKAGE!r}", name=_PACKAGE)
        # A package of that name whose own __init__ has not run, for as long as the solvers are imported.
        hollow = ModuleType(_PACKAGE)
        hollow.__path__ = list(found.submodule_search_locations)
        sys.modules[_PACKAGE] = hollow
        try:
            return importlib.import_module(name)
        finally:
            del sys.modules[_PACKAGE]

    def plan(self, state: Tensor, seed: int) -> Tensor:
        solver = self._solver(len(state), state.dtype)
        solver.torch_gen.manual_seed(seed)
        # Given, because what it starts from by default is of single precision; written over by the solver.
        start = state.new_zeros(len(state), self.budget.horizon, self.world.action_size)
        with contextlib.redirect_stdout(io.StringIO()):  # it prints how long it took
            return solver.solve({"state": state}, init_action=start)["actions"]

    def _solver(self, envs: int, dtype: torch.dtype) -> Any:
        if (envs, dtype) not in self._solvers:
            budget = self.budget
            solver = self._class(
                _Model(self.world, dtype),
                batch_size=envs,
                num_samples=budget.samples,
                var_scale=budget.spread,
                n_steps=budget.iterations,
                topk=self.settings["topk"],
            )
            space = Box(-math.inf, math.inf, (envs, self.world.action_size))
            config = SimpleNamespace(horizon=budget.horizon, receding_horizon=1, action_block=1)
            solver.configure(action_space=space, n_envs=envs, config=config)
            self._solvers[envs, dtype] = solver
        return self._solvers[envs, dtype]


class _Model:
    """What the solvers ask of a world model."""

    def __init__(self, world: World, dtype: torch.dtype) -> None:
        self._world, self._like = world, torch.empty(0, dtype=dtype)

    def parameters(self) -> Iterator[Tensor]:
        yield self._like

    def get_cost(self, info: dict[str, Tensor], candidates: Tensor) -> Tensor:
        """Costs `(B, S)` of candidates `(B, S, H, size)`."""
        cost = self._world.plan_cost(info["state"].flatten(0, 1), candidates.flatten(0, 1))
        return cost.view(candidates.shape[:2])
