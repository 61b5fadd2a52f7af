"""The solvers of stable-worldmodel, and how any of its modules is loaded without the package around it."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import math
import pkgutil
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any

import torch
from gymnasium.spaces import Box
from torch import Tensor

from equiworld.planners.peers.contender import Contender
from equiworld.planners.peers.world import Budget, World

__all__ = ["StableWorldmodel", "module_of_peer"]

_PACKAGE, _PRIVATE = "stable_worldmodel", "_equiworld_stable_worldmodel"
_CLASSES = {"cem": "CEMSolver", "icem": "ICEMSolver", "mppi": "MPPISolver"}
_ELITES = 0.1  # by default topk is 30 of 300 samples

_OTHERWISE: dict[str, tuple[str, str]] = {
    "loguru:logger": (
        "from loguru import logger as logging",
        "import logging",
    ),  # it is asked for warnings alone
    "pymunk:Space.on_collision": (  # version 7's name for it
        "self.space.on_collision(0, 0, post_solve=self._handle_collision)",
        "self.space.add_collision_handler(0, 0).post_solve = self._handle_collision",
    ),
}
"""What may not be there, or not in the version that is, where it is asked for, and what is run instead."""


class StableWorldmodel(Contender):
    """`CEMSolver`, `ICEMSolver` and `MPPISolver`, all environments in one batch.

    Only the solvers are loaded, from its files and under a name of their own: the package around them wants simulators,
    video and a torchvision that fits torch. Whether and when the package itself is imported makes no difference.
    """

    library = "stable-worldmodel"
    version = "0.1.1"

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
        return module_of_peer("solver")

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


def module_of_peer(*names: str) -> ModuleType:
    """Modules of stable-worldmodel, such as "envs.pusht.env", with what they import; the packages around are not run.

    Nothing is planted: neither a module under the library's own name, nor an attribute of another library.

    Args:
        names: within the package; the last one is returned, the others it finds as attributes of their package.

    Raises:
        ImportError: it is not installed, not in the version that its files are known of, or lacks what it imports.
    """
    library, version = StableWorldmodel.library, StableWorldmodel.version
    found = metadata.version(library)
    if found != version:  # later ones have moved their modules
        raise ImportError(f"{library} {found} is installed, and its files are known of {version} alone")
    folder = Path(str(metadata.distribution(library).locate_file(_PACKAGE)))
    for name in names:
        finder = _Files(folder, f"{_PRIVATE}.{name}")
        sys.meta_path.insert(0, finder)
        try:
            module = importlib.import_module(f"{_PRIVATE}.{name}")
        finally:
            sys.meta_path.remove(finder)
    return module


class _Files:
    """Finds the modules of the package under the private name, those around the wanted one without their `__init__`."""

    def __init__(self, folder: Path, wanted: str) -> None:
        self._folder, self._wanted = folder, wanted

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        root, *inner = name.split(".")
        if root != _PRIVATE:
            return None
        if self._wanted.startswith(f"{name}."):
            return ModuleSpec(name, None, is_package=True)
        file = self._folder.joinpath(*inner)
        file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        return importlib.util.spec_from_file_location(name, file, loader=_Renamed(name, str(file)))


class _Renamed(SourceFileLoader):
    """Runs a file with the private name where it imports from its own package."""

    def get_code(self, fullname: str) -> CodeType:
        # Not by way of compiled files: those beside it are the package's own.
        text = Path(self.path).read_text()
        text = re.sub(rf"(?m)^(from|import) {_PACKAGE}\b", rf"\1 {_PRIVATE}", text)
        for wanted, (there, instead) in _OTHERWISE.items():
            if there in text and not _is_there(wanted):
                text = text.replace(there, instead)
        return compile(text, self.path, "exec", dont_inherit=True)


def _is_there(wanted: str) -> bool:
    """Whether a module can be imported and has an attribute."""
    try:
        pkgutil.resolve_name(wanted)
    except (ImportError, AttributeError):
        return False
    return True
