"""Small policies over untrained models: of PushT without walls, and of toy worlds that a declaration alone makes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import lru_cache
from itertools import count
from typing import Any

import gymnasium as gym
import numpy as np

import equiworld.envs  # noqa: F401  registers PushT
from equiworld.envs.pusht.simulation import PushTState
from equiworld.models import WorldModel
from equiworld.planners import CEM, ICEM, MPPI, GradientPlanner, MPCPolicy, Planner, RandomShooting, Task
from equiworld.symmetry import Symmetry, register_symmetry

ENV = "equiworld/PushT-v0"
SMALL = {"state-steerable": {"scalars": 12, "vectors": 6, "depth": 2}}
PLAIN = {"hidden": (16, 16), "periodic": 4}
FAMILIES = ["state", "state-steerable", "mlp"]  # exact by a frame, layer by layer, and not at all
SIZES = {"horizon": 3, "samples": 12, "iterations": 2}
PLANNERS: dict[str, Planner] = {
    "cem": CEM(**SIZES, elites=4),
    "icem": ICEM(**SIZES, elites=4),
    "mppi": MPPI(**SIZES),
    "gradient": GradientPlanner(horizon=3, samples=4, iterations=3),
    "random-shooting": RandomShooting(**SIZES),
}
PLANNER = CEM(horizon=3, samples=16, iterations=2, elites=4)


@lru_cache
def _fresh(family: str) -> WorldModel:
    return WorldModel.for_env(gym.make(ENV, walls=False), family, **SMALL.get(family, PLAIN))


def model_of(family: str = "state", repeat: int = 1) -> WorldModel:
    """A model of its own; policies copy what they are given."""
    model = copy.deepcopy(_fresh(family))
    model.action_repeat = repeat
    return model


def policy_of(
    family: str = "state", repeat: int = 1, planner: Planner = PLANNER, **settings: Any
) -> MPCPolicy:
    return MPCPolicy(model_of(family, repeat), planner, **({"dtype": "float64"} | settings))


def rows(observations: dict[str, np.ndarray], which: Any) -> dict[str, np.ndarray]:
    return {name: array[which] for name, array in observations.items()}


EDGE = PushTState(
    (215, 220), (0, 0), (200, 200, 0), (300, 300, 1.0)
)  # the agent's centre on the block's edge
CORNER = PushTState((260, 170), (0, 0), (200, 200, 0), (300, 300, np.pi))
BESIDE = PushTState((250.0, 330.0), (0.0, 0.0), (250.0, 250.0, 0.5), (300.0, 200.0, 1.0))


@lru_cache
def _round_starts() -> tuple[dict[str, np.ndarray], ...]:
    env = gym.make(ENV, walls=False)
    more = [
        PushTState((200, 300), (0, 0), (200, 200, np.pi / 2), (300, 300, -np.pi / 2)),
        PushTState((300, 200), (0, 0), (200, 200, np.pi), (200, 200, 0.0)),
    ]
    return tuple(env.reset(options={"state": state})[0] for state in (EDGE, CORNER, BESIDE, *more))


def round_observations() -> dict[str, np.ndarray]:
    """Starts at round numbers, `(5, size)` each."""
    found = _round_starts()
    return {name: np.stack([one[name] for one in found]) for name in found[0]}


# ------------------------------------------------------------------------------------------- toy worlds


class Toy(gym.Env):
    """A world that has spaces only: what a policy over an untrained model needs."""

    def __init__(
        self, symmetry: Symmetry, action_space: gym.Space, dtype: type = np.float64, limit: float = 10.0
    ) -> None:
        dim = symmetry.dim
        boxes = {
            name: gym.spaces.Box(-limit, limit, (field.size(dim),), dtype)
            for name, field in symmetry.observation.items()
        }
        size = sum(box.shape[0] for box in boxes.values())
        self.observation_space = (
            gym.spaces.Box(-limit, limit, (size,), dtype) if symmetry.flat else gym.spaces.Dict(boxes)
        )
        self.action_space = action_space


_numbers = count()


def toy(symmetry: Symmetry, action_space: gym.Space | None = None, **made: Any) -> gym.Env:
    """An environment that carries a declaration."""
    size = symmetry.action.size(symmetry.dim)
    name = f"tests/Toy{next(_numbers)}-v0"
    register_symmetry(name, symmetry)
    gym.register(name, Toy)
    space = gym.spaces.Box(-1.0, 1.0, (size,), np.float32) if action_space is None else action_space
    return gym.make(name, symmetry=symmetry, action_space=space, disable_env_checker=True, **made)


def toy_model(symmetry: Symmetry, family: str = "auto", action_space: gym.Space | None = None, **made: Any):
    small = {"hidden": (16,)} if family == "mlp" else {}
    return WorldModel.for_env(toy(symmetry, action_space, **made), family, **small)


def toy_policy(
    symmetry: Symmetry,
    cost: Callable[..., Any],
    planner: Planner = PLANNER,
    family: str = "auto",
    action_space: gym.Space | None = None,
    limit: float = 10.0,
    **settings: Any,
) -> MPCPolicy:
    model = toy_model(symmetry, family, action_space, limit=limit)
    return MPCPolicy(model, planner, **({"dtype": "float64", "task": Task(cost=cost)} | settings))
