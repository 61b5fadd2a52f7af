"""Calls of layers, models, planners, policies, training and judgement, on a point mass."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch

import equiworld as ew
from equiworld.arguments import array_of
from equiworld.models import FAMILIES
from equiworld.nn import EquivariantLinear
from equiworld.planners import (
    CEM,
    ICEM,
    MPPI,
    GradientPlanner,
    KeypointDistance,
    MPCPolicy,
    RandomShooting,
    Task,
)
from equiworld.symmetry import FeatureType
from equiworld.training import Dataset

from .oracle import Call
from .toys import ENV, SYMMETRY, made, observation

__all__ = ["CALLS"]

TASK = Task(cost=KeypointDistance("position", "goal"))
TURN = ew.SE2().rotation(0.9)


@lru_cache
def model() -> ew.WorldModel:
    return ew.WorldModel.for_env(ENV, family="state", hidden=(4,), seed=0)


@lru_cache
def policy() -> MPCPolicy:
    return MPCPolicy(model(), CEM(horizon=2, samples=8, iterations=2, elites=2), dtype="float64", task=TASK)


@lru_cache
def wrapped_policy() -> Any:
    return ew.symmetrise(lambda seen: np.array([0.5, 0.1]), ENV)


class Still:
    """Does nothing."""

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> Any:
        return np.zeros((*np.shape(observation["position"])[:-1], 2)), state


def episode(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    seen = {
        name: np.stack([array] * 4) + rng.normal(0, 0.1, (4, len(array)))
        for name, array in observation().items()
    }
    return {"observation": {name: seen[name] for name in seen}, "action": rng.normal(0, 0.3, (3, 2))}


@lru_cache
def data() -> Dataset:
    return Dataset.from_episodes(SYMMETRY, [episode(seed) for seed in range(4)])


def _action(given: dict[str, Any], found: tuple[Any, Any]) -> None:
    action, space = found[0], made().action_space
    assert action.dtype == space.dtype
    for one in np.atleast_2d(action):
        assert space.contains(one), f"{one} in {space}"


def _turns(given: dict[str, Any], found: tuple[Any, Any]) -> None:
    _action(given, found)
    if set(given) == {"observation"}:
        turned = SYMMETRY.transform_observation(TURN, given["observation"])
        there, _ = policy().predict(turned)
        size = max(
            1.0,
            *(
                float(np.abs(array_of("it", a)).max())
                for a in SYMMETRY.observed(given["observation"]).values()
            ),
        )
        exact = all(
            array_of("it", a).dtype.kind in "iu" or array_of("it", a).dtype.itemsize >= 8
            for a in SYMMETRY.observed(given["observation"]).values()
        )
        if size < 1e6 and exact:  # smaller ones are rounded, and equal in law only
            assert np.abs(there - TURN.rotate(found[0])).max() < 1e-6, "turned with the world"


def _layers() -> list[Call]:
    kind = FeatureType(2, scalars=2, vectors=2, points=2)

    def generator() -> torch.Generator:
        return torch.Generator().manual_seed(0)

    return [
        Call(
            "EquivariantLinear",
            EquivariantLinear,
            lambda: {
                "in_type": kind,
                "out_type": kind,
                "group": ew.SE2(),
                "bias": True,
                "generator": generator(),
            },
            close=None,
        ),
    ]


def _models() -> list[Call]:
    z = model().encode(observation())
    action = torch.tensor([0.5, -0.25])
    families = [
        name
        for name, family in FAMILIES.items()
        if not family.encoder.learns and not (family.network.of_finite_groups or family.network.of_bodies)
    ]
    return [
        *(
            Call(
                f"for_env {name}",
                ew.WorldModel.for_env,
                lambda name=name: {"env": ENV, "family": name, "seed": 0},
                lambda given, found: found.predict(found.encode(observation()), action),
                kept=("family",),
                weight=1,
            )
            for name in families
        ),
        Call(
            "for_env",
            ew.WorldModel.for_env,
            lambda: {
                "env": ENV,
                "family": "state",
                "seed": 3,
                "symmetry": SYMMETRY,
                "transitions": 50,
                "hidden": (4,),
            },
            kept=("hidden",),
            weight=2,
        ),
        Call(
            "for_data",
            ew.WorldModel.for_data,
            lambda: {"data": data(), "family": "state", "seed": 3},
            weight=2,
        ),
        Call(
            "encode",
            model().encode,
            lambda: {"obs": {name: array for name, array in observation().items() if name != "goal"}},
            lambda given, found: found.type,
        ),
        Call("encode_goal", model().encode_goal, lambda: {"obs": {"goal": np.array([2.0, -1.0])}}),
        Call(
            "predict",
            lambda action: model().predict(z, action),
            lambda: {"action": action.clone()},
            real=False,
            infinite=True,
        ),
        Call(
            "rollout",
            lambda actions: model().rollout(z, actions),
            lambda: {"actions": torch.zeros(3, 2)},
            real=False,
            infinite=True,
        ),
    ]


def _planning() -> list[Call]:
    few = {
        "horizon": 2,
        "samples": 8,
        "iterations": 2,
        "spread": 0.3,
        "correlation": 0.0,
        "proposals": 0.5,
        "cost_of_last": 0.3,
        "tolerance": 0.1,
        "time_budget": 1.0,
        "chunk": 8,
    }
    kinds = [CEM, ICEM, MPPI, GradientPlanner, RandomShooting]
    start = np.array([True])
    return [
        *(
            Call(
                kind.__name__,
                kind,
                lambda kind=kind: few | ({"elites": 2} if kind in (CEM, ICEM) else {}),
                lambda given, found: repr(found),
            )
            for kind in kinds
        ),
        Call(
            "MPCPolicy",
            MPCPolicy,
            lambda: {
                "model": model(),
                "planner": CEM(samples=8, elites=2),
                "dtype": "float64",
                "seed": 3,
                "task": TASK,
                "prior": None,
                "door": True,
                "device": "cpu",
                "bound": "ball",
            },
            lambda given, found: _action(given, found.predict(observation())),
            weight=2,
        ),
        Call(
            "MPCPolicy.predict",
            policy().predict,
            lambda: {"observation": observation()},
            _turns,
            close=None,
            weight=12,
        ),
        Call(
            "MPCPolicy.predict with memory",
            policy().predict,
            lambda: {
                "observation": {name: array[None] for name, array in observation().items()},
                "state": policy().predict({name: array[None] for name, array in observation().items()})[1],
                "episode_start": start.copy(),
                "deterministic": True,
            },
            _action,
            close=None,
            weight=6,
        ),
        Call(
            "MPCPolicy.plan",
            policy().plan,
            lambda: {"observation": observation(), "seed": 1},
            close=None,
            weight=4,
        ),
        Call(
            "symmetrise",
            ew.symmetrise,
            lambda: {
                "policy": Still(),
                "symmetry": ENV,
                "reference_pose": ew.E2().identity(),
                "ignore": (),
                "scales": {"mass": 2.0},
                "bound": "ball",
                "certificate": None,
                "anyway": False,
            },
            lambda given, found: found.predict(observation()),
            weight=2,
        ),
        Call(
            "symmetrised predict",
            wrapped_policy().predict,
            lambda: {
                "observation": observation(),
                "state": None,
                "episode_start": None,
                "deterministic": True,
            },
            _action,
            close=None,
        ),
        Call(
            "Task",
            Task,
            lambda: {"cost": KeypointDistance("position", "goal"), "proposals": None, "random_numbers": 0},
            close=None,
        ),
    ]


CALLS = [*_layers(), *_models(), *_planning()]
