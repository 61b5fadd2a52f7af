"""Toy worlds for models: their symmetries, and transitions of dynamics that carry them exactly."""

from __future__ import annotations

import numpy as np

from equiworld.groups import E2, O2, SE2, SE3, Group
from equiworld.symmetry import Point, Scalar, Symmetry, Vector
from equiworld.training import Dataset


def toy_symmetry(group: Group, centre: float = 1.5) -> Symmetry:
    """A hand with a speed, a body of four points and a mass; pushed by a vector."""
    return Symmetry(
        group,
        {"hand": Point(), "body": Point(4), "speed": Vector(), "mass": Scalar()},
        action=Vector(),
        reference="hand",
        centre=(centre,) * group.dim,
        length_scale=2.0,
    )


def toy_data(group: Group, count: int = 300, seed: int = 0) -> Dataset:
    """The body is drawn to the hand, the hand is pushed and pulled; the same in every isometric world."""
    symmetry = toy_symmetry(group)
    rng, dim = np.random.default_rng(seed), group.dim
    hand, speed, action = rng.normal(size=(3, count, dim))
    body, mass = rng.normal(size=(count, 4, dim)), rng.uniform(0.5, 2.0, (count, 1))
    arrows = body - hand[:, None]
    pull = (arrows / (1.0 + np.square(arrows).sum(-1, keepdims=True))).mean(1)
    faster = 0.9 * speed + 0.2 * action / mass + 0.3 * pull
    now = {"hand": hand, "body": body.reshape(count, -1), "speed": speed, "mass": mass}
    drawn = body - 0.2 * arrows / (1.0 + np.square(arrows).sum(-1, keepdims=True))
    after = {
        "hand": hand + 0.1 * faster,
        "body": drawn.reshape(count, -1),
        "speed": faster,
        "mass": 0.9 * mass + 0.05 * mass**2,
    }
    return Dataset(symmetry, now, action, after, np.arange(count) // 10)


TOYS = {"SE2": SE2(), "SE3": SE3(), "E2": E2(), "O2": O2()}
