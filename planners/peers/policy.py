"""A planner of another library over one of our world models, as a policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equiworld.arguments import integer
from equiworld.models import WorldModel
from equiworld.planners.allowed import planning_bounds
from equiworld.planners.interop import FlatModel
from equiworld.planners.peers.contender import Contender
from equiworld.planners.peers.registry import peer
from equiworld.planners.peers.world import Budget, World
from equiworld.planners.per_environment import PerEnvironment
from equiworld.symmetry.bound import parts_of
from equiworld.symmetry.limits import project
from equiworld.tasks import Task

__all__ = ["PeerFactory", "PeerMember", "peer_policy"]

_SPREAD = 1.0  # of first noise in units of an action, which torchrl's always has


def peer_policy(
    name: str,
    model: WorldModel,
    *,
    samples: int = 128,
    horizon: int = 6,
    iterations: int = 3,
    seed: int = 0,
    task: Task | None = None,
) -> PerEnvironment:
    """Another library's planner over a world model, as a policy with `predict`, along the axes that it sees.

    Behind `equiworld.symmetrise` these are the frame's, and its decisions turn with the world whatever the model is. It
    decides at every step of the environment, from its observation and the number of the decision alone: a plan carried
    on from the last step would be one made in another frame.

    Args:
        name: of `PEERS`, such as "pytorch_mppi"; the library is imported now.
        model: a trained world model, with the dtype that planning shall have.
        samples: candidates an iteration.
        horizon: actions in a candidate, each as long as the model's.
        iterations: rounds of candidates.
        seed: of the planner's noise.
        task: what to minimise; that registered for the model's environment if None.

    Returns:
        The policy. It can be pickled if the task can.

    Raises:
        UnknownNameError: no such planner, or no task registered for the model's environment.
        ArgumentError: the library is not installed; says what to install. Or the model's actions have no bound.
    """
    planning_bounds(model, "ball")  # refused now, not at the first decision
    budget = Budget(
        integer("samples", samples, least=1),
        integer("horizon", horizon, least=1),
        integer("iterations", iterations, least=1),
        _SPREAD,
    )
    factory = PeerFactory(name, model, budget, task)
    factory()
    return PerEnvironment(factory, seed)


@dataclass(frozen=True)
class PeerFactory:
    """Makes a member for each environment; they share the model."""

    name: str
    model: WorldModel
    budget: Budget
    task: Task | None = None

    @property
    def dtype(self) -> torch.dtype:
        """What is planned in."""
        return self.model.dtype

    def __call__(self) -> PeerMember:
        """A new member."""
        entry, flat = peer(self.name), FlatModel(self.model, self.task)
        bounds = planning_bounds(self.model, "ball")
        unit = torch.ones(self.model.symmetry.action.size(self.model.symmetry.dim), dtype=self.model.dtype)
        for where, bound in parts_of(bounds):
            unit[where] = unit.new_tensor(bound.unit)

        def actions(asked: Tensor) -> Tensor:
            """What is meant by numbers that are asked for in units of an action: no planner knows a bound."""
            return project(asked.to(unit) * unit, bounds)

        world = World(
            "model",
            flat.model.latent.feature_type().size,
            len(unit),
            lambda state, asked: flat.dynamics(state, actions(asked)),
            lambda states, asked: flat.running_cost(states, actions(asked)),
        )
        return PeerMember(entry.kind()(world, self.budget, entry.planner), flat, actions)


class PeerMember:
    """A planner in one environment."""

    def __init__(self, planner: Contender, flat: FlatModel, actions: Any) -> None:
        self._planner, self._flat, self._actions = planner, flat, actions
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Begin an episode whose noise is that of a seed."""
        self._drawn = np.random.default_rng(seed)

    def __call__(self, observation: Any) -> NDArray[np.float64]:
        """The first action of a plan, `(size,)`."""
        state = self._flat.state(observation)
        with torch.random.fork_rng(devices=[]), torch.no_grad():  # some draw from the global generator
            plan = self._planner.plan(state, int(self._drawn.integers(2**31)))
            return self._actions(plan[0, 0].clone()).double().numpy()
