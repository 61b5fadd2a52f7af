"""Declarations of recorded observations, one of each shape, and random episodes of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from equiworld.groups import SE2
from equiworld.symmetry import Heading, Parts, Point, Scalar, Symmetry, Vector

FIELDS = {"hand": Point(), "speed": Vector(), "turn": Heading(), "target": Point(), "mass": Scalar(2)}
SETTINGS: dict[str, Any] = {"action": Vector(), "goal": ("target",), "heading": "turn", "centre": (2.0, -1.0)}

SYMMETRIES = {
    "keys": Symmetry(SE2(), FIELDS, **SETTINGS),
    "flat": Symmetry(SE2(), FIELDS, flat=True, **SETTINGS),
    "parts": Symmetry(
        SE2(),
        {
            "body": Parts({"hand": Point(), "turn": Heading(), "mass": Scalar(2)}, at={"mass": (0, 3)}),
            "speed": Vector(),
            "target": Point(),
        },
        **SETTINGS,
    ),
    "parts of one array": Symmetry(
        SE2(), {"observation": Parts(FIELDS, at={"turn": (0,), "hand": (4, 2)})}, flat=True, **SETTINGS
    ),
}


def random_fields(symmetry: Symmetry, rng: np.random.Generator, rows: int) -> dict[str, Any]:
    """Arrays `(rows, size)` of every declared field."""
    found = {name: rng.normal(size=(rows, field.size(2))) for name, field in symmetry.observation.items()}
    return found | {"turn": rng.uniform(-np.pi, np.pi, (rows, 1))}


def random_episodes(symmetry: Symmetry, lengths: list[int], seed: int = 0) -> tuple[list[Any], list[Any]]:
    """Episodes as an environment gives them, and the fields that they were made of."""
    rng, episodes, fields = np.random.default_rng(seed), [], []
    for length in lengths:
        fields.append(random_fields(symmetry, rng, length + 1))
        episodes.append(
            {"observation": symmetry.assembled(fields[-1]), "action": rng.normal(size=(length, 2))}
        )
    return episodes, fields
