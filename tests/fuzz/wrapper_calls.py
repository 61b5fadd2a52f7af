"""Calls of wrappers, Features, bounds and whole declarations."""

from __future__ import annotations

from typing import Any

import numpy as np

import equiworld as ew
from equiworld.envs import GroupAction, RandomGroupAction
from equiworld.symmetry import Bound, Door, Features, FeatureType, Point, Symmetry, Vector

from .oracle import Call
from .toys import SYMMETRY, Toy, observation

__all__ = ["CALLS"]


def wrapped(seed: int = 0) -> GroupAction:
    env = GroupAction(Toy(), ew.E2().rotation(0.3), symmetry=SYMMETRY)
    env.reset(seed=seed)
    return env


def _inside(given: dict[str, Any], found: tuple[Any, ...]) -> None:
    assert set(found[0]) == set(SYMMETRY.observation)


def _wrappers() -> list[Call]:
    g = ew.E2().rotation(0.3)
    z = SYMMETRY.to_features(observation())
    kind = z.type
    return [
        Call(
            "GroupAction",
            lambda **given: GroupAction(Toy(), **given).reset(seed=0),
            lambda: {"g": g, "symmetry": SYMMETRY, "outside": "pass"},
            _inside,
        ),
        Call(
            "RandomGroupAction",
            lambda **given: RandomGroupAction(Toy(), **given).reset(seed=0),
            lambda: {"group": ew.E2(), "symmetry": SYMMETRY},
            _inside,
        ),
        Call(
            "GroupAction.step",
            lambda action: wrapped().step(action),
            lambda: {"action": np.array([0.5, -0.25])},
            _inside,
            infinite=True,
        ),
        Call(
            "Features",
            Features,
            lambda: {"scalars": z.scalars.clone(), "vectors": z.vectors.clone(), "points": z.points.clone()},
            lambda given, found: found.type,
            infinite=True,
            real=False,
            close=None,
        ),
        Call("Features.transform", z.transform, lambda: {"g": g}),
        Call(
            "Features.unflatten",
            Features.unflatten,
            lambda: {"flat": z.flatten(), "kind": kind},
            infinite=True,
            real=False,
        ),
        Call("Features.concatenate", Features.concatenate, lambda: {"parts": [z, z]}),
        Call("Features.stack", Features.stack, lambda: {"parts": [z, z]}),
        Call(
            "FeatureType",
            FeatureType,
            lambda: {"dim": 2, "scalars": 1, "vectors": 2, "points": 3},
            lambda given, found: found.size,
        ),
        Call(
            "Bound",
            Bound,
            lambda: {"radius": 1.0, "size": 2, "item": 2},
            lambda given, found: found.unit,
            infinite=True,
        ),
        Call(
            "Bound of a box",
            Bound,
            lambda: {"low": np.array([-1.0, 0.0]), "high": np.array([1.0, 2.0]), "size": 2},
            lambda given, found: found.unit,
            infinite=True,
            real=False,
            close=None,
        ),
        Call(
            "Symmetry",
            Symmetry,
            lambda: {
                "group": ew.SE2(),
                "observation": {"a": Point(), "b": Vector(2)},
                "action": Vector(),
                "state": ("a",),
                "goal": ("b",),
                "action_origin": "a",
                "reference": "a",
                "heading": None,
                "centre": np.array([1.0, 0.0]),
                "length_scale": 2.0,
                "info": {"c": Point()},
                "flat": False,
                "places": {},
                "holds": "everywhere",
            },
            lambda given, found: Door(found),
        ),
        Call("symmetry_of", ew.symmetry_of, lambda: {"env": "equiworld/PushT-v0"}),
        Call(
            "register_symmetry",
            _registered,
            lambda: {"env_id": "fuzz/Toy-v0", "symmetry": SYMMETRY, "move": None},
        ),
    ]


def _registered(**given: Any) -> None:
    from equiworld.symmetry import registry

    before = {
        name: dict(value)
        for name, value in vars(registry).items()
        if isinstance(value, dict) and name.isupper()
    }
    try:
        ew.register_symmetry(**given)
    finally:
        for name, value in before.items():
            getattr(registry, name).clear()
            getattr(registry, name).update(value)


CALLS = _wrappers()
