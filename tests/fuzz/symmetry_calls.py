"""Calls of fields, declarations, Features, doors and the wrappers of environments."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.random import default_rng

import equiworld as ew
from equiworld.symmetry import (
    Cloud,
    Door,
    Features,
    Heading,
    Point,
    Pseudoscalar,
    Pseudovector,
    Rotation,
    Scalar,
    Symmetry,
    Vector,
)

from .oracle import Call
from .toys import SYMMETRY, observation

__all__ = ["CALLS"]

SPACE = Symmetry(
    ew.SE3(),
    {"pose": Rotation(), "place": Point(), "turn": Pseudovector(), "mass": Scalar(), "goal": Point()},
    action=Vector(),
    goal=("goal",),
)


def seen_in_space() -> dict[str, np.ndarray]:
    return {
        "pose": np.eye(3).reshape(-1)[: SPACE.observation["pose"].size(3)].copy()
        if SPACE.observation["pose"].size(3) == 9
        else np.array([1.0, 0.0, 0.0, 0.0])[: SPACE.observation["pose"].size(3)],
        "place": np.array([1.0, 2.0, 3.0]),
        "turn": np.array([0.0, 1.0, -1.0]),
        "mass": np.array([2.0]),
        "goal": np.array([0.5, 0.0, 1.0]),
    }


def _kept(symmetry: Symmetry) -> Any:
    """Turned there and back it is what it was, of the same dtypes."""

    def check(given: dict[str, Any], found: dict[str, np.ndarray]) -> None:
        g, obs = given["g"], given["obs"]
        back = symmetry.transform_observation(g.inverse(), found)
        one, other = symmetry.to_features(obs), symmetry.to_features(back)
        if g.batch_shape == one.batch_shape or not g.batch_shape:
            size = 1.0 + one.flatten().abs().max()
            assert torch.allclose(one.flatten() / size, other.flatten() / size, atol=1e-3)
        for array in found.values():
            assert array.dtype.kind == "f"

    return check


def _of(symmetry: Symmetry, seen: Any) -> list[Call]:
    g = symmetry.group.sample(default_rng(0))
    action = np.arange(1.0, 1 + symmetry.action.size(symmetry.dim))
    names = list(symmetry.state)
    about = f"Symmetry({symmetry.group!r})"

    def decoded(given: dict[str, Any], z: Features) -> None:
        arrays = symmetry.observation_arrays(z, given.get("names"))
        assert list(arrays) == list(symmetry.state if given.get("names") is None else given["names"])

    def encoded(given: dict[str, Any], z: Features) -> None:
        assert z.dtype == torch.float32

    return [
        Call(
            f"{about}.transform_observation",
            symmetry.transform_observation,
            lambda: {"g": g, "obs": seen()},
            _kept(symmetry),
        ),
        Call(
            f"{about}.transform_action", symmetry.transform_action, lambda: {"g": g, "action": action.copy()}
        ),
        Call(
            f"{about}.transform_info",
            symmetry.transform_info,
            lambda: {"g": g, "info": {"steps": 3}},
            close=None,
            infinite=True,
            real=False,
        ),
        Call(
            f"{about}.to_features",
            symmetry.to_features,
            lambda: {"obs": seen(), "names": list(seen()), "dtype": torch.float64},
            decoded,
        ),
        Call(
            f"{about}.to_features in float32",
            symmetry.to_features,
            lambda: {"obs": {name: array for name, array in seen().items() if name != "goal"}},
            encoded,
        ),
        Call(f"{about}.action_features", symmetry.action_features, lambda: {"action": action.copy()}),
        Call(
            f"{about}.action_array",
            lambda action: symmetry.action_array(symmetry.action_features(action)),
            lambda: {"action": action.copy()},
        ),
        Call(f"{about}.feature_type", symmetry.feature_type, lambda: {"names": names}),
        Call(f"{about}.channels", symmetry.channels, lambda: {"names": names}),
        Call(
            f"{about}.transform_space",
            symmetry.transform_space,
            lambda: {
                "g_or_group": g,
                "space": gym.spaces.Box(-1, 1, (len(action),)),
                "role": "action",
                "scale": 2.0,
            },
        ),
        Call(f"{about}.own", symmetry.own, lambda: {"g": g}),
        Call(
            f"Door({about})",
            lambda **given: Door(symmetry, **given).inexact,
            lambda: {
                "names": None,
                "scales": {names[1]: 2.0},
                "single": False,
                "reference_pose": symmetry.group.identity(),
            },
        ),
        Call(
            f"Door({about}).enter",
            lambda observation: Door(symmetry).enter(observation).observation,
            lambda: {"observation": {name: array[None] for name, array in seen().items()}},
        ),
    ]


def _field(field: Any, dim: int, group: Any) -> list[Call]:
    g = group.sample(default_rng(3))
    values = np.arange(1.0, 1 + field.size(dim)) / 4
    if isinstance(field, Rotation):
        values = np.eye(3).reshape(-1) if field.size(dim) == 9 else np.array([1.0, 0.0, 0.0, 0.0])

    def back(given: dict[str, Any], found: np.ndarray) -> None:
        assert found.dtype.kind == "f"

    return [
        Call(
            f"{field!r}.transform",
            field.transform,
            lambda: {"g": g, "array": values.copy(), "centre": np.zeros(dim), "name": "it"},
            back,
            kept=("name",),
        ),
        Call(
            f"{type(field).__name__}",
            type(field),
            lambda: {"count": 2, "scale": 2.0},
            lambda given, found: found.size(dim),
            kept=() if not isinstance(field, Rotation) else ("count",),
        ),
        Call(
            f"{type(field).__name__} in the plane",
            lambda count: type(field)(count).feature_type(2) if count is not None else 0,
            lambda: {"count": 2},
        ),
    ]


FIELDS = [
    (Scalar(2), 2),
    (Pseudoscalar(), 2),
    (Vector(2), 2),
    (Point(2), 2),
    (Cloud(3), 2),
    (Heading(), 2),
    (Vector(), 3),
    (Pseudovector(), 3),
    (Point(), 3),
    (Rotation(), 3),
]

CALLS = [
    *_of(SYMMETRY, observation),
    *_of(SPACE, seen_in_space),
    *(call for field, dim in FIELDS for call in _field(field, dim, ew.E2() if dim == 2 else ew.SE3())),
]
