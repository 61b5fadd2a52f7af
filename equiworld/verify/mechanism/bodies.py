"""The places of all bodies, those that are welded to others too."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from equiworld.verify.mechanism.kinematics import Kinematics
from equiworld.verify.mechanism.matching import Assignment
from equiworld.verify.mechanism.model_map import Array, Indices

__all__ = ["bodies_of"]


def bodies_of(
    kinematics: Kinematics, assignment: Assignment, moved: Callable[[Array, int], Array]
) -> tuple[Indices, list[str]]:
    """The images of all bodies, those that are welded to others too; and which have no partner."""
    from scipy.optimize import linear_sum_assignment

    model, images = kinematics.model, {0: 0, **assignment.bodies}
    for body, image in tuple(images.items()):
        sources = [each for each in kinematics.welded(body) if each != body]
        places = [each for each in kinematics.welded(image) if each != image]
        if sources and places:
            middles = moved(kinematics.centres[sources], body)
            costs = np.linalg.norm(middles[:, None] - kinematics.centres[places], axis=-1)
            led = model.body_mocapid >= 0
            costs[led[sources][:, None] != led[places]] = 1e6  # what is led comes to what is led
            for i, j in zip(*linear_sum_assignment(costs), strict=True):
                if costs[i, j] < kinematics.size:
                    images[sources[i]] = places[j]
    left = [body for body in range(model.nbody) if body not in images]
    alone = [f"body {kinematics.name('body', body)!r} has no partner" for body in left]
    free = sorted(set(range(model.nbody)) - set(images.values()))
    for body in left:  # to its own place if nothing comes there
        images[body] = body if body in free else free[0]
        free.remove(images[body])
    return np.array([images[body] for body in range(model.nbody)]), alone
